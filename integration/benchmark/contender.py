# SPDX-License-Identifier: GPL-2.0-or-later
"""
Who is compared. Each is there only while it is measured, so that none is slowed down by another's:
rules and connection tracking above all.
"""

from lab.lab import OUTSIDE4

from .part import Setting


class Contender:
    """`describe`: what it is, in a few words, for the report."""

    name = ""
    describe = ""
    port = 80
    passes = False  # visitors on to production

    def __init__(self, course, sources):
        self.course = course
        self.lab = course.lab
        self.cores = course.cores
        # Addresses of visitors, of this contender alone: a port that another's visitor has just
        # used may still be in a server's TIME_WAIT.
        self.sources = sources

    def start(self, setting=Setting()):
        """Ready for visitors, and proved to be."""
        self._start(setting)
        self._check(setting)

    def stop(self):
        """As if it had never been there."""

    def pids(self):
        """Its processes."""
        return []

    def _start(self, setting):
        pass

    def _check(self, setting):
        pass


SOURCES_EACH = 8
PREFIX = OUTSIDE4.rsplit(".", 1)[0]
FIRST_SOURCE = 120  # after the lab's own visitors


def make(kinds, course, names=None):
    """Those of these names (all of them), in the order of `kinds`, with their visitors' addresses."""
    made = []
    for number, kind in enumerate(kinds):
        first = FIRST_SOURCE + number * SOURCES_EACH
        assert first + SOURCES_EACH <= 255, "the wire has no more addresses"
        sources = [f"{PREFIX}.{first + i}" for i in range(SOURCES_EACH)]
        if names is None or kind.name in names:
            course.lab.outside.ip(*[f"addr add {source}/24 dev wire" for source in sources])
            made.append(kind(course, sources))
    return made
