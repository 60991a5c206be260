# SPDX-License-Identifier: GPL-2.0-or-later
"""What the programs of a renewal say, and that they end, as lines in the order of their coming."""

import os
import re
import select
import threading
import time

from ..lines import Lines
from ..process import wait_for_end
from .seam import ANNOUNCEMENT


class Events:
    """Among them the announcement that a fault was struck: (time, number of the call, its name)."""

    def __init__(self):
        self.lines = Lines("the renewal")
        self._announced = None
        self._lock = threading.Lock()  # it and what it wakes are one
        self._seen = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._threads = []

    def close(self):
        for thread in self._threads:
            thread.join(5)
        os.close(self._wake)

    def listen(self, name):
        """A callback for the lines of the program `name`."""

        def on_line(moment, text):
            match = re.search(ANNOUNCEMENT, text)
            with self._lock:
                if match and not self._announced:
                    self._announced = (moment, int(match[1]), match[2])
                    os.eventfd_write(self._wake, 1)
            self.lines.append(f"{name}: {text}")

        return on_line

    def watch(self, name, pid):
        """Says "NAME is over" when the process ends."""

        def watch():
            wait_for_end(pid, None)
            self.lines.append(f"{name} is over")

        thread = threading.Thread(target=watch, name=f"end of {name}", daemon=True)
        thread.start()
        self._threads.append(thread)

    def readable(self, connection, timeout):
        """Whether there is something to read, before a fault is announced and in that time."""
        ready, _, _ = select.select([connection, self._wake], [], [], timeout)
        return connection in ready

    def take(self):
        """The announcement, once; from then on it wakes nobody. None before it, and after."""
        with self._lock:
            if self._seen or not self._announced:
                return None
            self._seen = True
            os.eventfd_read(self._wake)
            return self._announced

    def wait(self, pattern, start, timeout):
        """
        The (time, match) of the first line since number `start`, or None when a fault is announced
        or the time is up.
        """
        if not self._seen:
            pattern = f"{pattern}|{ANNOUNCEMENT}"
        try:
            moment, match = self.lines.wait_for_entry(pattern, start, timeout)
        except AssertionError:
            return None
        return None if "inject: " in match.string else (moment, match)

    def now(self):
        return len(self.lines)

    def tail(self, count=60):
        now = time.monotonic()
        return "\n".join(f"{t - now:9.3f} {text}" for t, text in self.lines.entries()[-count:])
