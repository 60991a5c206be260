# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts whose own firewall allows port 80 and drops the rest."""

import time

import pytest
from lab import network
from lab.lab import HOST4, HOST6, VISITORS4, VISITORS6
from lab.visitors import Visitors
from lab.wicket import PREFIX, new_challenge

NFTABLES = """
table inet filter {{
    chain input {{
        type filter hook input priority 0; policy drop;
        ct state established,related accept
        iif lo accept
        meta l4proto {{ icmp, ipv6-icmp }} accept
        tcp dport 80 accept
        {extra}
    }}
}}
"""


def nftables(host, admitting):
    host.nft(NFTABLES.format(extra="ct status dnat tcp dport 8402 accept" if admitting else ""))


def iptables(flavour):
    def load(host, admitting):
        for family, icmp in (("iptables", "icmp"), ("ip6tables", "ipv6-icmp")):
            command = f"{family}-{flavour}"
            for rule in (
                "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
                "-A INPUT -i lo -j ACCEPT",
                f"-A INPUT -p {icmp} -j ACCEPT",
                "-A INPUT -p tcp --dport 80 -j ACCEPT",
                "-P INPUT DROP",
            ):
                host.run(command, *rule.split())
            if admitting:
                rule = "-I INPUT -p tcp --dport 8402 -m conntrack --ctstate DNAT -j ACCEPT"
                host.run(command, *rule.split())

    return load


FIREWALLS = {
    "nftables": nftables,
    "iptables-nft": iptables("nft"),
    "iptables-legacy": iptables("legacy"),
}
ROUTES = [(VISITORS4[0], HOST4), (VISITORS4[1], HOST4), (VISITORS6[0], HOST6)]


@pytest.mark.parametrize("kind", FIREWALLS)
def test_window_shuts_by_itself(lab, production, wicket, kind, tell):
    """The hook fails with the reason; visitors are back with production within about a second."""
    FIREWALLS[kind](lab.host, admitting=False)
    with Visitors(lab.outside, ROUTES) as visitors:
        visitors.wait_for(lambda v: v.answer.server == "production")
        hook = wicket.hook("auth", new_challenge(), check=False)
        opened, _ = lab.journal.lines.wait_for_entry("port 80 is redirected")
        shut, _ = lab.journal.lines.wait_for_entry("port 80 is back with production")
        asked = time.monotonic()
        visitors.wait_for(lambda v: v.answer.server == "production", since=asked)
        # Those who were turned away by the firewall try again by themselves, and get through.
        pending = [v for v in visitors.visits() if v.began < shut < v.ended]
    tell(f"{kind}: the window shut by itself after {(shut - opened) * 1000:.0f} ms")
    assert shut - opened < 1.2
    assert hook.returncode == 75
    assert "firewall" in hook.stderr
    assert "ct status dnat tcp dport 8402 accept" in hook.stderr
    assert set(visitors.tally()) == {"production 200"}
    slowest = max(v.ended - v.began for v in visitors.visits())
    tell(f"{kind}: slowest visitor {slowest:.2f} s; {len(pending)} waited while it shut")
    assert slowest < 2.5
    lab.journal.lines.wait_for("window shut: redirected connections did not arrive")
    assert wicket.status()["reasons"] == []


@pytest.mark.parametrize("kind", FIREWALLS)
def test_with_the_advised_rule(lab, production, wicket, kind):
    """The rule that the message names is enough; a direct connection stays shut out."""
    FIREWALLS[kind](lab.host, admitting=True)
    with Visitors(lab.outside, ROUTES) as visitors:
        visitors.wait_for(lambda v: v.answer.server == "production")
        challenge = new_challenge()
        wicket.hook("auth", challenge)
        for address in (HOST4, HOST6):
            answer = network.get(lab.outside, address, PREFIX + challenge[0])
            assert answer.body == challenge[1].encode()
            with pytest.raises(TimeoutError):
                network.connect(lab.outside, address, port=8402, timeout=0.3)
        wicket.hook("cleanup", challenge)
        lab.journal.lines.wait_for("port 80 is back with production")
    assert set(visitors.tally()) <= {"production 200", "responder 404"}
