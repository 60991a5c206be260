# SPDX-License-Identifier: GPL-2.0-or-later
"""Strangers who connect, say nothing, and stay."""

import contextlib
import os
import resource
import socket
import threading
import time

from lab.lab import HOST4, OUTSIDE4

from .wrong import Wrong

PATIENCE_S = 10
# Enough of them that no server takes the strangers of one address for too many.
ADDRESSES = [f"{OUTSIDE4.rsplit('.', 1)[0]}.{number}" for number in range(20, 70)]


def make_room(count):
    """For so many connections of this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, count + 1024)), hard))


def descriptors(pids):
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)


def _wait_accepted(contender, before, count):
    """
    The kernel holds them back for a second where accepting is deferred, and tells nobody when it
    hands them over: the server's descriptors do.
    """
    deadline = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while (more := descriptors(contender.pids()) - before) < count:
        if time.monotonic() > deadline:
            raise Wrong(f"{contender.name}: has {more} descriptors more for {count} strangers")
        pause.wait(0.02)


def _connected(one):
    try:
        return one.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


@contextlib.contextmanager
def connected(contender, count):
    """
    So many, all of them still there at the end; and accepted, unless the server has the kernel hold
    them back for longer than a load lasts.
    """
    if count == 0:
        yield
        return
    make_room(count)
    before = descriptors(contender.pids())
    with contextlib.ExitStack() as stack:
        strangers = []
        with contender.lab.outside.network():
            for number in range(count):
                source = ADDRESSES[number % len(ADDRESSES)]
                one = socket.create_connection((HOST4, contender.port), 10, (source, 0))
                one.setblocking(False)
                strangers.append(stack.enter_context(one))
        if contender.accepts_silent:
            _wait_accepted(contender, before, count)
        yield
        left = sum(_connected(one) for one in strangers)
        if left < count:
            raise Wrong(f"{contender.name}: {count - left} of {count} strangers were sent away")
