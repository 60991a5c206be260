# SPDX-License-Identifier: GPL-2.0-or-later
"""The syslog of a lab host: what its programs send to /dev/log."""

import os
import re
import socket
import threading

from .lines import Lines


class Journal:
    """
    `lines` has "ident: text" of every datagram, with the time it came. `host`'s /dev/log is bound
    from here: a Unix socket is found by its inode, whatever network namespace it was made in.
    """

    def __init__(self, host, on_line=None):
        self.lines = Lines(f"the syslog of {host.name}", on_line)
        # As many datagrams as systemd lets wait, instead of ten: what comes at once is not lost.
        host.sysctl("net/unix/max_dgram_qlen", 512)
        with host.network():
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = host.path("/dev/log")
        self._socket.bind(str(path))
        os.chmod(path, 0o666)
        self._thread = threading.Thread(target=self._read, name="journal", daemon=True)
        self._thread.start()

    def _read(self):
        while True:
            datagram = self._socket.recv(8192)
            if datagram == b"":  # close() shuts it down
                break
            text = datagram.decode("utf-8", "backslashreplace").rstrip("\n\0")
            self.lines.append(re.sub(r"^<\d+>(\w+ +\d+ [\d:]+ )?", "", text))
        self.lines.end()

    def close(self):
        self._socket.shutdown(socket.SHUT_RD)
        self._thread.join(5)
        self._socket.close()
