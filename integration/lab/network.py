# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections from a lab host, and what answers them."""

import contextlib
import socket
import threading
import time
from dataclasses import dataclass


def connect(host, address, port=80, source=None, timeout=5, source_port=0):
    """A TCP connection from `host`, from its address `source` if one is given."""
    with host.network():
        return socket.create_connection(
            (address, port), timeout, source_address=(source, source_port) if source else None
        )


def wait_listening(host, address, port, timeout=20):
    """
    Until somebody listens there. The kernel tells nobody when a socket begins to listen, so this
    tries again at growing intervals.
    """
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    interval = 0.002
    while True:
        try:
            connect(host, address, port, timeout=1).close()
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise AssertionError(f"nobody listens at {address} port {port}: {error}") from None
        pause.wait(interval)
        interval = min(interval * 1.5, 0.1)


@dataclass
class Answer:
    """`status` 0: there was none, and `error` says why."""

    status: int = 0
    headers: dict = None
    body: bytes = b""
    error: str = ""

    @property
    def server(self):
        """Who answered: "production", "responder", or "" for nobody."""
        if not self.status:
            return ""
        return "production" if b"production of the lab" in self.body else "responder"


def _read_head(stream):
    line = stream.readline(4096)
    if not line:
        raise ConnectionError("closed without an answer")
    status = int(line.split()[1])
    headers = {}
    while True:
        line = stream.readline(4096)
        if line in (b"\r\n", b""):
            return status, headers
        name, _, value = line.partition(b":")
        headers[name.strip().lower().decode("latin-1")] = value.strip().decode("latin-1")


def read_answer(stream, method="GET"):
    """One HTTP/1 answer from a buffered binary stream."""
    status, headers = _read_head(stream)
    length = headers.get("content-length")
    if method == "HEAD" or status in (204, 304):
        body = b""
    elif length is not None:
        body = stream.read(int(length))
        if len(body) != int(length):
            raise ConnectionError("closed in the middle of an answer")
    else:
        body = stream.read()
    return Answer(status, headers, body)


def request_bytes(path, address, method="GET", keep_alive=False):
    """A request as validators and browsers send it; `address` is what Host names."""
    name = f"[{address}]" if ":" in address else address
    connection = "keep-alive" if keep_alive else "close"
    return (
        f"{method} {path} HTTP/1.1\r\nHost: {name}\r\nUser-Agent: lab\r\n"
        f"Accept: */*\r\nConnection: {connection}\r\n\r\n"
    ).encode()


def get(host, address, path="/", *, port=80, source=None, timeout=5):
    """One request over a connection of its own. Errors are told, not raised."""
    try:
        with connect(host, address, port, source, timeout) as connection:
            connection.sendall(request_bytes(path, address))
            with connection.makefile("rb") as stream:
                return read_answer(stream)
    except (OSError, ValueError, IndexError) as error:
        return Answer(error=f"{type(error).__name__}: {error}")


class KeepAlive:
    """A visitor who keeps a connection and asks again and again over it."""

    def __init__(self, host, address, source=None):
        self._address = address
        self._socket = connect(host, address, source=source)
        self.port = self._socket.getsockname()[1]
        self._stream = self._socket.makefile("rb")

    def ask(self, path="/"):
        self._socket.sendall(request_bytes(path, self._address, keep_alive=True))
        return read_answer(self._stream)

    def speak(self, path="/"):
        """Asks without waiting for an answer; the connection may have ended."""
        with contextlib.suppress(ConnectionError):
            self._socket.sendall(request_bytes(path, self._address, keep_alive=True))

    def wait_cut(self, timeout):
        """How the connection ends, "end" or "reset", without a word; TimeoutError if it does not."""
        self._socket.settimeout(timeout)
        try:
            assert self._socket.recv(1) == b""
        except ConnectionResetError:
            return "reset"
        return "end"

    def close(self):
        with contextlib.suppress(OSError):
            self._stream.close()
        self._socket.close()
