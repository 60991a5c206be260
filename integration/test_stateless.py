# SPDX-License-Identifier: GPL-2.0-or-later
"""Stateless answers: every token, for one account, while a window is open by hand."""

import os
import signal
import time

from lab import network
from lab.lab import HOST4, HOST6
from lab.wicket import PREFIX, THUMBPRINT, answered_by, challenge_answered

OTHER = THUMBPRINT[::-1]
TOKEN = "0123456789012345678901"  # the shortest that 128 bits fit in
CONFIG = f"tokens:\n  stateless: [{THUMBPRINT}]\n"


def ask(lab, token, address=HOST4):
    answer = network.get(lab.outside, address, PREFIX + token)
    assert answer.server == "responder"
    return answer


def assert_answered(lab, token=TOKEN):
    for address in (HOST4, HOST6):
        answer = ask(lab, token, address)
        assert (answer.status, answer.body) == (200, f"{token}.{THUMBPRINT}".encode())


def test_window_by_hand(lab, production, wicket):
    wicket.turn_away(CONFIG)
    wicket.run("open", "--for", "1m")
    assert wicket.status()["stateless"] is True
    assert_answered(lab)
    assert_answered(lab, "x" * 256)
    for token in (TOKEN[1:], "x" * 257, TOKEN + "%41", TOKEN + "?", TOKEN + "/", "." + TOKEN):
        answer = ask(lab, token)
        assert answer.status in (400, 404)
        assert THUMBPRINT.encode() not in answer.body
    assert ask(lab, "../" + TOKEN).status in (400, 404)
    # Four answers went out, and each is told as the validation it may have been.
    assert wicket.status()["counters"]["validations"] == 4
    wicket.run("close")
    answered_by(lab, "production", HOST4, PREFIX + TOKEN)
    wicket.wait_gone()


def test_registered_token_wins(lab, production, wicket):
    wicket.turn_away(CONFIG)
    wicket.run("open")
    wicket.run("add", f"{TOKEN}.{OTHER}")
    assert ask(lab, TOKEN).body == f"{TOKEN}.{OTHER}".encode()
    wicket.run("remove", TOKEN)
    assert_answered(lab)


def test_not_for_a_token_alone(lab, production, wicket):
    """A window that a registered token opens answers that token; no other."""
    wicket.turn_away(CONFIG)
    token, key_authorization = wicket.add()
    assert ask(lab, TOKEN).status == 404
    assert wicket.status()["stateless"] is False
    wicket.run("open")
    assert_answered(lab)
    wicket.run("close")
    assert ask(lab, TOKEN).status == 404
    assert ask(lab, token).body == key_authorization.encode()


def test_run_open(lab, production, wicket):
    wicket.turn_away(CONFIG)
    run = lab.host.start(*wicket.command("run", "--open", "--", "sh", "-c", "echo up; exec tail -f /dev/null"))
    run.output.wait_for("^up$")
    assert_answered(lab)
    run.signal(signal.SIGTERM)
    answered_by(lab, "production", HOST4, PREFIX + TOKEN)


def test_without_the_key(lab, production, wicket):
    wicket.turn_away()
    wicket.run("open")
    assert ask(lab, TOKEN).status == 404


def test_survives_a_responder(lab, production, wicket):
    """The responder that follows a dead one is told again."""
    wicket.turn_away(CONFIG)
    wicket.run("open")
    os.kill(wicket.responder(), signal.SIGKILL)
    for address in (HOST4, HOST6):
        challenge_answered(lab, (TOKEN, f"{TOKEN}.{THUMBPRINT}"), address, time.monotonic())
