# SPDX-License-Identifier: GPL-2.0-or-later
"""
Which faults: first evenly over every step and all of its calls; then at random, half of them in
calls, half at moments when the programs are as installed.
"""

import random
import time

from . import seam
from .course import Course
from .kinds import KINDS, STEPS, Kind
from .trial import Fault, clean_up

REHEARSALS = 2
SYSTEMATIC = 0.5  # of all
OUTSIDE = 0.5  # of those at random: struck from outside, at a build with fences
LONG_STEP = "draining"
LONG_STEP_S = 4
LONG_SHARE = 0.3


class Rehearsal(Course):
    """A renewal without a fault, to learn how many calls of a kind each step has."""

    def __init__(self, ground, calls):
        kind = Kind("none", "keeper", 0, 0)
        super().__init__(ground, Fault(-1, kind, "", 0, 1, True, True))
        self._calls = calls
        self.counts = {}
        self.seconds = {}

    def walk(self):
        for step in STEPS:
            for one in self.ground.seams.values() if self._calls else ():
                one.arm(self._calls, seam.NOTE, strikes=0)
            self.step = step
            began = time.monotonic()
            getattr(self, step.replace("-", "_"))()
            self.seconds[step] = time.monotonic() - began
            for name, one in self.ground.seams.items():
                self.counts[name, self._calls, step] = one.calls


def _rehearse(ground, calls):
    course = Rehearsal(ground, calls)
    try:
        course.walk()
        clean_up(course)
    finally:
        course.close()
    return course


def rehearse_in_time(ground):
    """{step: seconds}, of programs as installed."""
    return {**_rehearse(ground, 0).seconds, LONG_STEP: LONG_STEP_S}


def rehearse(ground):
    """{(whose, calls, step): number of calls}, the least of several times."""
    counts = {}
    for calls in REHEARSALS * sorted({kind.calls for kind in KINDS}):
        course = _rehearse(ground, calls)
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


def plan(counts, seconds, count, seed):
    """Faults without end. `count` of them are enough if each finds something to strike."""
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
    moments = [(kind, step) for kind in KINDS if kind.is_from_outside for step in kind.steps]
    serial = 0
    while True:
        skip, strikes, after = 0, 1, None
        if serial < len(systematic):
            kind, step, skip, strikes = systematic[serial]
        elif dice.random() < OUTSIDE:
            kind, step = dice.choice(moments)
            after = dice.random() * seconds[step]
        else:
            kind, step, number = dice.choice(targets)
            skip, strikes = dice.randrange(number), dice.choice(kind.strikes)
        if serial >= len(systematic) and step == LONG_STEP and dice.random() > LONG_SHARE:
            continue
        passes = step == "passing" or dice.random() < 0.4
        yield Fault(serial, kind, step, skip, strikes, passes, dice.random() < 0.5, after)
        serial += 1
