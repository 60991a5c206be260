# SPDX-License-Identifier: GPL-2.0-or-later
"""What is done from outside, while a program stands still in the call that was chosen."""

import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
from pathlib import Path

from ..control import STATUS, header

DEAF = 12  # of the 16 connections that a user may have
MONTH = 30 * 24 * 3600
CHALLENGES = "/var/lib/wicket/webroot/.well-known/acme-challenge"
#: The process is not there any more.
GONE = (
    ChildProcessError,
    FileNotFoundError,
    IndexError,
    ProcessLookupError,
    subprocess.CalledProcessError,
)
OPTIONS = {"nofile": resource.RLIMIT_NOFILE, "as": resource.RLIMIT_AS}


def _signal(course, number):
    os.kill(course.target(), number)


def kill_target(course):
    _signal(course, signal.SIGKILL)


def stop_target(course):
    _signal(course, signal.SIGSTOP)


def leave_held(course):
    """It goes on in its loop."""


def kill_client(course):
    course.client.signal(signal.SIGKILL)
    course.ground.seams[course.kind.whose].disarm()


def stop_client(course):
    course.client.freeze()
    course.ground.seams[course.kind.whose].disarm()


def _limit(pid, option, soft):
    """In the name of the process: root may not do that everywhere to others."""
    status = Path(f"/proc/{pid}/status").read_text()
    user, group = (re.search(rf"^{one}:\s+(\d+)", status, re.M)[1] for one in ("Uid", "Gid"))
    subprocess.run(
        ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--"]
        + ["prlimit", f"--pid={pid}", f"--{option}={soft}:"],
        check=True,
        stderr=subprocess.DEVNULL,
    )


def _lower(course, option, number):
    pid = course.target()
    soft, _ = resource.prlimit(course.keeper.pid, OPTIONS[option])
    _limit(pid, option, number)
    course.limited.append((pid, option, "unlimited" if soft == resource.RLIM_INFINITY else soft))
    course.ground.seams[course.kind.whose].disarm()


def limit_descriptors(course):
    """Not one more than it has."""
    used = {int(name) for name in os.listdir(f"/proc/{course.target()}/fd")}
    _lower(course, "nofile", next(n for n in range(len(used) + 1) if n not in used))


def limit_memory(course):
    """Not one page more than it has."""
    size = re.search(r"VmSize:\s+(\d+)", Path(f"/proc/{course.target()}/status").read_text())
    if not size:
        raise ProcessLookupError  # it is ending: its memory has gone already
    _lower(course, "as", int(size[1]) * 1024)


def lift(course):
    """Every limit, for those who are still there."""
    for pid, option, soft in course.limited:
        with contextlib.suppress(*GONE):
            _limit(pid, option, soft)
    course.limited.clear()


def fill_disks(course):
    course.ground.fill()
    if course.log:
        course.log.pad()
    course.ground.seams[course.kind.whose].disarm()


def _step_clocks(course, seconds):
    for seam in course.ground.seams.values():
        seam.step_clock(seconds)
    if course.kind.client == "webroot":  # every file is looked at once more
        directory = course.ground.host.path(CHALLENGES)
        directory.chmod(directory.stat().st_mode & 0o7777)
    course.ground.seams[course.kind.whose].disarm()


def clock_forward(course):
    _step_clocks(course, MONTH)


def clock_back(course):
    _step_clocks(course, -MONTH)


def deaf_peers(course):
    """They ask for what is more than a socket holds, and for what they may not, and never read."""
    for number in range(DEAF):
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        peer.connect(str(course.ground.host.path("/run/wicket/control.sock")))
        if number % 3 < 2:
            peer.send(header(STATUS))
        if number % 3 == 1:
            peer.send(header(STATUS))
        course.deaf.append(peer)
    course.ground.seams[course.kind.whose].disarm()
