# SPDX-License-Identifier: GPL-2.0-or-later
"""
No certificate: what `wicket run`, `wicket status` and the hooks then say of the reason, each in
its turn caused for real, with a real CA.
"""

import re

import pytest
from lab import network
from lab.lab import HOST4, VALIDATORS4, VISITORS4
from lab.wicket import PREFIX, answered_by, new_challenge

NAME = "one.example.lab"
FIREWALL = """
table inet filter {
    chain input {
        type filter hook input priority 0; policy drop;
        ct state established,related accept
        iif lo accept
        meta l4proto { icmp, ipv6-icmp } accept
        tcp dport 80 accept
    }
}
"""
# In front of everything, as a firewall elsewhere would be.
BEFORE = """
table inet elsewhere {
    chain before {
        type filter hook prerouting priority -400;
        iifname wire tcp dport 80 drop
    }
}
"""


def run_certbot(lab, wicket, certbot, **more):
    """A renewal that fails, under `wicket run`; what it said in the end."""
    lab.ca.set_name(NAME, [HOST4], [])
    command = ["wicket", "run", "--", *certbot.manual([NAME], **more)]
    result = certbot.run(command, check=False)
    assert result.returncode == 1, result.stdout + result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("wicket: ")]
    return lines, result.stdout + result.stderr


def test_nobody_came(lab, production, wicket, certbot):
    keeper = wicket.serve()
    lab.host.nft(BEFORE)
    lines, output = run_certbot(lab, wicket, certbot)
    assert "0 validations from 0 addresses" in lines[-2]
    assert lines[-1].startswith("wicket: nobody came: not one connection from outside reached")
    assert "wicket check DOMAIN" in lines[-1]
    # The hook has said so too, in the middle of certbot's own output.
    assert "nobody validated this token: nobody came" in output
    evidence = wicket.status()["evidence"]
    assert evidence["verdict"] == "nobody"
    text = wicket.run("status").stdout
    assert "no validation in the last window: nobody came" in text
    wicket.leave(keeper)


def test_dropped_by_this_hosts_firewall(lab, production, wicket, certbot):
    keeper = wicket.serve()
    lab.host.nft(FIREWALL)
    lines, output = run_certbot(lab, wicket, certbot)
    # Where several come, it is found out at once; of one alone, from the counters.
    assert re.search("firewall drops what is redirected to port 8402", lines[-1])
    assert "ct status dnat tcp dport 8402 accept" in lines[-1]
    assert "8402" in output
    assert wicket.status()["evidence"]["verdict"] == "blocked"
    wicket.leave(keeper)


def test_one_alone_that_is_dropped(lab, production, wicket):
    """Too little for the keeper to shut the window, enough to say what it was."""
    keeper = wicket.serve()
    lab.host.nft(FIREWALL)
    script = "$WICKET add $KEY && echo ready && read -r line; exit 1"
    run = lab.host.popen(
        wicket.command("run", "--", "sh", "-c", script),
        environment={"KEY": new_challenge()[1], "WICKET": " ".join(wicket.command())},
        **{"stdin": -1, "stdout": -1, "stderr": -1, "text": True},
    )
    while (line := run.stdout.readline()) != "ready\n":
        assert line
    answer = network.get(lab.outside, HOST4, source=VALIDATORS4[0], timeout=0.5)
    assert answer.error.startswith("TimeoutError")
    _, err = run.communicate("go on\n", 15)
    assert run.returncode == 1
    last = err.splitlines()[-1]
    assert re.search(r"wicket: \d+ connections? came and none arrived: this host's own", last)
    wicket.leave(keeper)


def test_unknown_token(lab, production, wicket, certbot):
    """The hook registers something else than what the CA asks for."""
    keeper = wicket.serve()
    _, other = new_challenge()
    lines, _ = run_certbot(lab, wicket, certbot, auth=f"wicket add {other}", cleanup=None)
    match = re.fullmatch(
        r"wicket: (\d+) requests came for a token that nobody registered here, the last from"
        r" (\S+), and none for one that was: .*",
        lines[-1],
    )
    assert int(match[1]) == 3
    assert match[2] in VALIDATORS4
    status = wicket.status()
    assert status["evidence"]["verdict"] == "unknown-token"
    assert status["window"]["counters"]["unknown_tokens"] == 3
    assert "no validation so far: 3 requests came" in wicket.run("status").stdout
    # They were production's to answer, as ever.
    assert sum(PREFIX in one.path for one in production.requests()) == 3
    wicket.leave(keeper)


def test_answered_and_refused(lab, production, wicket, certbot):
    """The right token, of another ACME account."""
    keeper = wicket.serve()
    auth = f"wicket add $CERTBOT_TOKEN.{'x' * 43}"
    lines, _ = run_certbot(lab, wicket, certbot, auth=auth, cleanup=None)
    assert "3 validations from 3 addresses" in lines[-2]
    assert lines[-1].startswith(
        "wicket: the challenge was answered, 3 times to 3 addresses, and still it failed"
    )
    evidence = wicket.status()["evidence"]
    assert (evidence["verdict"], evidence["text"]) == ("answered", None)
    assert "no validation" not in wicket.run("status").stdout
    wicket.leave(keeper)


def test_only_visitors(lab, production, wicket):
    keeper = wicket.serve()
    challenge = new_challenge()
    wicket.hook("auth", challenge)
    for source in VISITORS4[:3]:
        assert network.get(lab.outside, HOST4, source=source).server == "production"
    result = wicket.hook("cleanup", challenge)
    assert "nobody validated this token: 3 connections came, but none asked" in result.stderr
    assert wicket.status()["evidence"]["verdict"] == "visitors"
    answered_by(lab, "production", HOST4)
    wicket.leave(keeper)


@pytest.mark.parametrize("status", [0, 1])
def test_nothing_to_explain(lab, production, wicket, status):
    """Success, and a client that had nothing to do (uacme ends with 1 then)."""
    result = wicket.run("run", "--", "sh", "-c", f"exit {status}", check=False)
    assert result.returncode == status
    assert result.stderr.splitlines() == ["wicket: no window was opened"]


def test_no_token(lab, production, wicket):
    result = wicket.run("run", "--open", "--", "false", check=False)
    assert "no token was registered" in result.stderr.splitlines()[-1]


def test_a_good_renewal_says_no_more_than_before(lab, production, wicket, certbot):
    lab.ca.set_name(NAME, [HOST4], [])
    result = certbot.run(["wicket", "run", "--", *certbot.manual([NAME])])
    last = result.stderr.splitlines()[-1]
    assert "1 token, 3 validations from 3 addresses" in last
    assert "nobody" not in result.stderr + result.stdout
