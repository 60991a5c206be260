# SPDX-License-Identifier: GPL-2.0-or-later
"""One fault, and whether every promise was kept."""

import contextlib
import os
import re
import signal
import time
from dataclasses import dataclass

from ..process import wait_for_end
from . import acts
from .course import PATIENCE_S, Course, Ended
from .ground import GONE_S, Violation
from .kinds import Kind
from .logfile import LOST


@dataclass(frozen=True)
class Fault:
    """`passes`: visitors are passed on; else they are turned away, and tell who has port 80."""

    number: int
    kind: Kind
    step: str  # of the renewal, from which on calls are counted
    skip: int
    strikes: int
    passes: bool
    resumes: bool  # what was stopped goes on in the end; else it is killed
    #: Instead of in a call: seconds after the step began, at a build with fences.
    after: float | None = None


def run(ground, fault):
    """The record of the fault, or None when no call came that it could strike. Else: Violation."""
    course = Course(ground, fault)
    try:
        try:
            course.walk()
        except Ended:
            _end(course)
        clean_up(course)
        _judge(course)
        if not course.struck:
            return None
        return {
            "fault": fault.kind.name,
            "step": course.struck.step,
            "call": course.struck.call,
            "fenced": fault.after is not None,
            "cut": course.cut,
            "right_s": course.right_s,
            "back_s": course.back_s,
        }
    except AssertionError as error:
        raise Violation(f"{error}\n{course.events.tail()}") from error
    finally:
        course.close()


def _end(course):
    """What the fault has ended is over: port 80 is production's."""
    kind = course.kind
    killed = kind.name == "keeper SIGKILL"
    successors = []

    def is_back(answer):
        # A hook that had not been greeted yet starts another keeper, and goes on with that.
        if killed and answer.server != "production" and course.is_right(answer):
            successors.extend(course.ground.running("wicket-keeper"))
        return course.is_back(answer) or bool(successors)

    took = course.until(is_back, course.struck.moment, kind.back, "production is not back")
    if not successors:
        course.back_s = took
    if killed:
        _bury(course)
    elif kind.name == "keeper SIGSTOP":
        # When leaving at once it may have ended them before.
        if course.struck.step != "leaving":
            course.assert_passed_on()
        if course.fault.resumes:
            course.keeper.signal(signal.SIGCONT)
        else:
            course.keeper.signal(signal.SIGKILL)
            _bury(course)


def _bury(course):
    """The keeper was killed: the responder goes too, and whoever passed through it is cut."""
    course.keeper.wait()
    if course.passed:
        course.ground.wait_gone(course.responder)
    for visitor in course.passed:
        if not visitor.is_cut(speaks=True):
            raise Violation(f"a visitor who was passed ({visitor.PATH}) hangs")
        course.cut += 1
        visitor.close()
    course.passed.clear()


def clean_up(course):
    """The fault is over; who was stopped goes on, and everything comes to its end."""
    ground = course.ground
    for seam in ground.seams.values():
        seam.disarm()
        seam.step_clock(0)
    acts.lift(course)
    ground.make_room()
    for pid in ground.running():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    if course.client:
        course.client.signal(signal.SIGCONT)
        course.go_on()
        course.line.close()
        course.client.wait_output(PATIENCE_S)
    ground.wait_gone(ground.running("wicket"), PATIENCE_S)
    if ground.running("wicket-keeper") and course.pending:
        ground.wicket.run("remove", course.challenge[0])
        course.pending = False
        course.until_back(time.monotonic(), course.kind.back)
    course.pending = False
    ground.over.append(course.challenge)
    ground.assert_not_served(ground.over)
    _leave(course)
    if course.log:
        _assert_lost(course)
    ground.end_keepers()


def _assert_lost(course):
    """The keeper says how many lines its log did not take."""
    course.log.close()
    # From shutting on the last line may have been written before.
    was_full = course.struck and course.struck.step in ("opening", "serving", "passing", "re-arming")
    if was_full and not re.search(LOST, course.events.lines.text()):
        raise Violation("lines of the log are lost, and nobody says so")


def _leave(course):
    """The keeper, if it is still there: at once, without its drain."""
    for _ in range(3):
        if course.keeper.returncode is not None:
            break
        start = course.events.now()
        course.keeper.signal(signal.SIGTERM)
        course.wait("signal 15 from|keeper is over", start, GONE_S)
    if course.keeper.returncode is None and not wait_for_end(course.keeper.pid, GONE_S):
        raise Violation(f"the keeper does not leave\n{course.ground.whereabouts()}")
    course.keeper.wait(GONE_S)


def _judge(course):
    status = course.keeper.returncode
    fine = {0}
    if course.struck and course.kind.name in ("keeper SIGKILL", "keeper SIGSTOP"):
        fine.add(-signal.SIGKILL)
    if course.struck and course.struck.step == "starting":
        fine.add(-signal.SIGTERM)  # it was not ready for ours yet
        if course.kind.name in ("keeper ENOMEM", "keeper memory limit"):
            fine.add(-signal.SIGSEGV)  # the C library looks up accounts without looking at NULL
    if status < 0 and status not in fine:
        raise Violation(f"the keeper was ended by signal {-status}")
    died = re.search(r"responder was killed by signal (?!9\b)\d+", course.events.lines.text())
    if died:
        raise Violation(died[0])
    ground = course.ground
    ground.assert_no_rules()
    ground.assert_undisturbed()
    ground.renew()
    ground.assert_no_traces()
