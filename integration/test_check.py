# SPDX-License-Identifier: GPL-2.0-or-later
"""
The doctor against hosts of every shape: each planted fault is found, by name and with what mends it,
and none is found on a good host.
"""

import json
import re
import shlex
import signal

import pytest
from lab import docker, network
from lab.lab import BEHIND4, HOST4, HOST6, OUTSIDE4, OUTSIDE6, VISITORS4
from lab.wicket import Wicket

NFTABLES = """
table inet filter {{
    chain input {{
        type filter hook input priority 0; policy drop;
        ct state established,related accept
        iif lo accept
        meta l4proto {{ icmp, ipv6-icmp }} accept
        {rules}
    }}
}}
"""
ADMITTING = "ct status dnat tcp dport 8402 accept"


@pytest.fixture
def uplink(lab):
    """As on a real host, a default route tells by which interface visitors come in."""
    lab.host.ip(
        f"route add default via {OUTSIDE4}", f"route add default via {OUTSIDE6} dev wire"
    )


def load(lab, table, chain, hook, rules, more=""):
    """One table with one base chain."""
    lab.host.nft(f"table {table} {{\n{more}\nchain {chain} {{\ntype {hook};\n{rules}\n}}\n}}\n")


def check(wicket, *arguments):
    """The document; what it says and the exit status have to agree."""
    result = wicket.run("check", "--json", *arguments, check=False)
    assert result.stderr == ""
    document = json.loads(result.stdout)
    assert document["version"] == 1
    assert result.returncode == (1 if document["findings"] else 0)
    return document


def texts(lines):
    return [f"{line['subject']}: {line['text']}" for line in lines]


def assert_good(document):
    assert texts(document["findings"]) == []
    assert any(line["subject"] == "window" for line in document["good"]), document


def only(document):
    """The one finding there is."""
    assert len(document["findings"]) == 1, texts(document["findings"])
    return document["findings"][0]


def mend(lab, command):
    """What the report says to do is done, to the letter."""
    lab.host.run(*shlex.split(command))


def test_a_plain_host(lab, production, wicket, uplink):
    document = check(wicket)
    assert_good(document)
    assert document["notes"] == []
    window = next(line for line in document["good"] if line["subject"] == "window")
    assert HOST4 in window["text"] and HOST6 in window["text"]
    text = wicket.run("check").stdout
    assert "nothing found that would stop a renewal\n" in text
    wicket.wait_gone()


def test_drop_by_default(lab, production, wicket, uplink):
    lab.host.nft(NFTABLES.format(rules="tcp dport 80 accept"))
    found = only(check(wicket))
    assert found["text"].startswith("inet filter input, its policy drops")
    assert found["scope"] == "IPv4 by wire, IPv6 by wire"
    mend(lab, found["mend"])
    assert_good(check(wicket))


@pytest.mark.parametrize("flavour", ["nft", "legacy"])
def test_iptables(lab, production, wicket, uplink, flavour):
    for command in (f"iptables-{flavour}", f"ip6tables-{flavour}"):
        for rule in (
            "-N services",
            "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
            "-A INPUT -i lo -j ACCEPT",
            "-A INPUT -j services",
            "-A services -p tcp -m multiport --dports 80,443 -m comment --comment web -j ACCEPT",
            "-A INPUT -j LOG",
            "-A INPUT -j REJECT",
            "-P INPUT DROP",
        ):
            lab.host.run(command, *rule.split())
    findings = check(wicket)["findings"]
    assert [line["scope"] for line in findings] == ["IPv4 by wire", "IPv6 by wire"]
    for line in findings:
        assert "filter INPUT" in line["text"] and "REJECT" in line["text"].upper()
        command = line["mend"] if flavour == "legacy" else re.sub("tables", "tables-nft", line["mend"])
        mend(lab, command)
    assert_good(check(wicket))


