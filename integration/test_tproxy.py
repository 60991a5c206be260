# SPDX-License-Identifier: GPL-2.0-or-later
"""
What redirect.method: tproxy has to itself. Whatever it shares with redirect is tested where
redirect is, for both.
"""

import json
import re
import signal
import threading
import time

import pytest
from lab import network, under_storm
from lab.docker import containerized
from lab.lab import (
    HOST4,
    HOST6,
    VALIDATORS4,
    VALIDATORS6,
    VISITORS4,
    VISITORS6,
)
from lab.network import KeepAlive
from lab.production import Production
from lab.visitors import Visitors
from lab.wicket import PREFIX, Wicket, answered_by, new_challenge

BOTH = [HOST4, HOST6]
ROUTES = [(VISITORS4[0], HOST4), (VISITORS4[1], HOST4), (VISITORS6[0], HOST6)]


@pytest.fixture
def method():
    return "tproxy"


DROPS_THE_REST = """
table inet filter {{
    chain input {{
        type filter hook input priority 0; policy drop;
        ct state established,related accept
        ct state invalid drop
        iif lo accept
        meta l4proto {{ icmp, ipv6-icmp }} accept
        {bans}
        {extra}
    }}
}}
"""
OPEN = "tcp dport 80 ct state new accept"


def firewall(lab, bans="", extra=OPEN):
    lab.host.nft(DROPS_THE_REST.format(bans=bans, extra=extra))


def fetched(lab, challenge, address, source=None):
    answer = network.get(lab.outside, address, PREFIX + challenge[0], source=source, timeout=1)
    return answer.body == challenge[1].encode()


def conntrack(lab):
    return int(lab.host.run("cat", "/proc/sys/net/netfilter/nf_conntrack_count").stdout)


def test_status_and_log_say_so(lab, production, wicket):
    keeper = wicket.serve()
    assert wicket.status()["method"] == "tproxy"
    assert ", tproxy, " in wicket.run("status").stdout
    table = json.loads(lab.host.run("nft", "-j", "list", "table", "inet", "wicket").stdout)
    hooks = {
        (one["chain"]["name"], one["chain"]["prio"])
        for one in table["nftables"]
        if "chain" in one
    }
    assert ("prerouting", -50) in hooks
    wicket.leave(keeper)


def test_certificate_behind_a_firewall_that_opens_80_only(lab, production, wicket, certbot):
    """No rule for the responder's port: a certificate over each family, and nobody is lost."""
    firewall(lab)
    untouched = production.fingerprint()
    for name, address in (("four.example.lab", [[HOST4], []]), ("six.example.lab", [[], [HOST6]])):
        lab.ca.set_name(name, *address)
    with Visitors(lab.outside, ROUTES) as visitors:
        visitors.wait_for(lambda v: v.answer.server == "production")
        certbot.run(certbot.manual(["four.example.lab", "six.example.lab"]))
        shut, _ = lab.journal.lines.wait_for_entry("port 80 is back with production")
        visitors.wait_for(lambda v: v.answer.server == "production", since=shut)
    assert certbot.certificate()[1] == ["four.example.lab", "six.example.lab"]
    assert set(visitors.tally()) == {"production 200"}
    status = wicket.status()
    assert {v["address"] for v in status["validators"]} == {*VALIDATORS4, *VALIDATORS6}
    assert status["counters"]["passed"] > 0
    seen = {one.address for one in production.requests()} - {"127.0.0.1"}
    assert seen == {source for source, _ in ROUTES}
    assert production.fingerprint() == untouched


def test_bans_hold(lab, production, wicket):
    """Rules for port 80 judge validators and visitors as they do without a window."""
    banned4, banned6 = VISITORS4[2], VISITORS6[2]
    bans = f"ip saddr {banned4} tcp dport 80 drop\nip6 saddr {banned6} tcp dport 80 drop"
    bans += f"\nip saddr {VISITORS4[3]} tcp dport 80 reject with tcp reset"
    firewall(lab, bans=bans)
    challenge = wicket.add()
    for address, let_in, banned in ((HOST4, VISITORS4[0], banned4), (HOST6, VISITORS6[0], banned6)):
        assert fetched(lab, challenge, address, let_in)
        assert network.get(lab.outside, address, source=let_in).server == "production"
        with pytest.raises(TimeoutError):
            network.connect(lab.outside, address, source=banned, timeout=1.2)
    with pytest.raises(ConnectionRefusedError):
        network.connect(lab.outside, HOST4, source=VISITORS4[3], timeout=2)
    addresses = {one.address for one in production.requests()}
    assert not addresses & {banned4, banned6, VISITORS4[3]}
    # Nor does one address that is banned shut the window for the others.
    assert fetched(lab, challenge, HOST4, VALIDATORS4[0])
    assert wicket.status()["state"] == "open"
    wicket.run("remove", challenge[0])


