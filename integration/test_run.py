# SPDX-License-Identifier: GPL-2.0-or-later
"""`wicket run`, and `wicket status` as programs and people read it."""

import signal

import pytest
from lab import network
from lab.lab import HOST4, HOST6, VALIDATORS4
from lab.wicket import PREFIX, answered_by


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["true"], 0),
        (["sh", "-c", "exit 7"], 7),
        (["sh", "-c", "kill -TERM $$"], 128 + signal.SIGTERM),
        (["sh", "-c", "kill -KILL $$"], 128 + signal.SIGKILL),
        (["/mnt"], 126),
        (["no-such-program"], 127),
    ],
    ids=["0", "7", "SIGTERM", "SIGKILL", "not executable", "not found"],
)
def test_exit_status(lab, production, wicket, command, status):
    assert wicket.run("run", "--", *command, check=False).returncode == status


def test_streams_and_environment(lab, production, wicket):
    """COMMAND has the caller's streams; the webroot is there and named."""
    script = 'cat; echo "$WICKET_WEBROOT"; test -d "$WICKET_WEBROOT" && echo there; echo err >&2'
    result = wicket.run("run", "--", "sh", "-c", script, stdin="from the caller\n")
    assert result.stdout == "from the caller\n/var/lib/wicket/webroot\nthere\n"
    first, last = result.stderr.splitlines()
    assert first == "err"
    assert "no window was opened" in last


def test_it_only_arms(lab, production, wicket):
    """No token, no window."""
    script = "wicket status --json; echo ready; read -r line"
    run = lab.host.popen(
        wicket.command("run", "--", "sh", "-c", script), stdin=-1, stdout=-1, stderr=-1, text=True
    )
    while (line := run.stdout.readline()) != "ready\n":
        assert '"state":"armed"' in line
        assert '"runs":1' in line
    for address in (HOST4, HOST6):
        assert network.get(lab.outside, address).server == "production"
    _, err = run.communicate("go on\n", 10)
    assert run.returncode == 0
    assert "no window was opened" in err


def test_report(lab, production, wicket):
    """One line in the end: how long, how many, from where, and who was turned away."""
    wicket.turn_away()
    script = "$WICKET add $KEY && echo ready && read -r line; $WICKET remove $TOKEN"
    token = "token-of-the-report"
    key = f"{token}.{'a' * 43}"
    run = lab.host.popen(
        wicket.command("run", "--", "sh", "-c", script),
        environment={"KEY": key, "TOKEN": token, "WICKET": " ".join(wicket.command())},
        **{"stdin": -1, "stdout": -1, "stderr": -1, "text": True},
    )
    while (line := run.stdout.readline()) != "ready\n":
        assert line
    for source in VALIDATORS4[:2]:
        assert network.get(lab.outside, HOST4, PREFIX + token, source=source).status == 200
    assert network.get(lab.outside, HOST4, "/").status == 404
    _, err = run.communicate("go on\n", 15)
    assert run.returncode == 0
    last = err.splitlines()[-1]
    assert "window open " in last
    assert "1 token, 2 validations from 2 addresses, 1 other request turned away" in last


def test_open_for_as_long_as_it_runs(lab, production, wicket):
    wicket.turn_away()
    run = lab.host.popen(
        wicket.command("run", "--open", "--", "sh", "-c", "echo ready; read -r line"),
        **{"stdin": -1, "stdout": -1, "stderr": -1, "text": True},
    )
    assert run.stdout.readline() == "ready\n"
    assert network.get(lab.outside, HOST4).server == "responder"
    (reason,) = wicket.status()["reasons"]
    assert (reason["kind"], reason["purpose"]) == ("run", "wicket run sh")
    run.communicate("go on\n", 15)
    answered_by(lab, "production", HOST4)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signals_are_passed_on(lab, production, wicket, number):
    lab.host.run("mkfifo", "/mnt/never")
    # The shell's wait is interrupted by a trap; opening a FIFO would not be.
    script = f"trap 'echo got it; exit 9' {number.name[3:]}; cat </mnt/never & echo ready; wait"
    run = lab.host.start(*wicket.command("run", "--", "sh", "-c", script))
    run.output.wait_for("ready")
    run.signal(number)
    run.output.wait_for("got it")
    assert run.wait() == 9
    lab.host.run("sh", "-c", ": >/mnt/never")


def test_the_keeper_goes_away(lab, production, wicket):
    """COMMAND goes on, and its exit status is still passed on."""
    keeper = wicket.serve()
    run = lab.host.popen(
        wicket.command("run", "--", "sh", "-c", "echo ready; read -r line; exit 5"),
        **{"stdin": -1, "stdout": -1, "stderr": -1, "text": True},
    )
    assert run.stdout.readline() == "ready\n"
    keeper.signal(signal.SIGKILL)
    keeper.wait()
    assert "went away" in run.stderr.readline()
    run.communicate("go on\n", 15)
    assert run.returncode == 5


def test_status(lab, production, wicket):
    wicket.turn_away()
    assert wicket.status() == {"version": 1, "running": False}
    assert "no keeper runs" in wicket.run("status").stdout
    keeper = wicket.serve()
    armed = wicket.status()
    assert (armed["state"], armed["mode"], armed["responder"]) == ("armed", "full", "ready")
    assert armed["owned_table"]
    assert armed["window"] is None and armed["last_shut"] is None and armed["trouble"] is None

    token, _ = wicket.add()
    network.get(lab.outside, HOST4, PREFIX + token, source=VALIDATORS4[0])
    network.get(lab.outside, HOST4, "/")
    opened = wicket.status()
    assert opened["state"] == "open"
    assert opened["window"]["lease_ms"] == 5000
    assert 0 < opened["window"]["limit_in_ms"] <= 3600 * 1000
    (reason,) = opened["reasons"]
    assert reason["kind"] == "token" and reason["token"] == token
    assert reason["uid"] == 0 and reason["count"] == 1 and reason["purpose"] == "wicket add"
    assert 0 < reason["ends_in_ms"] <= 600 * 1000
    assert opened["validators"] == [{"address": VALIDATORS4[0], "validations": 1}]
    counters = opened["counters"]
    assert (counters["windows"], counters["tokens"], counters["validations"]) == (1, 1, 1)
    assert (counters["addresses"], counters["turned_away"], counters["redirected"]) == (1, 1, 2)
    text = wicket.run("status").stdout
    assert text.startswith("OPEN")
    assert token in text and VALIDATORS4[0] in text

    wicket.run("remove", token)
    shut = wicket.status()
    assert shut["state"] in ("draining", "armed")
    assert shut["last_shut"]["reason"] == "nothing is pending any more"
    assert wicket.run("status").stdout.startswith("SHUT")
    wicket.leave(keeper)


def test_status_of_many_tokens(lab, production, wicket):
    """A long answer comes in pieces."""
    keeper = wicket.serve()
    tokens = [wicket.add()[0] for _ in range(80)]
    assert [reason["token"] for reason in wicket.status()["reasons"]] == tokens
    assert len(wicket.run("status", "--json").stdout) > 8192
    wicket.leave(keeper)
