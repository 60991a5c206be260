# SPDX-License-Identifier: GPL-2.0-or-later
"""The kinds of faults: whose call they strike, what happens then, and what README.md allows."""

import errno
from dataclasses import dataclass

from . import rows, seam

#: Of a renewal, in order; a fault is struck in one of them. "draining" is leaving in peace.
STEPS = ("starting", "opening", "serving", "passing", "re-arming", "shutting", "draining", "leaving")
FROM_READY = STEPS[1:]
OPEN = ("opening", "serving", "passing", "re-arming", "shutting")
FOREVER = 1 << 30
FROM_OUTSIDE = (
    *("kill_target", "stop_target", "kill_client", "stop_client"),
    *("limit_descriptors", "limit_memory", "fill_disks", "deaf_peers"),
)


@dataclass(frozen=True)
class Kind:
    """
    One of the `calls` of `whose` program is struck. `act` names what is done from outside while
    that program is held (see acts.py). `client`: how the token comes (see course.py). `ends`: the
    renewal cannot go on, and port 80 is to be production's. `right`: within how long whoever
    answers is right; `back`: within how long production answers, from the fault if the renewal
    `ends`, else from the end of its token.
    """

    name: str
    whose: str
    right: float
    back: float
    calls: int = seam.ANY
    action: int = seam.HOLD
    act: str = ""
    error: int = 0
    strikes: tuple = (1,)
    ends: bool = False
    steps: tuple = STEPS
    client: str = "hook"  # or "run", or "webroot"
    logs_to_file: bool = False  # the keeper, to one on a disk that can be filled
    serves: bool = False  # the token goes on being served

    @property
    def is_from_outside(self):
        """Whether it can be struck at a program that is as installed."""
        return self.action == seam.KILL or self.act in FROM_OUTSIDE


def _keeper():
    kernel = {"whose": "keeper", "right": rows.AT_ONCE, "action": seam.FAIL, "back": rows.AT_ONCE}
    # At once, but for a kernel that is too busy to destroy the table: the lease ends nevertheless.
    yield Kind("keeper SIGKILL", "keeper", rows.AT_ONCE, rows.LEASE, action=seam.KILL, ends=True)
    yield Kind("keeper SIGSTOP", "keeper", rows.LEASE, rows.LEASE, act="stop_target", ends=True)
    for name, calls, error, action in (
        ("netlink send ENOBUFS", seam.SEND, errno.ENOBUFS, seam.FAIL),
        ("netlink send EINTR", seam.SEND, errno.EINTR, seam.FAIL),
        ("netlink answer ENOBUFS", seam.RECEIVE, errno.ENOBUFS, seam.LOSE),
        ("netlink answer EINTR", seam.RECEIVE, errno.EINTR, seam.FAIL),
    ):
        yield Kind(name, calls=calls, error=error, **{**kernel, "action": action}, strikes=(1, 2, 5))
    # What shuts fails too: the lease ends by itself.
    yield Kind(
        *("netlink send ENOBUFS for good", "keeper", rows.LEASE, rows.LEASE),
        **{"calls": seam.SEND, "action": seam.FAIL, "error": errno.ENOBUFS, "strikes": (FOREVER,)},
    )
    yield Kind("EPERM, capability gone", "keeper", rows.LEASE, rows.LEASE, action=seam.STRIP)
    yield Kind(
        *("keeper EMFILE", "keeper", rows.LEASE, rows.AT_ONCE, seam.DESCRIPTOR, seam.FAIL),
        **{"error": errno.EMFILE, "strikes": (1, 2, 5, FOREVER)},
    )
    yield Kind("keeper fd limit", "keeper", rows.THIRD, rows.AT_ONCE, act="limit_descriptors")
    yield Kind(
        *("keeper ENOMEM", "keeper", rows.LEASE, rows.LEASE, seam.MEMORY, seam.FAIL),
        **{"error": errno.ENOMEM, "strikes": (1, 2, 5, FOREVER)},
    )
    yield Kind("keeper memory limit", "keeper", rows.LEASE, rows.LEASE, act="limit_memory")
    yield Kind(
        *("keeper ENOSPC", "keeper", rows.AT_ONCE, rows.AT_ONCE, seam.FILE, seam.FAIL),
        **{"error": errno.ENOSPC, "strikes": (1, FOREVER), "steps": ("starting",)},
    )
    unharmed = ("keeper", rows.AT_ONCE, rows.AT_ONCE)
    yield Kind("disks full", *unharmed, act="fill_disks", serves=True)
    yield Kind(
        *("disk of the log full", *unharmed),
        **{"act": "fill_disks", "steps": OPEN, "logs_to_file": True, "serves": True},
    )
    for direction in ("forward", "back"):
        step = {"act": f"clock_{direction}", "serves": True}
        yield Kind(f"clock {direction}", *unharmed, **step)
        # The file's own time is then of the future, or of long ago.
        file = {"client": "webroot", "steps": OPEN}
        yield Kind(f"clock {direction}, token as a file", *unharmed, **step, **file)
    yield Kind(
        *("peers that do not read", *unharmed),
        **{"act": "deaf_peers", "steps": OPEN, "serves": True},
    )