def test_the_banned_shut_no_window(lab, production, wicket):
    """Nobody else comes, and several who are banned knock, before the validators do."""
    banned = VISITORS4[2:6]
    firewall(lab, bans="".join(f"ip saddr {one} tcp dport 80 drop\n" for one in banned))
    challenge = wicket.add()
    for one in banned:
        with pytest.raises(TimeoutError):
            network.connect(lab.outside, HOST4, source=one, timeout=0.6)
    assert wicket.status()["state"] == "open"
    assert fetched(lab, challenge, HOST4, VALIDATORS4[0])
    wicket.run("remove", challenge[0])


def test_sources_limited_to_some(lab, production, wicket):
    """A firewall that lets only one network reach port 80."""
    firewall(lab, extra=f"ip saddr {VISITORS4[0]} tcp dport 80 ct state new accept")
    challenge = wicket.add()
    assert fetched(lab, challenge, HOST4, VISITORS4[0])
    with pytest.raises(TimeoutError):
        network.connect(lab.outside, HOST4, source=VISITORS4[1], timeout=1.2)
    wicket.run("remove", challenge[0])


def test_firewall_that_drops_80_is_noticed(lab, production, wicket, tell):
    """The hook fails with the reason before the CA is asked."""
    firewall(lab, extra="")
    stop = threading.Event()

    def knock(source):
        while not stop.is_set():
            network.get(lab.outside, HOST4, source=source, timeout=0.3)

    knocking = [threading.Thread(target=knock, args=(source,)) for source in VISITORS4]
    for thread in knocking:
        thread.start()
    try:
        hook = wicket.hook("auth", new_challenge(), check=False)
        opened, _ = lab.journal.lines.wait_for_entry("port 80 is redirected")
        shut, _ = lab.journal.lines.wait_for_entry("port 80 is back with production")
    finally:
        stop.set()
        for thread in knocking:
            thread.join()
    tell(f"port 80 is dropped: the window shut by itself after {(shut - opened) * 1000:.0f} ms")
    assert hook.returncode == 75
    assert '"tcp dport 80 accept"' in hook.stderr
    assert shut - opened < 1.5
    assert wicket.status()["reasons"] == []


@pytest.mark.parametrize("other", ["not-found", "https"])
def test_conntrack_sleeps_on(lab, production, wicket, other):
    """Nobody is tracked, before, in and after a window, as long as nobody is passed on."""
    wicket.configure(f"other_requests: {other}\n")
    keeper = wicket.serve()
    old = [KeepAlive(lab.outside, address) for address in BOTH]
    challenge = wicket.add()
    for address in BOTH * 5:
        assert fetched(lab, challenge, address)
        assert network.get(lab.outside, address).server == "responder"
    for visitor in old:
        assert visitor.ask().server == "production"
    assert conntrack(lab) == 0
    assert "ct " not in lab.host.run("nft", "list", "ruleset").stdout
    wicket.run("remove", challenge[0])
    for visitor in old:
        assert visitor.ask().server == "production"
        visitor.close()
    assert conntrack(lab) == 0
    wicket.leave(keeper)
    assert conntrack(lab) == 0


def test_old_connections_never_miss_a_beat(lab, production, wicket):
    """They ask again and again while windows open and shut; none is cut, none goes elsewhere."""
    keeper = wicket.serve()
    visitors = [
        KeepAlive(lab.outside, address, source=source)
        for address, sources in ((HOST4, VISITORS4), (HOST6, VISITORS6))
        for source in sources[:4]
    ]
    for _ in range(15):
        token, _ = wicket.add()
        for visitor in visitors:
            assert visitor.ask("/?beat").server == "production"
        wicket.run("remove", token)
        for visitor in visitors:
            assert visitor.ask("/?beat").server == "production"
    expected = 2 * 15 * len(visitors)

    def beats_of(requests):
        return [one for one in requests if one.path == "/?beat"]

    requests = production.wait_for_requests(lambda seen: len(beats_of(seen)) >= expected)
    beats = beats_of(requests)
    assert len(beats) == expected
    assert {(one.port) for one in beats} == {visitor.port for visitor in visitors}
    for visitor in visitors:
        visitor.close()
    wicket.leave(keeper)


