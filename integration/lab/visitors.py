# SPDX-License-Identifier: GPL-2.0-or-later
"""A steady trickle of visitors to port 80."""

import itertools
import threading
import time
from collections import Counter
from dataclasses import dataclass

from . import network


@dataclass
class Visit:
    began: float  # time.monotonic()
    ended: float
    source: str
    address: str
    answer: network.Answer


class Visitors:
    """
    Each thread asks for the page of one address after another, over a new connection each, about
    `rate` times a second. Use as a context.
    """

    def __init__(self, host, routes, rate=40, on_visit=None):
        """`routes`: (from, to) addresses, taken in turn."""
        self._host = host
        self._routes = list(routes)
        self._pace = len(self._routes) / rate
        self._on_visit = on_visit
        self._visits = []
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._go, args=(route,), name="visitor", daemon=True)
            for route in self._routes
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(15)

    def _go(self, route):
        source, address = route
        for number in itertools.count():
            began = time.monotonic()
            answer = network.get(self._host, address, f"/?{number}", source=source)
            visit = Visit(began, time.monotonic(), source, address, answer)
            with self._changed:
                self._visits.append(visit)
                self._changed.notify_all()
            if self._on_visit:
                self._on_visit(visit)
            # The pace of the trickle.
            if self._stop.wait(max(0, began + self._pace - time.monotonic())):
                return

    def visits(self, since=0.0, until=float("inf")):
        """Those that lie between the two moments."""
        with self._lock:
            return [v for v in self._visits if v.began >= since and v.ended <= until]

    def wait_for(self, condition, since=0.0, timeout=15):
        """The first visit that began at `since` or later for which `condition` holds."""
        deadline = time.monotonic() + timeout
        position = 0
        with self._changed:
            while True:
                for visit in self._visits[position:]:
                    if visit.began >= since and condition(visit):
                        return visit
                position = len(self._visits)
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"no such visit in {timeout} s: {self.tally(since)}")
                self._changed.wait(left)

    def tally(self, since=0.0, until=float("inf")):
        """How many got what: {"production 200": 12, "responder 404": 3, …}."""
        return Counter(
            f"{v.answer.server} {v.answer.status}" if v.answer.status else v.answer.error
            for v in self.visits(since, until)
        )