def _responder():
    names = ("responder", rows.AT_ONCE, rows.AT_ONCE)
    yield Kind("responder SIGKILL", *names, act="kill_target")
    names = ("responder", rows.LEASE, rows.AT_ONCE)
    yield Kind("responder SIGSTOP", *names, act="stop_target")
    yield Kind("responder busy for good", *names, act="leave_held")
    names = ("responder", rows.THIRD, rows.AT_ONCE)
    yield Kind("responder fd limit", *names, act="limit_descriptors")
    yield Kind("responder memory limit", *names, act="limit_memory")
    yield Kind(
        *("responder ENOMEM", *names, seam.MEMORY, seam.FAIL),
        **{"error": errno.ENOMEM, "strikes": (1, 2, 5, FOREVER)},
    )
    yield Kind(
        *("responder EMFILE", *names, seam.DESCRIPTOR, seam.FAIL),
        **{"error": errno.EMFILE, "strikes": (1, 2, 5, FOREVER)},
    )


def _callers():
    hook = {"steps": ("opening", "serving", "shutting")}
    forgotten = ("hook", rows.DEADLINE, rows.DEADLINE)
    yield Kind("hook SIGKILL", *forgotten, action=seam.KILL, ends=True, **hook)
    yield Kind("hook SIGSTOP", *forgotten, act="stop_target", ends=True, **hook)
    for name, calls, error in (
        ("hook EMFILE", seam.DESCRIPTOR, errno.EMFILE),
        ("hook ENOMEM", seam.MEMORY, errno.ENOMEM),
    ):
        yield Kind(
            *(name, *forgotten, calls, seam.FAIL),
            **{"error": error, "strikes": (1, 2, FOREVER), **hook},
        )
    yield Kind("hook fd limit", *forgotten, act="limit_descriptors", **hook)
    yield Kind("hook memory limit", *forgotten, act="limit_memory", **hook)
    forgotten = ("keeper", rows.DEADLINE, rows.DEADLINE)
    yield Kind("client SIGKILL", *forgotten, act="kill_client", ends=True, steps=OPEN)
    yield Kind("client SIGSTOP", *forgotten, act="stop_client", ends=True, steps=OPEN)
    # It only waits while it runs: then it is struck in the keeper's calls.
    for whose, where, steps in (
        ("hook", "", ("opening", "shutting")),
        ("keeper", ", at the keeper's calls", ("opening", "passing", "re-arming", "shutting")),
    ):
        run = {"ends": True, "steps": steps, "client": "run"}
        killed, stopped = (whose, *2 * (rows.AT_ONCE,)), (whose, *2 * (rows.LIMIT,))
        yield Kind(f"run SIGKILL{where}", *killed, act="kill_client", **run)
        yield Kind(f"run SIGSTOP{where}", *stopped, act="stop_client", **run)


KINDS = (*_keeper(), *_responder(), *_callers())
