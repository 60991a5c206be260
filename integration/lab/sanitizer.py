# SPDX-License-Identifier: GPL-2.0-or-later
"""
What sanitizers have found in a lab's programs, when these are of a build with sanitizers (see
WICKET_BUILD in programs.py): integration/sanitized_report.c writes it into a file that is there
from the start, the responder's keeper says in the log how it ended. It is found at the lab's end,
whatever became of the program and of what it said.
"""

import struct

ROOM = 65536
LENGTH = struct.Struct("=I")
STATUS = 99  # as sanitized_options.c has it


class Sanitizer:
    def __init__(self, directory):
        self._path = directory / "sanitizer"
        self._path.write_bytes(bytes(ROOM))
        self._path.chmod(0o666)  # of programs that become somebody else before they open it

    def reports(self, logs):
        """
        The text; "" when nothing was found. `logs` are what keepers have written, wherever that is.
        """
        found = self._path.read_bytes()
        (length,) = LENGTH.unpack_from(found)
        text = found[LENGTH.size : LENGTH.size + length].decode(errors="backslashreplace")
        for log in logs:
            if f"the responder ended with exit status {STATUS}" in log:
                text += f"a sanitizer ended the responder; the log:\n{log}\n"
        return text
