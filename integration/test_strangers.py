# SPDX-License-Identifier: GPL-2.0-or-later
"""Strangers who mean harm, in small. integration/strangers does the same for as long as one likes."""

import pytest
from lab import strangers

SECONDS = 5  # for each kind


@pytest.mark.parametrize("mode", strangers.MODES)
@pytest.mark.parametrize("name", strangers.KINDS)
def test_a_validator_does_not_notice(lab, tell, mode, name):
    record = strangers.run(lab, mode, name, SECONDS)
    tell("\n    ".join(strangers.describe(record)))
    assert record["wrong"] == []
    came = record["came"]
    if name not in ("slow", "idle"):
        return
    if mode == "pass":
        # All of them are let in, none is turned away.
        assert came["at_once"] == came["connected"] == strangers.KINDS[name].parallel
    else:
        # Who is one too many has to leave, but nobody waits at the door.
        assert came["closed"] + came["reset"] > 1000
        assert came["timeout"] == came["refused"] == 0


def test_a_validator_who_waits_is_noticed(lab, wicket, production):
    """The judge of all this: no answer, a wrong one, or a late one is a violation."""
    wicket.turn_away()
    challenge = wicket.add()
    route = (strangers.VALIDATORS4[0], strangers.HOST4)
    right = strangers.Validator(lab, route, challenge)
    right.once()
    assert (right.answers, right.wrong) == (1, [])
    wrong = strangers.Validator(lab, route, (challenge[0], "another"))
    wrong.once()
    assert (wrong.answers, len(wrong.wrong)) == (0, 1)
    # The second to come within a second has to knock twice.
    lab.host.nft(
        "table inet slow {\nchain in {\ntype filter hook input priority -200\n"
        f"ip saddr {route[0]} tcp flags & (syn|ack) == syn limit rate over 70/minute burst 1 packets"
        " drop\n}\n}\n"
    )
    right.once()
    right.once()
    assert right.answers == 2
    assert [line for line in right.wrong if "waited 1." in line] == right.wrong != []
    wicket.run("remove", challenge[0])


def test_who_grows_is_noticed():
    start = strangers.Usage(1000, 2000, 10, 0.0)
    watch = strangers.Watch.__new__(strangers.Watch)
    for peak, end, wrong in (
        (start, start, 0),
        (start._replace(private_kb=strangers.MEMORY_KB + 1), start, 1),
        (start, start._replace(private_kb=start.private_kb + strangers.GAINED_KB + 1), 1),
        (start, start._replace(descriptors=11), 1),
    ):
        watch.start, watch.peak = start, peak
        assert len(list(watch.wrong("responder", end))) == wrong


def test_too_few_are_noticed():
    kind = strangers.KINDS["fresh"]
    came = {"connected": 499, "no_port": 0}
    assert list(strangers.enough("fresh", kind, 5, came))
    assert not list(strangers.enough("fresh", kind, 5, {**came, "connected": 500}))
    assert list(strangers.enough("fresh", kind, 5, {"connected": 9999, "no_port": 1}))
    assert list(strangers.enough("slow", strangers.KINDS["slow"], 5, {**came, "connected": 2000}))