def own_copy(host, path):
    """A directory of the machine that this host may write to."""
    host.run("cp", "-a", path, "/var/tmp/copy")
    host.run("mount", "--bind", "/var/tmp/copy", path)


def test_ufw(lab, production, wicket, uplink):
    own_copy(lab.host, "/etc/ufw")
    lab.host.run("ufw", "allow", "80/tcp")
    lab.host.run("ufw", "--force", "enable")
    findings = check(wicket)["findings"]
    assert [line["scope"] for line in findings] == ["IPv4 by wire", "IPv6 by wire"]
    assert all("filter INPUT, its policy drops" in line["text"] for line in findings)
    assert {line["mend"] for line in findings} == {"ufw allow 8402/tcp"}
    mend(lab, findings[0]["mend"])
    assert_good(check(wicket))


BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=/run/bus</listen>
  <servicedir>/mnt/services</servicedir>
  <policy context="default">
    <allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/>
  </policy>
</busconfig>
"""
FIREWALLD = "org.fedoraproject.FirewallD1"


def test_firewalld(lab, production, wicket, uplink):
    """Started by a bus of its own, which waits until it is there."""
    own_copy(lab.host, "/etc/firewalld")
    (lab.directory / "bus.conf").write_text(BUS)
    (lab.directory / "services").mkdir()
    (lab.directory / "services" / f"{FIREWALLD}.service").write_text(
        f"[D-BUS Service]\nName={FIREWALLD}\nExec=/usr/sbin/firewalld --nofork --nopid\n"
    )
    bus = {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/run/bus"}
    daemon = lab.host.start(
        "dbus-daemon", "--config-file=/mnt/bus.conf", "--nofork", "--print-address", environment=bus
    )
    daemon.output.wait_for("unix:")
    lab.host.run(
        *("dbus-send", "--system", "--print-reply", "--reply-timeout=60000"),
        *(f"--dest={FIREWALLD}", "/", "org.freedesktop.DBus.Peer.Ping"),
        environment=bus,
    )
    # It lets in whatever was redirected, by whomever; who may not reach port 80 comes in so too.
    findings = check(wicket)["findings"]
    assert findings
    assert all(line["text"].startswith("inet firewalld filter_IN") for line in findings)
    assert all("reach production through a window" in line["text"] for line in findings)
    lab.host.run("firewall-cmd", "--add-service=http", environment=bus)
    assert_good(check(wicket))


def test_docker(make_lab):
    """A container behind a drop policy: its visitors never see the input hook, which the redirected
    do; and its own rules reach it from this host too."""
    lab = make_lab(behind=True)
    docker.containerized(lab)
    lab.host.ip(f"route add default via {OUTSIDE4}")
    wicket = Wicket(lab)
    lab.host.nft(NFTABLES.format(rules=""))
    found = only(check(wicket))
    assert found["text"].startswith("inet filter input, its policy drops")
    mend(lab, found["mend"])
    document = check(wicket)
    assert_good(document)


def test_a_router(make_lab):
    """What it forwards is not its own; what it sends on by DNAT alone cannot be passed on to."""
    lab = make_lab(behind=True)
    lab.host.ip(f"route add default via {OUTSIDE4}")
    wicket = Wicket(lab)
    assert_good(check(wicket))
    wicket.wait_gone()
    rule = f'iifname "wire" tcp dport 80 dnat to {BEHIND4}'
    load(lab, "ip nat", "prerouting", "nat hook prerouting priority -100", rule)
    found = only(check(wicket))
    assert "connections of this host itself are not" in found["text"]
    assert found["text"].startswith("ip nat prerouting rule")
    wicket.wait_gone()
    wicket.turn_away()
    assert_good(check(wicket))


@pytest.mark.parametrize("priority", [-120, -110])
def test_dnat_that_wins(lab, production, wicket, uplink, priority):
    rule = f"tcp dport 80 dnat to {BEHIND4}"
    load(lab, "ip nat", "early", f"nat hook prerouting priority {priority}", rule)
    document = check(wicket)
    if priority < -110:
        found = only(document)
        assert "wins over the redirect" in found["text"]
        assert re.match(r"ip nat early rule \d+ \(tcp dport 80 dnat\)", found["text"])
        assert "priority above -110" in found["mend"]
    else:
        assert document["findings"] == []
        assert any("has the redirect's own priority" in line["text"] for line in document["notes"])


def test_two_uplinks(lab, production, wicket, uplink):
    lab.host.ip(
        "link add second type veth peer name other",
        "link set second up",
        "link set other up",
        "addr add 10.99.3.80/24 dev second",
        "route add default via 10.99.3.1 dev second table 100",
    )
    assert_good(check(wicket))
    rule = 'iifname "second" tcp dport != 80 drop'
    load(lab, "inet filter", "input", "filter hook input priority 0", rule)
    found = only(check(wicket))
    assert found["scope"] == "IPv4 by second"
    assert 'iifname "second" tcp dport != 80 drop' in found["text"]


def test_ipv6_only(lab, production, wicket):
    lab.host.ip(f"addr del {HOST4}/24 dev wire", f"route add default via {OUTSIDE6} dev wire")
    document = check(wicket)
    assert_good(document)
    lab.host.nft(NFTABLES.format(rules="tcp dport 80 accept"))
    assert only(check(wicket))["scope"] == "IPv6 by wire"


def test_an_unnumbered_uplink(lab, production, wicket):
    """An anycast address on the loopback: what comes in by an interface without an address has
    nowhere to be redirected to."""
    anycast = "10.99.7.7"
    lab.host.ip(
        f"addr del {HOST4}/24 dev wire",
        f"addr add {anycast}/32 dev lo",
        "route add default dev wire",
    )
    found = only(check(wicket))
    assert "interface wire has no IPv4 address" in found["text"]
    assert "redirect.method: tproxy" in found["mend"]


def test_tproxy(lab, production, wicket):
    """The other method needs no address where a connection comes in, and the rules for port 80 go on."""
    anycast = "10.99.7.7"
    lab.host.ip(
        f"addr del {HOST4}/24 dev wire",
        f"addr add {anycast}/32 dev lo",
        "route add default dev wire",
    )
    wicket.configure("redirect:\n  method: tproxy\n")
    rules = f"ip saddr {VISITORS4[0]} drop; tcp dport 80 accept"
    lab.host.nft(NFTABLES.format(rules=rules))
    assert_good(check(wicket))
    lab.host.nft("flush chain inet filter input")
    found = check(wicket)["findings"][0]
    assert found["text"].startswith("inet filter input, its policy drops")
    assert found["mend"] == "nft insert rule inet filter input tcp dport 80 accept"


def test_narrow_rules(lab, production, wicket, uplink):
    """Who may not reach port 80 gets there through a window, if redirected connections are let in."""
    lab.host.nft(NFTABLES.format(rules=f"ip saddr {VISITORS4[0]} tcp dport 80 accept; {ADMITTING}"))
    findings = check(wicket)["findings"]
    assert {line["text"].split(" keeps")[0] for line in findings} == {
        "inet filter input, its policy"
    }
    assert all("reach production through a window" in line["text"] for line in findings)
    assert "other_requests: not-found" in findings[0]["mend"]
    wicket.wait_gone()
    wicket.turn_away()
    document = check(wicket)
    assert_good(document)
    assert any("they reach the responder" in line["text"] for line in document["notes"])


# What people's rules look like, and what redirected connections make of them: None is good.
SHAPES = {
    "the template of nftables' wiki": (
        """
        chain four { icmp type echo-request limit rate 5/second accept
        }
        chain six { icmpv6 type { nd-neighbor-solicit, nd-router-advert, nd-neighbor-advert } accept
        }
        chain input {
            type filter hook input priority 0; policy drop;
            ct state vmap { established : accept, related : accept, invalid : drop }
            iifname lo accept
            meta protocol vmap { ip : jump four, ip6 : jump six }
            tcp dport { 22, 80, 443 } accept
        }
        """,
        "its policy",
    ),
    "a range that has both ports": (
        """
        chain input {
            type filter hook input priority 0; policy drop;
            ct state established,related accept
            iif lo accept
            meta l4proto ipv6-icmp accept
            tcp dport { 22, 80-9000 } accept
        }
        """,
        None,
    ),
    "what was redirected, by its first port": (
        """
        chain input {
            type filter hook input priority 0; policy drop;
            ct state established,related accept
            iif lo accept
            meta l4proto ipv6-icmp accept
            meta l4proto tcp ct original proto-dst 80 tcp dport { 80, 8402 } accept
        }
        """,
        None,
    ),
    "pairs of addresses and ports": (
        """
        set pairs { type ipv4_addr . inet_service; flags interval
            elements = { 192.0.2.0/24 . 8000-9000, 198.51.100.0/24 . 443 } }
        chain input {
            type filter hook input priority 0;
            ip saddr . tcp dport @pairs drop
        }
        """,
        None,
    ),
    "a rest that goes to a chain of its own": (
        """
        chain rest { limit rate 3/minute log prefix "rest "
            counter
            reject with icmpx type admin-prohibited
        }
        chain input {
            type filter hook input priority 0;
            ct state established,related accept
            iif lo accept
            meta l4proto { icmp, ipv6-icmp } accept
            tcp dport vmap { 80 : accept, 443 : accept }
            goto rest
        }
        """,
        "rest rule",
    ),
    "marks": (
        """
        chain marking { type filter hook prerouting priority -150;
            iifname wire tcp dport 80 meta mark set 0x10
        }
        chain input {
            type filter hook input priority 0;
            iif lo accept
            meta l4proto ipv6-icmp accept
            meta mark & 0xf0 == 0x10 accept
            ct state new drop
        }
        """,
        None,
    ),
    "a limit": (
        """
        chain input {
            type filter hook input priority 0;
            iif lo accept
            tcp dport 80 ct state new limit rate over 50/second drop
        }
        """,
        None,
    ),
    "the way back": (
        """
        chain back { type filter hook prerouting priority -300;
            meta nfproto ipv6 fib saddr . iif oif missing drop
        }
        """,
        None,
    ),
    "other ports alone": (
        """
        chain input {
            type filter hook input priority 0;
            ct state established accept
            iif lo accept
            tcp dport { 25, 8000-8401, 8403-9000 } drop
            tcp dport != { 80, 8402 } drop
            tcp sport < 1024 drop
        }
        """,
        None,
    ),
}


def test_shapes(lab, production, wicket, uplink):
    said = {}
    for name, (rules, _) in SHAPES.items():
        lab.host.nft(f"table inet shape\ndelete table inet shape\ntable inet shape {{{rules}}}\n")
        said[name] = texts(check(wicket)["findings"])
    for name, (_, part) in SHAPES.items():
        if part is None:
            assert said[name] == [], name
        else:
            assert len(said[name]) == 1 and part in said[name][0], (name, said[name])


BANS = """
table inet bans {{
    set bad {{ type ipv4_addr; flags interval; elements = {{ 192.0.2.0/24, {visitor} }} }}
    chain input {{
        type filter hook input priority -1;
        {rule}
    }}
}}
"""


def test_bans(lab, production, wicket, uplink):
    """One for whatever port holds in a window; one for port 80 holds for what is passed on."""
    for rule in ("ip saddr @bad drop", "ip saddr @bad tcp dport 80 drop"):
        lab.host.nft("table inet bans; delete table inet bans;")
        lab.host.nft(BANS.format(visitor=VISITORS4[0], rule=rule))
        document = check(wicket)
        assert_good(document)
        assert bool(document["notes"]) == ("dport" in rule)
    # Unless the loopback, over which they come, is let through before.
    lab.host.nft("table inet bans; delete table inet bans;")
    lab.host.nft(
        BANS.format(visitor=VISITORS4[0], rule="iif lo accept; ip saddr @bad tcp dport 80 drop")
    )
    found = only(check(wicket))
    assert "(ip saddr @bad tcp dport 80 drop)" in found["text"]
    assert "reach production through a window" in found["text"]


@pytest.mark.parametrize(
    ("hook", "rule", "said"),
    [
        ("prerouting", "tcp dport 80 notrack", "nothing can be redirected"),
        ("output", "tcp sport 8402 notrack", "the responder's answers"),
        ("output", "oifname lo notrack", "the loopback"),
        ("prerouting", "iifname lo notrack", "the loopback"),
    ],
)
def test_notrack(lab, production, wicket, uplink, hook, rule, said):
    load(lab, "inet raw", "c", f"filter hook {hook} priority -300", rule)
    findings = [line["text"] for line in check(wicket)["findings"] if line["subject"] == "firewall"]
    assert any(said in text for text in findings), findings
    assert all("notrack" in text for text in findings)


def test_conntrack_nearly_full(lab, production, wicket, uplink):
    """The count of a lab host is its own; the limit is the machine's, so that it is asked for."""
    limit = int(lab.host.run("cat", "/proc/sys/net/netfilter/nf_conntrack_max").stdout)
    lab.host.nft(NFTABLES.format(rules=f"tcp dport 80 accept; {ADMITTING}"))
    assert_good(check(wicket))
    path = lab.directory / "conntrack-count"
    path.write_text(f"{limit * 85 // 100}\n")
    lab.host.run("mount", "--bind", "/mnt/conntrack-count", "/proc/sys/net/netfilter/nf_conntrack_count")
    found = only(check(wicket))
    assert found["subject"] == "conntrack"
    assert "nf_conntrack_max" in found["mend"]


