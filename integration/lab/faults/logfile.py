# SPDX-License-Identifier: GPL-2.0-or-later
"""The keeper's log as a file on a small disk, as where there is no syslog."""

PATH = "/run/wicket/keeper.log"
PAGE = 4096  # what a file has of its disk, whatever its length
LOST = r"lines lost here, since the log did not take them in time: \d+"


class LogFile:
    def __init__(self, host, on_line):
        self._path = host.path(PATH)
        self._path.parent.mkdir(exist_ok=True)
        self._path.write_text("")
        self._tail = host.start("tail", "-f", PATH, on_line=on_line)
        #: Before a command that is to log here.
        self.prefix = ("sh", "-c", f'exec "$@" 2>>{PATH}', "sh")

    def pad(self):
        """Takes what is left of its last page, once the disk is full."""
        left = -self._path.stat().st_size % PAGE
        if left:
            with open(self._path, "ab", buffering=0) as file:
                file.write(b"." * (left - 1) + b"\n")

    def close(self):
        self._tail.stop()
