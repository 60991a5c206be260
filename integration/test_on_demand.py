# SPDX-License-Identifier: GPL-2.0-or-later
"""A keeper that nobody started: the first who needs one does, and it leaves by itself."""

import os
import time

import pytest
from lab import network
from lab.lab import HOST4
from lab.methods import BOTH_METHODS
from lab.production import Production
from lab.wicket import PREFIX, Wicket, new_challenge

pytestmark = BOTH_METHODS


def test_two_hooks_at_the_same_moment(make_lab):
    """End up with one keeper, however the race ends."""
    for _ in range(8):
        lab = make_lab()
        Production(lab)
        wicket = Wicket(lab)
        challenges = [new_challenge() for _ in range(4)]
        hooks = [
            lab.host.start(*wicket.command("add", key_authorization), name=f"hook {number}")
            for number, (_, key_authorization) in enumerate(challenges)
        ]
        for hook in hooks:
            assert hook.wait_output() == 0, hook.output.text()
        assert len(wicket.keepers()) == 1
        ready = [text for _, text in lab.journal.lines.entries() if text.endswith(": ready")]
        assert len(ready) == 1
        for token, key_authorization in challenges:
            answer = network.get(lab.outside, HOST4, PREFIX + token)
            assert answer.body == key_authorization.encode()
        lab.destroy()


def test_caller_is_not_held_up(lab, production, wicket):
    """certbot reads its hook's pipes to the end: the keeper must not hold them."""
    challenge = new_challenge()
    began = time.monotonic()
    # run() waits until everybody has closed standard output and error.
    wicket.hook("auth", challenge)
    took = time.monotonic() - began
    (keeper,) = wicket.keepers()
    assert took < 3
    for descriptor in range(3):
        assert os.readlink(f"/proc/{keeper}/fd/{descriptor}") == "/dev/null"
    wicket.hook("cleanup", challenge)
    wicket.wait_gone()


def test_keeper_is_nobodys_child(lab, production, wicket):
    """In a session of its own, in /, with nothing of the caller's environment or files."""
    token, key_authorization = new_challenge()
    wicket.run("add", key_authorization, environment={"SECRET": "of the caller"})
    (keeper,) = wicket.keepers()
    stat = open(f"/proc/{keeper}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
    assert int(stat[1]) == lab.host.init_pid
    assert int(stat[4]) == 0  # no terminal
    environment = open(f"/proc/{keeper}/environ", "rb").read()
    assert b"SECRET" not in environment
    wicket.run("remove", token)
    wicket.wait_gone()


def test_one_keeper_serves_many_hooks(lab, production, wicket):
    """It stays while there is something to do and some seconds more, then it is started anew."""
    first, _ = wicket.add()
    pid = wicket.status()["pid"]
    second, _ = wicket.add()
    wicket.run("remove", first)
    wicket.run("remove", second)
    third, _ = wicket.add()
    assert wicket.status()["pid"] == pid
    wicket.run("remove", third)
    wicket.wait_gone()
    assert wicket.status() == {"version": 1, "running": False}
    fourth, _ = wicket.add()
    assert wicket.status()["pid"] != pid
    wicket.run("remove", fourth)
    wicket.wait_gone()


def test_hooks_that_meet_a_leaving_keeper(lab, production, wicket):
    """Each finds a keeper, be it the one that was leaving or the next."""
    for _ in range(2):
        token, _ = wicket.add()
        wicket.run("remove", token)
        seen = len(lab.journal.lines)
        lab.journal.lines.wait_for("nothing is pending, leaving", seen)
        token, key_authorization = wicket.add()
        answer = network.get(lab.outside, HOST4, PREFIX + token)
        assert answer.body == key_authorization.encode()
        wicket.run("remove", token)
    wicket.wait_gone()


def test_without_syslog(make_lab):
    """Where nobody listens at /dev/log the keeper's words are in a file."""
    lab = make_lab(syslog=False)
    Production(lab)
    wicket = Wicket(lab)
    token, _ = wicket.add()
    wicket.run("remove", token)
    text = lab.host.path("/run/wicket/keeper.log").read_text()
    assert "wicket-keeper: ready\n" in text
    assert f"token {token} registered" in text
    wicket.wait_gone()


def test_failed_start_is_told(lab, production, wicket):
    """Also from a keeper that was started on demand, to who started it."""
    wicket.configure("responder:\n  user: nobody-of-that-name\n")
    failed = wicket.run("add", new_challenge()[1], check=False)
    assert failed.returncode == 78
    assert "nobody-of-that-name" in failed.stderr
    wicket.assert_gone()


@pytest.mark.parametrize("command", [["status"], ["close"], ["remove", "token"]])
def test_some_commands_start_nothing(lab, production, wicket, command):
    wicket.run(*command)
    assert wicket.keepers() == []
    wicket.assert_gone()
