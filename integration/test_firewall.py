# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts whose own firewall allows port 80 and drops the rest, or some of the visitors."""

import threading
import time

import pytest
from lab import network
from lab.lab import HOST4, HOST6, VALIDATORS4, VISITORS4, VISITORS6
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
    start = len(production.requests())
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
    assert set(visitors.tally()) == {"production 200"}
    addresses = {one.address for one in production.requests(start)}
    assert addresses == {source for source, _ in ROUTES}


ONE_FAMILY = """
table inet filter {{
    chain input {{
        type filter hook input priority 0;
        iif != lo meta nfproto {family} tcp dport 8402 drop
    }}
}}
"""


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_one_family_is_dropped(lab, production, wicket, family, tell):
    """However many of the other family arrive, nobody of this one waits for long."""
    wicket.turn_away()
    lab.host.nft(ONE_FAMILY.format(family=family.lower()))
    routes = [(source, HOST4) for source in VISITORS4[:2]]
    routes += [(source, HOST6) for source in VISITORS6[:2]]
    with Visitors(lab.outside, routes) as visitors:
        for address in (HOST4, HOST6):
            visitors.wait_for(lambda v, a=address: v.address == a)
        hook = wicket.hook("auth", new_challenge(), check=False)
        opened, _ = lab.journal.lines.wait_for_entry("port 80 is redirected")
        shut, _ = lab.journal.lines.wait_for_entry("port 80 is back with production")
        asked = time.monotonic()
        for address in (HOST4, HOST6):
            visitors.wait_for(lambda v, a=address: v.address == a, since=asked)
    tell(f"{family}: the window shut by itself after {(shut - opened) * 1000:.0f} ms")
    assert shut - opened < 1.2
    assert hook.returncode == 75
    assert f"over {family} (" in hook.stderr
    assert ("ip6tables" in hook.stderr) == (family == "IPv6")
    dropped = HOST4 if family == "IPv4" else HOST6
    visits = visitors.visits()
    assert {v.answer.server for v in visits if v.address == dropped} == {"production"}
    assert {v.answer.server for v in visits if v.address != dropped} == {"production", "responder"}
    assert max(v.ended - v.began for v in visits) < 2.5


BANNED = """
table inet bans {{
    chain input {{
        type filter hook input priority -1;
        ip saddr {address} drop
    }}
}}
"""


def test_a_banned_visitor_says_nothing(lab, production, wicket):
    """An address that the host bans knocks at an otherwise quiet host: the renewal goes on."""
    banned = VISITORS4[0]
    lab.host.nft(BANNED.format(address=banned))
    challenge = new_challenge()
    hook = []
    thread = threading.Thread(target=lambda: hook.append(wicket.hook("auth", challenge)))
    thread.start()
    lab.journal.lines.wait_for("port 80 is redirected")
    with pytest.raises(TimeoutError):
        network.connect(lab.outside, HOST4, source=banned, timeout=0.3)
    # The hook waits for somebody to arrive, a second at most: several looks at the counters.
    thread.join()
    assert hook and hook[0].returncode == 0
    counters = wicket.status()["counters"]
    assert (counters["redirected"], counters["arrived"], counters["missing"]) == (1, 0, 1)
    answer = network.get(
        lab.outside, HOST4, PREFIX + challenge[0], source=VALIDATORS4[0], timeout=2
    )
    assert answer.body == challenge[1].encode()
    counters = wicket.status()["counters"]
    assert (counters["redirected"], counters["arrived"], counters["missing"]) == (2, 1, 1)
    wicket.hook("cleanup", challenge)
    lab.journal.lines.wait_for("port 80 is back with production")
    # The next window begins with nobody missing.
    challenge = new_challenge()
    wicket.hook("auth", challenge)
    assert wicket.status()["counters"]["missing"] == 0
    wicket.hook("cleanup", challenge)
