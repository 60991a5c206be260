# SPDX-License-Identifier: GPL-2.0-or-later
"""
In the keeper's place: starts a responder and tells it the tokens, with no table and so without
connection tracking, so that what is measured is the responder alone. Says "ready", and ends with
SIGTERM. Whoever is passed on gets a connection to production, which sees this host's address.

    stand_in.py PORT CORE FILE-OF-KEY-AUTHORIZATIONS
"""

import os
import signal
import socket
import struct
import sys
import tempfile
from pathlib import Path

PROGRAM = "/usr/local/libexec/wicket-responder"
# include/wicket/link.h
MAGIC, VERSION = 0x4B4C4B57, 3
SETUP, TOKEN, PING, PASSED = 1, 2, 4, 7
READY, PONG, PASS = 64, 65, 68
HEADER = struct.Struct("=IHH")
NULL_IN, NULL_OUT, LOG, LINK, DIRECTORY, LOCK, TABLE, LISTEN = range(8)
NOBODY = 65534


def pack(kind, form, *values):
    return HEADER.pack(MAGIC, VERSION, kind) + struct.pack(form, *values)


def kind_of(message):
    return HEADER.unpack_from(message)[2] if message else None


def listen(port):
    """As the keeper does it."""
    listener = socket.socket()
    for level, option, value in (
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.SOL_SOCKET, socket.SO_OOBINLINE, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
        (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1),
    ):
        listener.setsockopt(level, option, value)
    listener.bind(("", port))
    listener.listen(4096)
    return listener


def become_responder(descriptors, core):
    """Out of the way first, so that none is overwritten before it was moved."""
    os.sched_setaffinity(0, {core})
    moved = [os.dup(one) for one in descriptors]
    high = [os.dup2(one, 100 + number) for number, one in enumerate(moved)]
    for number, one in enumerate(high):
        os.dup2(one, number)
    os.closerange(len(high), 1024)
    os.execv(PROGRAM, [PROGRAM])


def start(listener, core):
    """(the link, the responder's pid)."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    null = os.open("/dev/null", os.O_RDWR)
    with tempfile.TemporaryDirectory(dir="/run") as empty:
        directory = os.open(empty, os.O_RDONLY | os.O_DIRECTORY)
        pid = os.fork()
        if pid == 0:
            numbers = {
                **{NULL_IN: null, NULL_OUT: null, LOG: 2, LINK: theirs.fileno()},
                **{DIRECTORY: directory, LOCK: null, TABLE: null, LISTEN: listener.fileno()},
            }
            become_responder([numbers[number] for number in range(LISTEN + 1)], core)
        theirs.close()
        # One listener, full mode, the defaults of the configuration, visitors are passed.
        ours.send(
            pack(SETUP, "=IIIIIIQQII", *(1, 0, NOBODY, NOBODY), *(1024, 32), *(1000, 10000), 0, 0)
        )
        if kind_of(ours.recv(4096)) != READY:
            sys.exit("the responder is not ready")
    return ours, pid


def tell(link, path):
    """The tokens, and a question behind them, so that they are known once it is answered."""
    for line in Path(path).read_text().splitlines():
        link.send(pack(TOKEN, "=304s", line.encode()))
    link.send(pack(PING, "=Q", 1))
    while kind_of(link.recv(4096)) != PONG:
        pass


def go_on(link):
    """Until it ends."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(link, 4096, 4)
        if not message:
            return
        if kind_of(message) == PASS:
            (number,) = struct.unpack_from("=Q", message, HEADER.size)
            with socket.create_connection(("127.0.0.1", 80)) as there:
                socket.send_fds(link, [pack(PASSED, "=QII", number, 0, 1)], [there.fileno()])
        for descriptor in descriptors:
            os.close(descriptor)


def main():
    port, core, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    listener = listen(port)
    link, pid = start(listener, core)
    listener.close()
    try:
        tell(link, path)
        print("ready", flush=True)
        go_on(link)
    finally:
        # The port is free when this ends.
        link.close()
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
