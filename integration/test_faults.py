# SPDX-License-Identifier: GPL-2.0-or-later
"""
Faults at every step of a renewal, in small: integration/faults strikes thousands of them, here are
some, others in every run. And that a promise which is not kept is found out.
"""

import dataclasses
import random
import time

import pytest
from lab import programs
from lab.faults import report, rows, seam, trial, workers
from lab.faults.course import Course
from lab.faults.ground import Ground, Violation
from lab.faults.kinds import KINDS

FAULTS = 60


@pytest.fixture(scope="module")
def ground(work):
    one = Ground(seam.install(work / "programs-for-faults"), work, "apache")
    yield one
    one.destroy(keep=False)


@pytest.fixture(scope="module")
def fenced(work):
    one = Ground(programs.install(work / "programs-with-fences"), work, "apache", fenced=True)
    yield one
    one.destroy(keep=False)


def kind(name):
    return next(one for one in KINDS if one.name == name)


def strike(ground, what, step, skip=0, strikes=1, *, passes=False, after=None):
    return trial.run(ground, trial.Fault(0, what, step, skip, strikes, passes, True, after))


def test_faults(tell):
    seed = random.SystemRandom().randrange(1 << 32)
    tell(f"integration/faults --faults {FAULTS} --seed {seed}")
    record = workers.run(FAULTS, seed, jobs=4)
    tell("\n    ".join(report.table(record)))
    assert record["violations"] == []
    assert record["count"] >= FAULTS


@pytest.mark.parametrize("strikes", [2, 5])
def test_a_refused_shut_is_tried_again(ground, strikes):
    """Port 80 does not have to wait for the end of the lease."""
    record = strike(ground, kind("netlink send ENOBUFS"), "shutting", strikes=strikes)
    assert (record["step"], record["call"]) == ("shutting", "sendto")
    assert max(record["right_s"], record["back_s"]) < rows.LEASE / 2


def test_who_is_passed_does_not_hang_with_the_responder(fenced):
    """It is found out also when the window shuts before its silence has lasted for a lease."""
    assert strike(fenced, kind("responder SIGSTOP"), "re-arming", passes=True, after=0)["cut"]


def test_a_log_that_is_full_goes_on(ground):
    assert strike(ground, kind("disk of the log full"), "opening")["fault"]


@pytest.mark.parametrize("direction", ["forward", "back"])
def test_a_file_outlives_a_step_of_the_clock(ground, direction):
    record = strike(ground, kind(f"clock {direction}, token as a file"), "re-arming")
    assert record["right_s"] < rows.LEASE / 3


def test_harm_is_found_out(ground):
    """Where a fault is to do none, production is no right answer while a token is pending."""
    harmless = dataclasses.replace(kind("responder SIGSTOP"), right=rows.AT_ONCE, serves=True)
    with pytest.raises(Violation, match="nobody answers rightly"):
        strike(ground, harmless, "serving")
    ground.sweep()


def test_being_late_is_found_out(ground):
    """A keeper that was stopped gives port 80 back with the lease, and no sooner."""
    hasty = dataclasses.replace(kind("keeper SIGSTOP"), back=rows.AT_ONCE)
    with pytest.raises(Violation, match="production is not back"):
        strike(ground, hasty, "serving")
    ground.sweep()


def test_a_late_answer_is_found_out(ground):
    """Also where it is right, and no wrong one was seen in the meantime."""
    course = Course(ground, trial.Fault(0, kind("keeper SIGSTOP"), "", 0, 1, False, True))
    late = time.monotonic() - rows.LEASE - rows.MARGIN
    try:
        with pytest.raises(Violation, match="or only after"):
            course.until(lambda answer: answer.server == "production", late, rows.LEASE, "nothing")
    finally:
        course.close()


def test_a_trace_is_found_out(ground):
    ground.assert_no_traces()
    ground.host.path("/run/wicket/left").write_text("")
    with pytest.raises(Violation, match="files are not as before"):
        ground.assert_no_traces()
    ground.host.path("/run/wicket/left").unlink()
    ground.host.nft("table inet left {}\n")
    with pytest.raises(Violation, match="rules are not as before"):
        ground.assert_no_traces()
    ground.host.nft("delete table inet left\n")
    left = ground.host.start("unshare", "--net", "sh", "-c", "echo up; kill -STOP $$")
    left.output.wait_for("up")
    with pytest.raises(Violation, match="processes are not as before"):
        ground.assert_no_traces()
    left.signal(9)
    left.wait()
    ground.assert_no_traces()


def test_a_token_that_goes_on_is_found_out(ground):
    keeper = ground.wicket.serve()
    challenge = ground.wicket.add()
    with pytest.raises(Violation, match="served after its end"):
        ground.assert_not_served([challenge])
    ground.wicket.run("remove", challenge[0])
    ground.assert_not_served([challenge])
    ground.wicket.leave(keeper)