def test_short_visits_under_windows(lab, production, wicket, tell):
    """Windows open and shut as fast as they can; nobody is turned away."""
    keeper = wicket.serve()
    start = len(production.requests())
    routes = [(s4, HOST4) for s4 in VISITORS4] + [(s6, HOST6) for s6 in VISITORS6]
    began, windows = time.monotonic(), 0
    with Visitors(lab.outside, routes, rate=400) as visitors:
        while time.monotonic() - began < 5:
            challenge = wicket.add()
            for address in BOTH:
                assert fetched(lab, challenge, address)
            wicket.run("remove", challenge[0])
            windows += 1
    tell(f"{windows} windows under {dict(visitors.tally())}")
    assert set(visitors.tally()) == {"production 200"}
    assert {one.address for one in production.requests(start)} <= {*VISITORS4, *VISITORS6}
    assert wicket.status()["counters"]["passed"] > 0
    wicket.leave(keeper)


ANYCAST4, ANYCAST6 = "192.0.2.80", "2001:db8:2::80"


@pytest.mark.parametrize("other", ["pass", "not-found"])
def test_interface_without_an_address(lab, other):
    """The addresses are on lo, and the wire has none, so that there is nothing to redirect to."""
    lab.host.ip(
        "addr flush dev wire scope global",
        f"addr add {ANYCAST4}/32 dev lo",
        f"addr add {ANYCAST6}/128 dev lo nodad",
        "route add 10.99.1.0/24 dev wire",
        "route add fd99:0:0:1::/64 dev wire",
    )
    far = json.loads(lab.host.run("ip", "-j", "-6", "addr", "show", "dev", "wire").stdout)
    link = far[0]["addr_info"][0]["local"]
    lab.outside.ip(
        f"route add {ANYCAST4} dev wire",
        f"route add {ANYCAST6} via {link} dev wire",
    )
    production = Production(lab, "nginx")
    wicket = Wicket(lab)
    wicket.configure(f"other_requests: {other}\n")
    challenge = wicket.add()
    for number, address in enumerate((ANYCAST4, ANYCAST6)):
        source = (VISITORS4, VISITORS6)[number][0]
        assert fetched(lab, challenge, address, source)
        answer = network.get(lab.outside, address, "/?far", source=source)
        assert answer.server == ("production" if other == "pass" else "responder")
    if other == "pass":
        seen = production.wait_for_requests(
            lambda requests: len([one for one in requests if one.path == "/?far"]) == 2
        )
        seen = {(one.address, one.local) for one in seen if one.path == "/?far"}
        assert seen == {(VISITORS4[0], ANYCAST4), (VISITORS6[0], ANYCAST6)}
    wicket.run("remove", challenge[0])
    for address, source in ((ANYCAST4, VISITORS4[0]), (ANYCAST6, VISITORS6[0])):
        assert network.get(lab.outside, address, source=source).server == "production"


def link_local(host):
    listing = json.loads(host.run("ip", "-j", "-6", "addr", "show", "dev", "wire").stdout)
    (address,) = [
        one["local"] for one in listing[0]["addr_info"] if one["scope"] == "link"
    ]
    return address


def ask_on_link(lab, here, path):
    """As network.get; a name for Host, where the zone of an address has no place."""
    with network.connect(lab.outside, here) as connection:
        connection.sendall(network.request_bytes(path, "link.lab"))
        with connection.makefile("rb") as stream:
            return network.read_answer(stream)


def test_visitor_of_the_link(lab, production, wicket):
    """From one link-local address to another, with the pass and its own address."""
    visitor = link_local(lab.outside)
    here = f"{link_local(lab.host)}%wire"
    challenge = wicket.add()
    assert ask_on_link(lab, here, PREFIX + challenge[0]).body == challenge[1].encode()
    assert ask_on_link(lab, here, "/?link").server == "production"
    (seen,) = production.wait_for_requests(
        lambda requests: [one for one in requests if one.path == "/?link"]
    )[-1:]
    assert seen.address.split("%")[0] == visitor
    assert wicket.status()["counters"]["passed"] == 1
    wicket.run("remove", challenge[0])
    assert ask_on_link(lab, here, "/").server == "production"


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_one_family_only(make_lab, family):
    lab = make_lab(ipv6=family == "ipv6")
    address, source = (HOST4, VISITORS4[0]) if family == "ipv4" else (HOST6, VISITORS6[0])
    if family == "ipv6":
        lab.host.run("ip", "-4", "addr", "flush", "dev", "wire")
    Production(lab, "apache")
    wicket = Wicket(lab)
    challenge = wicket.add()
    assert fetched(lab, challenge, address, source)
    assert network.get(lab.outside, address, source=source).server == "production"
    wicket.run("remove", challenge[0])
    wicket.wait_gone()


