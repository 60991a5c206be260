# SPDX-License-Identifier: GPL-2.0-or-later
"""
The control protocol as a client speaks it (include/wicket/control.h), for what the command line
never does: many requests over one connection, many connections, and messages that break the rules.
"""

import json
import select
import socket
import struct

MAGIC = 0x54434B57
VERSION = 3
HELLO, RESULT, DOCUMENT = 1, 2, 3
ADD, REMOVE, OPEN = 64, 65, 66
STATUS = 69

HEADER = struct.Struct("=IHH")
ADD_BODY = struct.Struct("=304s96s")
REMOVE_BODY = struct.Struct("=264sI96s")
RESULT_BODY = struct.Struct("=i768s")
DOCUMENT_BODY = struct.Struct("=II8192s")


def header(kind):
    return HEADER.pack(MAGIC, VERSION, kind)


class Control:
    """
    One connection, from this process, so with its uid. `greeting` is the type of the first
    message: HELLO, or RESULT for a refusal, then `refusal` is (exit code, text).
    """

    def __init__(self, host, path="/run/wicket/control.sock"):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(10)
        self._socket.connect(str(host.path(path)))
        message = self._socket.recv(65536)
        self.greeting = HEADER.unpack_from(message)[2]
        self.refusal = self._result(message) if self.greeting == RESULT else None

    @staticmethod
    def _result(message):
        assert len(message) == HEADER.size + RESULT_BODY.size
        assert HEADER.unpack_from(message) == (MAGIC, VERSION, RESULT)
        code, text = RESULT_BODY.unpack_from(message, HEADER.size)
        return code, text.rstrip(b"\0").decode()

    def send(self, message):
        self._socket.send(message)

    def receive(self):
        """b"" once the keeper has closed the connection."""
        try:
            return self._socket.recv(65536)
        except ConnectionResetError:
            return b""

    def add(self, key_authorization, purpose="the lab"):
        """(exit code, text)."""
        body = ADD_BODY.pack(key_authorization.encode(), purpose.encode())
        self.send(header(ADD) + body)
        return self._result(self.receive())

    def ask_remove(self, token, purpose="the lab"):
        self.send(header(REMOVE) + REMOVE_BODY.pack(token.encode(), 0, purpose.encode()))

    def remove(self, token):
        """(exit code, text)."""
        self.ask_remove(token)
        return self.result()

    def result(self):
        """(exit code, text) of what was asked last."""
        return self._result(self.receive())

    def status(self):
        """The document, parsed."""
        self.send(header(STATUS))
        document = b""
        while HEADER.unpack_from(message := self.receive())[2] == DOCUMENT:
            _, length, piece = DOCUMENT_BODY.unpack_from(message, HEADER.size)
            document += piece[:length]
        assert self._result(message)[0] == 0
        return json.loads(document)

    def is_answered(self):
        return bool(select.select([self._socket], [], [], 0)[0])

    def close(self):
        self._socket.close()
