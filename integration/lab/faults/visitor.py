# SPDX-License-Identifier: GPL-2.0-or-later
"""Visitors who are passed, and stay: one who is idle, one in the middle of a download."""

import contextlib
import socket

from .. import network
from ..lab import HOST4, VISITORS4

FIRST = 1000  # bytes of a download that are read at first


class Visitor:
    """Has had an answer, and may ask again."""

    PATH = "/"

    def __init__(self, lab, events):
        self._events = events
        self._page = (lab.directory / "production" / "pages" / self.page()).read_bytes()
        self._lab = lab
        self._socket = self._stream = None

    @staticmethod
    def page():
        return "index.html"

    def come(self):
        """Whether production answers, before a fault is struck."""
        with contextlib.suppress(OSError):
            self._socket = network.connect(self._lab.outside, HOST4, source=VISITORS4[0], timeout=5)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self._stream = self._socket.makefile("rb")
            self._ask()
            return self._events.readable(self._socket, 2) and self._begin()
        return False

    def _ask(self):
        self._socket.sendall(network.request_bytes(self.PATH, HOST4, keep_alive=True))

    def _begin(self):
        return network.read_answer(self._stream).body == self._page

    def goes_on(self):
        """Whether production goes on serving it as if nothing were. TimeoutError: nobody knows."""
        with contextlib.suppress(ConnectionError):
            self._ask()
            return self._begin()
        return False

    def is_cut(self, *, speaks=False, timeout=2):
        """
        Whether the connection ends in that time, whatever still comes. Who `speaks` sends something
        first: once the table is gone, the responder's end is not translated back any more.
        """
        self._socket.settimeout(timeout)
        with contextlib.suppress(ConnectionError):
            try:
                if speaks:
                    self._ask()
                while self._socket.recv(65536):
                    pass
            except TimeoutError:
                return False
        return True

    def close(self):
        if self._stream:
            self._stream.close()
        if self._socket:
            self._socket.close()


class Download(Visitor):
    """Reads on only when asked to."""

    PATH = "/download"

    @staticmethod
    def page():
        return "download"

    def _begin(self):
        self._got = b""
        while b"\r\n\r\n" not in self._got or len(self._got) < FIRST:
            piece = self._socket.recv(FIRST)
            if not piece:
                return False
            self._got += piece
        return True

    def goes_on(self):
        """To its end; after that it has been served."""
        head, body = self._got.split(b"\r\n\r\n", 1)
        with contextlib.suppress(ConnectionError):
            while len(body) < len(self._page) and (piece := self._socket.recv(65536)):
                body += piece
        self._got = head + b"\r\n\r\n" + body
        return body == self._page
