# SPDX-License-Identifier: GPL-2.0-or-later
"""Which faults, in which calls: first evenly over every step and all of its calls, then at random."""

import random

from . import seam
from .course import Course
from .kinds import KINDS, STEPS, Kind
from .trial import Fault, clean_up

REHEARSALS = 2
SYSTEMATIC = 0.5  # of all
LONG_STEP = "draining"  # lasts for seconds
LONG_SHARE = 0.3


class Rehearsal(Course):
    """A renewal without a fault, to learn how many calls of a kind each step has."""

    def __init__(self, ground, calls):
        kind = Kind("none", "keeper", 0, 0)
        super().__init__(ground, Fault(-1, kind, "", 0, 1, True, True))
        self._calls = calls
        self.counts = {}

    def walk(self):
        for step in STEPS:
            for one in self.ground.seams.values():
                one.arm(self._calls, seam.NOTE, strikes=0)
            self.step = step
            getattr(self, step.replace("-", "_"))()
            for name, one in self.ground.seams.items():
                self.counts[name, self._calls, step] = one.calls


def rehearse(ground):
    """{(whose, calls, step): number of calls}, the least of several times."""
    counts = {}
    for calls in REHEARSALS * sorted({kind.calls for kind in KINDS}):
        course = Rehearsal(ground, calls)
        try:
            course.walk()
            clean_up(course)
        finally:
            course.close()
        for key, number in course.counts.items():
            counts[key] = min(number, counts.get(key, number))
    return counts


def _targets(counts):
    """(kind, step, number of calls)"""
    for kind in KINDS:
        for step in kind.steps:
            number = counts[kind.whose, kind.calls, step]
            if number:
                yield kind, step, number


def plan(counts, count, seed):
    """Faults without end. `count` of them are enough if each finds a call to strike."""
    dice = random.Random(seed)
    targets = list(_targets(counts))
    systematic = []
    rounds = max(1, round(count * SYSTEMATIC / len(targets)))
    for turn in range(rounds):
        for kind, step, number in targets:
            if step != LONG_STEP or dice.random() < LONG_SHARE:
                skip = int((turn + 0.5) / rounds * number)
                systematic.append((kind, step, skip, kind.strikes[turn % len(kind.strikes)]))
    if len(systematic) > count:  # a short run takes some of each kind
        systematic = dice.sample(systematic, round(count * SYSTEMATIC))
    dice.shuffle(systematic)
    serial = 0
    while True:
        if serial < len(systematic):
            kind, step, skip, strikes = systematic[serial]
        else:
            kind, step, number = dice.choice(targets)
            if step == LONG_STEP and dice.random() > LONG_SHARE:
                continue
            skip, strikes = dice.randrange(number), dice.choice(kind.strikes)
        passes = step == "passing" or dice.random() < 0.4
        yield Fault(serial, kind, step, skip, strikes, passes, dice.random() < 0.5)
        serial += 1