def test_the_port_is_taken(lab, production, wicket, uplink):
    program = "import socket; s = socket.create_server(('', 8402)); print('ready', flush=True); s.accept()"
    other = lab.host.start("/usr/bin/python3", "-c", program, name="other")
    other.output.wait_for("ready")
    found = only(check(wicket))
    assert "python3 listens on port 8402, which the responder needs" in found["text"]
    assert "responder.port" in found["mend"]
    other.signal(signal.SIGKILL)
    other.wait()
    assert_good(check(wicket))


def test_a_balancer(lab, production, wicket, uplink):
    kept = [
        network.KeepAlive(lab.outside, HOST4, source=source)
        for source in [VISITORS4[0]] * 9 + [VISITORS4[1]]
    ]
    for one in kept:
        one.ask()
    found = only(check(wicket))
    assert found["subject"] == "balancer"
    assert f"9 of 10 connections to port 80 are of {VISITORS4[0]}" in found["text"]
    for one in kept:
        one.close()


def test_dropped_before_it_is_redirected(lab, production, wicket, uplink):
    hook = "filter hook ingress device wire priority 0"
    load(lab, "netdev early", "in", hook, "tcp dport 80 drop")
    found = only(check(wicket))
    assert found["text"].startswith("netdev early in rule")
    lab.host.nft("delete table netdev early")
    load(
        lab,
        "inet raw",
        "pre",
        "filter hook prerouting priority -300",
        "iifname vmap { wire : jump outside }",
        more="chain outside {\ntcp dport { 80, 81 } drop\n}",
    )
    found = only(check(wicket))
    assert "inet raw outside rule" in found["text"] and "{ 80, 81 }" in found["text"]


