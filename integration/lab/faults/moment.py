# SPDX-License-Identifier: GPL-2.0-or-later
"""
How a fault gets at a program that is as installed, fences and all: from outside, at a moment that
the program's calls know nothing of. Stands in for a Seam.
"""

import threading

from .acts import GONE


class Moment:
    prefix = ()
    calls = 0

    def __init__(self):
        self._timer = None
        #: Whether the fault was struck.
        self.struck = 0

    def arm_at(self, seconds, strike):
        """Strikes then, unless there is nobody to be struck."""
        self.disarm()
        self.struck = 0
        self._timer = threading.Timer(seconds, self._fire, [strike])
        self._timer.start()

    def _fire(self, strike):
        self.struck = 1  # before its consequences
        try:
            strike()
        except GONE:
            self.struck = 0

    def disarm(self):
        if self._timer:
            self._timer.cancel()
            self._timer.join()
            self._timer = None

    def step_clock(self, _):
        """Nobody can."""

    def close(self):
        self.disarm()
