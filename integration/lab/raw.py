# SPDX-License-Identifier: GPL-2.0-or-later
"""Production without HTTP: whoever comes to port 80 of a lab host talks to the test itself."""

import contextlib
import select
import socket
import struct
from typing import NamedTuple


class Seen(NamedTuple):
    """Who came, as production sees it, and to which address."""

    address: str
    port: int
    local: str


class Raw:
    """
    Listens over both families. What a server can do, the test does with the sockets that accept()
    returns: speak first, echo, half-close, reset.
    """

    def __init__(self, lab, host=None, port=80):
        self.log = []
        self.listeners = []
        with (host or lab.host).network():
            for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
                listener = socket.socket(family, socket.SOCK_STREAM)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                listener.bind((address, port))
                listener.listen(4096)
                self.listeners.append(listener)
        lab.at_end(self.close)

    def comes(self, timeout):
        """Whether somebody comes in that time; accept() then returns at once."""
        return bool(select.select(self.listeners, [], [], timeout)[0])

    def accept(self, timeout=5):
        """The next connection, and who it is from."""
        ready, _, _ = select.select(self.listeners, [], [], timeout)
        assert ready, f"nobody came to production in {timeout} s"
        connection, peer = ready[0].accept()
        connection.settimeout(timeout)
        self.log.append(Seen(peer[0], peer[1], connection.getsockname()[0]))
        return connection, self.log[-1]

    def close(self):
        for listener in self.listeners:
            listener.close()


def receive(connection, count):
    """Exactly so many bytes, or fewer if the other side ends."""
    got = b""
    while len(got) < count and (piece := connection.recv(count - len(got))):
        got += piece
    return got


def ending(connection):
    """Reads on to the end: (what came, "end" or "reset")."""
    got = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            got += piece
        return got, "end"
    return got, "reset"


def reset(connection):
    """Closes so that the other side sees a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