def test_answers_that_do_not_leave(lab, production, wicket, uplink):
    rules = "oif lo accept\nmeta l4proto ipv6-icmp accept\ntcp sport 80 accept"
    load(lab, "inet filter", "output", "filter hook output priority 0; policy drop", rules)
    found = only(check(wicket))
    assert "drops the responder's answers" in found["text"]
    mend(lab, found["mend"])
    assert_good(check(wicket))


def test_configuration(lab, production, wicket):
    wicket.configure("redirect:\n  port: 99999\nwindow:\n  leese: 5s\n")
    findings = check(wicket)["findings"]
    assert {line["subject"] for line in findings} == {"configuration"}
    assert len(findings) == 2
    assert "wicket.yaml:2:9: redirect.port" in findings[0]["text"]
    assert "wicket.yaml:4:3" in findings[1]["text"]


def test_names(lab, production, wicket, uplink):
    """What DNS says, not /etc/hosts."""
    lab.ca.set_name("www.example.lab", [HOST4], [HOST6])
    document = check(wicket, "www.example.lab")
    assert_good(document)
    assert any(line["text"] == "www.example.lab leads to this host" for line in document["good"])
    lab.ca.set_name("www.example.lab", [HOST4], ["fd99:0:0:9::9"])
    found = only(check(wicket, "www.example.lab"))
    assert found["text"] == "www.example.lab: AAAA fd99:0:0:9::9 is no address of this host"
    assert "remove that AAAA record" in found["mend"]
    lab.ca.set_name("www.example.lab", [HOST4, "10.99.9.9"], [HOST6])
    assert "A 10.99.9.9 is no address" in only(check(wicket, "www.example.lab"))["text"]
    # Behind a NAT the name's address is the NAT's.
    lab.ca.set_name("www.example.lab", ["198.51.100.80"], [HOST6])
    document = check(wicket, "www.example.lab")
    assert_good(document)
    assert any("port 80 there has to lead here" in line["text"] for line in document["notes"])
    assert check(wicket, "nowhere.example.lab")["findings"]
    found = only(check(wicket, "*.example.lab"))
    assert "wildcard" in found["text"]


