# SPDX-License-Identifier: GPL-2.0-or-later
"""What /proc tells of a process."""

import contextlib
import ctypes
import os
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
PIDFD_GETFD = 438  # on every architecture


def processes(namespace):
    """Those of a pid namespace (its inode), by pid as seen from here: their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if os.stat(entry / "ns/pid").st_ino != namespace:
                continue
            command = (entry / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if command:  # a zombie has none
            found[int(entry.name)] = command.rstrip(b"\0").split(b"\0")
    return found


def status(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return {key: value.strip() for key, _, value in (l.partition(":") for l in text.splitlines())}


def capabilities(status, which):
    bits = int(status[which], 16)
    return {number for number in range(64) if bits >> number & 1}


def limits(pid):
    """{name: (soft, hard)}, None for unlimited."""
    found = {}
    for line in Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]:
        name, values = line[:26].strip(), line[26:].split()[:2]
        found[name] = tuple(None if value == "unlimited" else int(value) for value in values)
    return found


def descriptors(pid):
    """{number: what it is of}."""
    found = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found[int(entry.name)] = os.readlink(entry)
        except FileNotFoundError:
            continue
    return found


def written(pid):
    """The regular files that are open for writing."""
    found = set()
    for number, path in descriptors(pid).items():
        info = Path(f"/proc/{pid}/fdinfo/{number}").read_text()
        flags = int(info.split("flags:")[1].split()[0], 8)
        kind = Path(f"/proc/{pid}/fd/{number}")
        if flags & os.O_ACCMODE != os.O_RDONLY and kind.is_file():
            found.add(path)
    return found


@contextlib.contextmanager
def borrowed(pid, number):
    """A descriptor of ours for what one of the process is for, as if it had been inherited."""
    pidfd = os.pidfd_open(pid)
    try:
        found = LIBC.syscall(PIDFD_GETFD, pidfd, number, 0)
    finally:
        os.close(pidfd)
    if found < 0:
        raise OSError(ctypes.get_errno(), f"descriptor {number} of {pid}")
    try:
        yield found
    finally:
        os.close(found)
