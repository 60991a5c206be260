# SPDX-License-Identifier: GPL-2.0-or-later
"""The main job: certificates through a transient window, next to a production server."""

import json

import pytest
from lab.ca import CA
from lab.certbot import Certbot
from lab.lab import (
    CA_NAME,
    HOST4,
    HOST6,
    OUTSIDE4,
    VALIDATORS4,
    VALIDATORS6,
    VISITORS4,
    VISITORS6,
)
from lab.production import Production
from lab.visitors import Visitors
from lab.wicket import Wicket

NAMES = ["one.example.lab", "two.example.lab", "three.example.lab"]
FAMILIES = {
    "ipv4": ([HOST4], [], VALIDATORS4),
    "ipv6": ([], [HOST6], VALIDATORS6),
    # A validator prefers IPv6 where there is an AAAA record.
    "both": ([HOST4], [HOST6], VALIDATORS6),
}


@pytest.mark.parametrize("kind", ["apache", "nginx"])
@pytest.mark.parametrize("family", FAMILIES)
def test_three_names(lab, wicket, certbot, family, kind):
    """Production is bit for bit what it was, and no visitor got anything else than it gives."""
    ipv4, ipv6, validators = FAMILIES[family]
    production = Production(lab, kind)
    start = len(production.requests())
    untouched = production.fingerprint()
    for name in NAMES:
        lab.ca.set_name(name, ipv4, ipv6)
    with Visitors(
        lab.outside, [(VISITORS4[0], HOST4), (VISITORS6[0], HOST6)]
    ) as visitors:
        visitors.wait_for(lambda v: v.answer.server == "production")
        certbot.run(certbot.manual(NAMES))
        shut, _ = lab.journal.lines.wait_for_entry("port 80 is back with production")
        visitors.wait_for(lambda v: v.answer.server == "production", since=shut)
    serial, names = certbot.certificate()
    assert int(serial, 16) > 0
    assert names == sorted(NAMES)
    assert production.fingerprint() == untouched

    # Before, during and after the window; and production knows who it was.
    assert set(visitors.tally()) == {"production 200"}
    sources = {one.address for one in production.requests(start)}
    assert sources == {VISITORS4[0], VISITORS6[0]}

    status = wicket.status()
    assert {v["address"] for v in status["validators"]} == set(validators)
    assert status["counters"]["validations"] == 3 * len(NAMES)
    assert status["counters"]["tokens"] == len(NAMES)
    assert not any("/.well-known/" in one.path for one in production.requests())
    wicket.wait_gone()


def test_each_name_another_family(lab, production, wicket, certbot):
    lab.ca.set_name(NAMES[0], [HOST4], [])
    lab.ca.set_name(NAMES[1], [], [HOST6])
    lab.ca.set_name(NAMES[2], [HOST4], [HOST6])
    certbot.run(certbot.manual(NAMES))
    assert certbot.certificate()[1] == sorted(NAMES)
    addresses = {v["address"] for v in wicket.status()["validators"]}
    assert addresses == set(VALIDATORS4) | set(VALIDATORS6)


def test_hook_without_a_word(lab, production, wicket, certbot):
    """One command for both hooks."""
    lab.ca.set_name(NAMES[0], [HOST4], [HOST6])
    lab.ca.set_name(NAMES[1], [HOST4], [HOST6])
    certbot.run(
        certbot.manual(NAMES[:2], auth="wicket hook certbot", cleanup="wicket hook certbot")
    )
    assert certbot.certificate()[1] == sorted(NAMES[:2])
    lab.journal.lines.wait_for("window shut: nothing is pending any more")


def test_nonces_rejected_now_and_then(lab, production, wicket, certbot):
    """As the CA is by default: one nonce in twenty is refused and the client tries again."""
    lab._ca = CA(lab.outside, lab.directory, OUTSIDE4, CA_NAME, rejected_nonces=5)
    lab.ca.set_name(NAMES[0], [HOST4], [HOST6])
    for _ in range(2):
        certbot.run(certbot.manual(NAMES[:1]))
    assert certbot.certificate()[1] == NAMES[:1]