def test_syn_cookies(lab, production, wicket):
    """Every handshake by cookie: the pass, validators, the self-check, and production after it."""
    lab.host.sysctl("net/ipv4/tcp_syncookies", 2)
    start = len(production.requests())
    for _ in range(3):
        challenge = wicket.add()
        for address, sources in ((HOST4, VISITORS4), (HOST6, VISITORS6)):
            for source in sources:
                assert fetched(lab, challenge, address, source)
                assert network.get(lab.outside, address, source=source).server == "production"
        wicket.run("remove", challenge[0])
        for address, sources in ((HOST4, VISITORS4), (HOST6, VISITORS6)):
            for source in sources:
                answer = network.get(lab.outside, address, PREFIX + challenge[0], source=source)
                assert answer.server == "production"
    assert {one.address for one in production.requests(start)} == {*VISITORS4, *VISITORS6}
    received = lab.host.run("nstat", "-asz", "TcpExtSyncookiesRecv").stdout
    assert int(re.search(r"SyncookiesRecv +(\d+)", received)[1]) > 100


def test_not_found_beside_a_container(make_lab):
    """
    Without the pass there is no NAT of ours: somebody's DNAT sends port 80 to a container as ever.
    The window has no effect then; the hook says so, and visitors do not notice.
    """
    lab = make_lab(behind=True)
    containerized(lab)
    wicket = Wicket(lab)
    wicket.turn_away()
    with Visitors(lab.outside, ROUTES) as visitors:
        visitors.wait_for(lambda v: v.answer.server == "production")
        hook = wicket.hook("auth", new_challenge(), check=False)
        visitors.wait_for(lambda v: v.answer.server == "production", since=time.monotonic())
    assert hook.returncode == 75
    assert set(visitors.tally()) == {"production 200"}


def test_from_one_method_to_the_other(lab, production, wicket):
    """A reload changes it in an open window, and cuts nobody who came through either."""
    keeper = wicket.serve()
    challenge = wicket.add()
    passed = []
    for number in range(4):
        for address, sources in ((HOST4, VISITORS4), (HOST6, VISITORS6)):
            passed.append(KeepAlive(lab.outside, address, source=sources[number]))
            assert passed[-1].ask().server == "production"
            assert fetched(lab, challenge, address)
        before = len(keeper.output)
        lab.method = ("redirect", "tproxy")[number % 2]
        wicket.configure("{}\n")
        keeper.signal(signal.SIGHUP)
        keeper.output.wait_for("replaced, the window stays open", before)
        keeper.output.wait_for("in force", before)
        assert wicket.status()["method"] == lab.method
        for visitor in passed:
            assert visitor.ask().server == "production"
    assert wicket.status()["counters"]["passed"] == len(passed)
    for visitor in passed:
        visitor.close()
    wicket.leave(keeper)


def test_production_starts_again_in_a_window(lab, wicket):
    """Passed connections and the responder's have production's port, and do not keep it."""
    production = Production(lab, "nginx")
    token, _ = wicket.add()
    passed = [KeepAlive(lab.outside, address) for address in BOTH]
    for visitor in passed:
        assert visitor.ask().server == "production"
    production.process.stop()
    production._start_nginx(["0.0.0.0", "[::]"])
    for address in BOTH:
        assert network.get(lab.outside, address).server == "production"
    for visitor in passed:
        visitor.close()
    wicket.run("remove", token)
    answered_by(lab, "production", HOST4)


@pytest.mark.parametrize("kind", ["nginx", "docker"])
def test_storm(make_lab, kind, tell):
    """integration/storm in small: every answer whole, every line of the log its visitor's."""
    record = under_storm.run(make_lab(behind=kind == "docker"), kind, 6, 1)
    tell("\n    ".join(under_storm.describe(record)))
    assert record["wrong"] == {}
    assert record["passed"] > 0
