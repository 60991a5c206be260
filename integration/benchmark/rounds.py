# SPDX-License-Identifier: GPL-2.0-or-later
"""
The order of things: round by round, measure by measure, one contender right after the other, so
that what changes on the machine changes for all of them.
"""

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path

from lab import programs
from lab.lab import Lab

from . import contender
from .cores import busy_by_others
from .course import Course
from .report import summarize, summary
from .wrong import Wrong


def in_turn(entered, number):
    """Each begins as often as any other."""
    first = number % len(entered)
    return entered[first:] + entered[:first]


def measured(measure, course, contender):
    """Its metrics; the contender is there for that only."""
    try:
        if not measure.starts:
            contender.start(measure.setting)
        return measure.run(course, contender)
    finally:
        contender.stop()


@contextlib.contextmanager
def telling(part, measure, contender):
    """Whatever goes wrong has the name of who was measured, and of what was."""
    where = f"{part.key}, {measure.key}, {contender.name}"
    try:
        yield
    except (Wrong, AssertionError) as error:  # the lab asserts
        what = str(error).removeprefix(f"{contender.name}: ")
        raise Wrong(f"{where}: {what}") from error
    except Exception as error:
        error.add_note(f"That was {where}.")
        raise


def measure_all(part, course, entered, progress):
    """[metric][contender][round] = value; and how busy others were, before each round."""
    values = {}
    others = []
    options = course.options
    chosen = [one for one in part.measures if not options.only or one.key in options.only]
    for number in range(part.rounds(options.rounds)):
        others.append(busy_by_others())
        for measure in chosen:
            count = measure.rounds(options.rounds)
            if number >= count:
                continue
            for one in in_turn([one for one in entered if measure.takes(one)], number):
                progress.tell(
                    f"{part.key}: round {number + 1} of {count}: {one.name}: " f"{measure.title}"
                )
                with telling(part, measure, one):
                    found = measured(measure, course, one)
                for name, value in found.items():
                    values.setdefault(name, {}).setdefault(one.name, {})[number] = value
    return values, others


def _remove_left():
    """The files of a run that was killed. Of a lab, these alone outlive that."""
    for path in programs.WORK.glob("benchmark-*"):
        if not Path(f"/proc/{path.name.split('-')[1]}").exists():
            shutil.rmtree(path)


def write_back(directory):
    """
    To the disk. Until then the pages of a program that was just installed are dirty, and would be
    taken for memory that it has written to.
    """
    for path in directory.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


@contextlib.contextmanager
def workplace():
    """The programs, installed, and a directory for labs; both end with it."""
    programs.WORK.mkdir(parents=True, exist_ok=True)
    _remove_left()
    own = f"benchmark-{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=own, dir=programs.WORK) as work:
        Path(work).chmod(0o755)
        installed = programs.install(Path(work) / "programs")
        write_back(installed)
        yield installed, work


def run(part, place, cores, options, progress):
    """The record of a part, in a lab that ends with it."""
    progress.tell(f"{part.key}: preparing the lab")
    began = time.monotonic()
    lab = Lab(*place)
    try:
        course = Course(lab, cores, options)
        entered = contender.make(part.contenders, course, options.contender)
        values, others = measure_all(part, course, entered, progress)
        return {
            "ours": part.ours,
            "contenders": {one.name: one.describe for one in entered},
            "results": summarize(part, values),
            "busy_by_others": summary(others),
            "took_s": time.monotonic() - began,
        }
    finally:
        progress.end()
        lab.destroy()