def test_renewal(lab, production, wicket, certbot):
    """`certbot renew` remembers the hooks; under `wicket run` there is a report in the end."""
    lab.ca.set_name(NAMES[0], [HOST4], [HOST6])
    certbot.run(certbot.manual(NAMES[:1]))
    first, _ = certbot.certificate()
    renew = ["certbot", "renew", "-n", "--force-renewal", "--no-random-sleep-on-renew"]
    for option in ("config", "work", "logs"):
        renew += [f"--{option}-dir", f"/mnt/certbot/{option}"]
    for _ in range(5):
        result = certbot.run(["wicket", "run", "--", *renew])
        last = result.stderr.strip().splitlines()[-1]
        # In spite of its settings pebble reuses an authorization now and then: no hook is called.
        if "no window was opened" not in last:
            break
    second, names = certbot.certificate()
    assert first != second
    assert names == NAMES[:1]
    assert "1 token, 3 validations from 3 addresses" in last


def test_two_certbots_share_a_window(lab, production, wicket):
    """Their hooks wait for each other, so that both challenges are pending at the same time."""
    both = [Certbot(lab, "first"), Certbot(lab, "second")]
    lab.host.run("mkfifo", "/mnt/to-first", "/mnt/to-second")
    # Opening a FIFO waits for the other side.
    meet = {
        "first": ": >/mnt/to-second; : </mnt/to-first",
        "second": ": </mnt/to-second; : >/mnt/to-first",
    }
    running = []
    for client in both:
        name = f"{client.name}.example.lab"
        lab.ca.set_name(name, [HOST4], [HOST6])
        auth = f"wicket hook certbot auth && {{ {meet[client.name]}; }}"
        running.append(client.start(client.manual([name], auth=auth), name=client.name))
    for process in running:
        assert process.wait_output(90) == 0, process.output.text()
    for client in both:
        assert client.certificate()[1] == [f"{client.name}.example.lab"]
    counters = wicket.status()["counters"]
    assert counters["windows"] == 1
    assert counters["tokens"] == 2
    assert counters["validations"] == 6
    wicket.wait_gone()


def test_without_ipv6(make_lab):
    lab = make_lab(ipv6=False)
    production = Production(lab)
    certbot = Certbot(lab)
    untouched = production.fingerprint()
    for name in NAMES:
        lab.ca.set_name(name, [HOST4], [])
    certbot.run(certbot.manual(NAMES))
    assert certbot.certificate()[1] == sorted(NAMES)
    assert production.fingerprint() == untouched
    Wicket(lab).wait_gone()


def test_without_the_account(make_lab):
    """On a host that has no account `wicket` the responder runs as nobody."""
    lab = make_lab(accounts=False)
    Production(lab)
    certbot = Certbot(lab)
    lab.ca.set_name(NAMES[0], [HOST4], [HOST6])
    certbot.run(certbot.manual(NAMES[:1]))
    assert certbot.certificate()[1] == NAMES[:1]
    wicket = Wicket(lab)
    assert json.loads(wicket.run("status", "--json").stdout)["mode"] == "full"
    text = (lab.host.path("/proc").parent / "etc/passwd").read_text()
    assert "wicket" not in text
    wicket.wait_gone()


def test_client_without_root(lab, production, wicket):
    """A member of the group renews, a keeper being there."""
    keeper = wicket.serve()
    lab.host.run("mkdir", "/mnt/member")
    lab.host.run("chown", "member:", "/mnt/member")
    member = ["setpriv", "--reuid", "member", "--regid", "member", "--init-groups", "--"]
    certbot = Certbot(lab, "member", prefix=member)
    lab.ca.set_name(NAMES[0], [HOST4], [HOST6])
    certbot.run(certbot.manual(NAMES[:1]))
    assert certbot.certificate()[1] == NAMES[:1]
    wicket.leave(keeper)