def test_usage(lab, wicket):
    result = wicket.run("check", "www.ex ample.org", check=False)
    assert result.returncode == 64
    assert "is no domain name" in result.stderr
    assert wicket.run("check", "--watch", check=False).returncode == 64


def test_without_privileges(lab, production, wicket, uplink):
    """A member of the group, with a keeper that runs: what needs root is said not to be looked at."""
    keeper = wicket.serve()
    wicket.prefix = ("setpriv", "--reuid=8501", "--regid=8501", "--groups=8402", "--")
    document = check(wicket)
    assert_good(document)
    assert any("takes root" in line["text"] for line in document["notes"])
    wicket.prefix = ("setpriv", "--reuid=8502", "--regid=8502", "--clear-groups", "--")
    found = only(check(wicket))
    assert found["subject"] == "privileges" and "group wicket" in found["text"]
    wicket.leave(keeper)


def test_explain(lab, production, wicket, uplink):
    lab.host.nft(NFTABLES.format(rules=f"tcp dport 80 accept; {ADMITTING}"))
    wicket.prefix = ("setpriv", "--reuid=8502", "--regid=8502", "--clear-groups", "--")
    text = wicket.run("ruleset", "--explain").stdout
    assert "it is sent to the responder, at port 8402." in text
    assert "is for root to see" in text
    wicket.prefix = ()
    text = wicket.run("ruleset", "--explain").stdout
    assert f"# A new connection to {HOST4} port 80, IPv4 by wire:" in text
    assert re.search(
        r"input, priority 0: inet filter input rule \d+ \(ct status dnat tcp dport 8402 accept\)"
        r" lets it go on",
        text,
    )
    # Still what nft reads, and the table that a window has.
    lab.outside.run("nft", "--check", "-f", "-", stdin=text)
    plain = wicket.run("ruleset").stdout
    assert [line for line in text.split("\n\n# What the other")[0].splitlines() if "# A packet" not in line] == (
        plain.rstrip("\n").splitlines()
    )
    for line in plain.splitlines():
        assert line in text
