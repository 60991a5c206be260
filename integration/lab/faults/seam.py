# SPDX-License-Identifier: GPL-2.0-or-later
"""
How a fault gets into a program: integration/inject.c is loaded into it, and does what a page of
memory says that this process writes to. Programs that leave that alone are as installed, but for
their fences, which forbid such a page: these are of a build without.
"""

import mmap
import shutil
import struct

from .. import programs

# As inject.c has them.
SEND, RECEIVE, DESCRIPTOR, FILE, MEMORY, OTHER = (1 << bit for bit in range(6))
ANY = SEND | RECEIVE | DESCRIPTOR | FILE | MEMORY | OTHER
NOTE, FAIL, LOSE, KILL, HOLD, STRIP = range(6)

PAGE = struct.Struct("=IIIIiIIIq")
CLOCK = struct.Struct("=q")
#: In the line that inject.c writes.
ANNOUNCEMENT = r"inject: call (\d+), (\S+)"
LIBRARY = "/usr/local/lib/inject.so"
REAL = "/usr/local/libexec/as-built"


class Seam:
    """The page of one program: what its calls meet."""

    def __init__(self, lab, name):
        path = lab.directory / f"inject-{name}"
        path.write_bytes(bytes(PAGE.size))
        with open(path, "r+b") as file:
            self._page = mmap.mmap(file.fileno(), PAGE.size)
        path.chmod(0o666)
        #: To be put before a command.
        self.prefix = ("env", f"LD_PRELOAD={LIBRARY}", f"INJECT=/mnt/{path.name}")

    def arm(self, kinds, action, *, skip=0, strikes=1, error=0):
        """`skip` calls of these kinds go well from now on, the next `strikes` do not."""
        self.disarm()
        clock = self._read()[-1]
        PAGE.pack_into(self._page, 0, 0, skip, strikes, action, error, 1, 0, 0, clock)
        self._page[0:4] = struct.pack("=I", kinds)  # this last: it counts from here

    def disarm(self):
        """Whoever is held goes on, and calls go well."""
        self._page[0:4] = bytes(4)
        self._page[20:24] = bytes(4)

    def step_clock(self, seconds):
        CLOCK.pack_into(self._page, PAGE.size - CLOCK.size, seconds)

    def _read(self):
        return PAGE.unpack(self._page[:])

    @property
    def calls(self):
        """So many were counted since arm()."""
        return self._read()[6]

    @property
    def struck(self):
        """So many met the fault."""
        return self._read()[7]

    def close(self):
        self._page.close()


def install(destination):
    """
    The programs and, in their tree, the library, and before the responder, whose environment the
    keeper chooses, a script that loads it. Returns the prefix.
    """
    build = programs.build_without_sandbox()
    prefix = programs.install(destination, build)
    (prefix / "lib").mkdir(exist_ok=True)
    shutil.copy(build / "integration" / "inject.so", prefix / "lib")
    responder = prefix / "libexec" / "wicket-responder"
    real = prefix / "libexec" / "as-built"
    real.mkdir()
    responder.rename(real / responder.name)
    responder.write_text(
        f"#!/bin/sh\nLD_PRELOAD={LIBRARY} INJECT=/mnt/inject-responder exec {REAL}/{responder.name}\n"
    )
    responder.chmod(0o755)
    return prefix
