# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of an emulated machine: an archive that its kernel unpacks (cpio, "newc")."""

import re
import stat
import subprocess
from pathlib import Path


def libraries(program):
    """The shared libraries of a program, and what loads them; a static one has none."""
    listing = subprocess.run(
        ["ldd", str(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    ).stdout
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", listing)]


def _padded(data):
    return data + bytes(-len(data) % 4)


def _entry(number, name, mode, content):
    encoded = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
    header = b"070701" + b"".join(b"%08x" % field for field in fields)
    return _padded(header + encoded) + _padded(content)


class Initramfs:
    """Everything in it is root's. Directories come with what is in them."""

    def __init__(self):
        self._entries = {}  # by path, without the first slash: (mode, content)

    def _add(self, path, mode, content):
        path = Path(path.lstrip("/"))
        for parent in reversed(path.parents[:-1]):
            self._entries.setdefault(str(parent), (stat.S_IFDIR | 0o755, b""))
        self._entries[str(path)] = (mode, content)

    def directory(self, path, mode=0o755):
        self._add(path, stat.S_IFDIR | mode, b"")

    def file(self, path, content, mode=0o644):
        self._add(path, stat.S_IFREG | mode, content)

    def link(self, path, target):
        self._add(path, stat.S_IFLNK | 0o777, target.encode())

    def program(self, path, source):
        """With the libraries that it is linked with here."""
        self.file(path, Path(source).read_bytes(), 0o755)
        for library in libraries(source):
            self.file(str(library), library.read_bytes(), 0o755)

    def tree(self, path, source):
        """The files below the directory `source`."""
        for one in sorted(Path(source).rglob("*")):
            if one.is_file():
                self.file(f"{path}/{one.relative_to(source)}", one.read_bytes())

    def write(self, path):
        with open(path, "wb") as archive:
            for number, (name, (mode, content)) in enumerate(self._entries.items()):
                archive.write(_entry(number, name, mode, content))
            archive.write(_entry(0, "TRAILER!!!", 0, b""))
