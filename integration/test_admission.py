# SPDX-License-Identifier: GPL-2.0-or-later
"""redirect.admit: a rule in the host's own chains lets in what is redirected, as long as it is."""

import re
import signal
import time

import pytest
from lab import network
from lab.firewalls import KINDS, Iptables, Nftables, answered
from lab.lab import HOST4, HOST6, VALIDATORS4, VALIDATORS6, VISITORS4, VISITORS6
from lab.wicket import PREFIX, answered_by, challenge_answered, new_challenge

MARK = "acme-wicket admission"
NO_ANSWER = 0.4


@pytest.fixture(params=KINDS)
def firewall(request, lab):
    return KINDS[request.param](lab)


@pytest.fixture
def nftables(lab):
    return Nftables(lab)


def admit(wicket, chains, more=""):
    wicket.configure(f"redirect:\n  admit: {chains}\n{more}")


def validate(lab, challenge):
    """Fetches it as validators do, over both families."""
    token, key_authorization = challenge
    for address, source in ((HOST4, VALIDATORS4[0]), (HOST6, VALIDATORS6[0])):
        assert answered(lab, address, PREFIX + token, source, key_authorization)


def rules(lab):
    return lab.host.run("nft", "list", "ruleset").stdout


def get_no_answer(lab, address, source):
    answer = network.get(lab.outside, address, source=source, timeout=NO_ANSWER)
    assert answer.error and not answer.status


def test_every_firewall(lab, production, wicket, firewall):
    """Validators are let in and nobody else is, and afterwards nothing was ever there."""
    admit(wicket, firewall.chains)
    before = firewall.rules()
    challenge = new_challenge()
    wicket.hook("auth", challenge)
    assert rules(lab).count(MARK) == firewall.chains.count("family")
    validate(lab, challenge)
    for address in (HOST4, HOST6):
        with pytest.raises((TimeoutError, ConnectionRefusedError)):
            network.connect(lab.outside, address, port=8402, timeout=NO_ANSWER)
        # Who asks for anything else is not passed on: the host's own rules are overruled.
        answer = network.get(lab.outside, address)
        assert (answer.server, answer.status) == ("responder", 404)
    assert len(wicket.status()["admitted"]) == firewall.chains.count("family")
    wicket.hook("cleanup", challenge)
    assert MARK not in rules(lab)
    assert wicket.status()["admitted"] == []
    assert network.get(lab.outside, HOST4).server == "production"
    wicket.wait_gone()
    assert firewall.rules() == before


def test_certificate(lab, production, wicket, firewall, certbot):
    """A renewal as it would be, through a firewall that knows nothing of it."""
    admit(wicket, firewall.chains)
    lab.ca.set_name("www.example.lab", [HOST4], [HOST6])
    hook = "wicket -c /mnt/wicket.yaml hook certbot"
    certbot.run(certbot.manual(["www.example.lab"], f"{hook} auth", f"{hook} cleanup"))
    assert certbot.certificate()[1] == ["www.example.lab"]
    assert MARK not in rules(lab)


@pytest.mark.parametrize("kind", ["nftables", "iptables", "ufw"])
def test_ban_behind_other_rules(lab, production, wicket, kind):
    """Who is banned before a window is banned in it, and after; others are not."""
    firewall = KINDS[kind](lab)
    admit(wicket, firewall.chains)
    banned = [(VISITORS4[0], HOST4), (VISITORS6[0], HOST6)]
    # Several of them are no reason to shut: nothing says that others would not get through.
    banned += [(source, HOST4) for source in VISITORS4[2:5]]
    for source, address in banned:
        firewall.ban(source)
        get_no_answer(lab, address, source)
    challenge = wicket.add()
    for source, address in banned:
        get_no_answer(lab, address, source)
    validate(lab, challenge)
    # One that comes while the window is open holds too.
    late = VISITORS4[1]
    assert network.get(lab.outside, HOST4, source=late).server == "responder"
    firewall.ban(late)
    get_no_answer(lab, HOST4, late)
    validate(lab, challenge)
    wicket.run("remove", challenge[0])


ELSEWHERE = {
    "at the head": "insert rule inet filter input ip saddr {0} drop",
    "in an earlier chain": "table inet bans {{ chain input {{ type filter hook input priority -5;"
    " ip saddr {0} drop\n}}\n}}",
    "in a later chain": "table inet bans {{ chain input {{ type filter hook input priority 5;"
    " ip saddr {0} drop\n}}\n}}",
    "before conntrack": "table inet bans {{ chain early {{ type filter hook prerouting priority raw;"
    " ip saddr {0} drop\n}}\n}}",
    "in a chain that is called": "add chain inet filter bans\n"
    "add rule inet filter bans ip saddr {0} counter drop\ninsert rule inet filter input jump bans",
    "in a map": "add map inet filter fates {{ type ipv4_addr : verdict; elements = {{ {0} : drop }};"
    " }}\ninsert rule inet filter input ip saddr vmap @fates",
}


@pytest.mark.parametrize("where", ELSEWHERE)
def test_ban_elsewhere(lab, production, wicket, nftables, where):
    admit(wicket, nftables.chains)
    lab.host.nft(ELSEWHERE[where].format(VISITORS4[0]) + "\n")
    challenge = wicket.add()
    get_no_answer(lab, HOST4, VISITORS4[0])
    validate(lab, challenge)
    wicket.run("remove", challenge[0])
    get_no_answer(lab, HOST4, VISITORS4[0])


OVERRULED = """\
add chain inet filter services
add rule inet filter services ip saddr {0} counter drop
add rule inet filter services tcp dport 80 accept
add rule inet filter services counter drop
insert rule inet filter input ct state new jump services
"""


def test_overruled_ban(lab, production, wicket, nftables):
    """A ban that cannot hold is named; who is passed on must not come by it at all."""
    admit(wicket, nftables.chains)
    lab.host.nft(OVERRULED.format(VISITORS4[0]))
    get_no_answer(lab, HOST4, VISITORS4[0])
    keeper = wicket.serve()
    challenge = wicket.add()
    validate(lab, challenge)
    rule = re.search(r"rule \d+ of chain inet filter services", keeper.output.text())[0]
    assert "overrules a ban" in keeper.output.text()
    assert wicket.status()["overruled"] == rule
    assert f"overrules {rule}" in wicket.run("status").stdout
    wicket.run("remove", challenge[0])
    assert wicket.status()["overruled"] is None
    wicket.leave(keeper)

    admit(wicket, nftables.chains, "  pass_admitted: true\nother_requests: pass\n")
    keeper = wicket.serve()
    refused = wicket.run("add", new_challenge()[1], check=False)
    assert refused.returncode == 78
    assert f"banned by {rule} " in refused.stderr
    assert MARK not in rules(lab)
    get_no_answer(lab, HOST4, VISITORS4[0])
    # As it may be: what else that chain drops comes last of all.
    ban = f"add rule inet filter services ip saddr {VISITORS4[0]} counter drop\n"
    lab.host.nft(f"flush chain inet filter services\n{ban}")
    challenge = wicket.add()
    validate(lab, challenge)
    get_no_answer(lab, HOST4, VISITORS4[0])
    assert network.get(lab.outside, HOST4).server == "production"


# Any other port goes on in a chain of its own; and something before that may drop anybody.
BY_PORT = """\
flush chain inet filter input
add chain inet filter world
add rule inet filter world ip saddr {0} counter drop
add rule inet filter world tcp dport 80 accept
add rule inet filter world counter drop
add rule inet filter input ct state vmap {{ established : accept, related : accept }}
add rule inet filter input iif lo accept
add rule inet filter input meta l4proto {{ icmp, ipv6-icmp }} accept
add rule inet filter input limit rate over 1000/second drop
add rule inet filter input tcp dport vmap {{ 22 : accept, * : jump world }}
"""
BY_INTERFACE = """\
flush chain inet filter input
add chain inet filter world
add rule inet filter world ip saddr {0} counter drop
add rule inet filter world tcp dport 80 accept
add rule inet filter world counter drop
add rule inet filter input ct state vmap {{ established : accept, related : accept }}
add rule inet filter input meta l4proto {{ icmp, ipv6-icmp }} accept
add rule inet filter input iifname vmap {{ lo : accept, wire : jump world }}
"""


@pytest.mark.parametrize("by", [BY_INTERFACE, BY_PORT], ids=["interface", "port"])
def test_overruled_ban_behind_a_map(lab, production, wicket, nftables, by):
    """Where some go on in chains of their own, by a map."""
    lab.host.nft(by.format(VISITORS4[0]))
    get_no_answer(lab, HOST4, VISITORS4[0])
    assert network.get(lab.outside, HOST4).server == "production"
    admit(wicket, nftables.chains, "  pass_admitted: true\nother_requests: pass\n")
    keeper = wicket.serve()
    refused = wicket.run("add", new_challenge()[1], check=False)
    assert refused.returncode == 78
    assert "of chain inet filter world" in refused.stderr
    get_no_answer(lab, HOST4, VISITORS4[0])
    # Before the map it holds.
    ban = f"ip saddr {VISITORS4[0]} counter drop"
    lab.host.nft(f"insert rule inet filter input {ban}\nflush chain inet filter world\n"
                 "add rule inet filter world tcp dport 80 accept\n"
                 "add rule inet filter world counter drop\n")
    challenge = wicket.add()
    validate(lab, challenge)
    get_no_answer(lab, HOST4, VISITORS4[0])
    assert wicket.status()["overruled"] is None
    wicket.run("remove", challenge[0])
    wicket.leave(keeper)


def test_overruled_by_any_name(lab, production, wicket, nftables):
    """The kernel takes any bytes for one; the status is JSON. And gone with redirect.admit."""
    admit(wicket, "[{family: ip, table: filter, chain: INPUT}]")
    script = f"""
        name=$'caf\\xe9'
        iptables -N $name
        iptables -A $name -s {VISITORS4[0]} -j DROP
        iptables -A $name -p tcp --dport 80 -j ACCEPT
        iptables -A $name -i wire -p tcp -j DROP
        iptables -A INPUT -j $name
    """
    lab.host.run("bash", "-ec", script)
    keeper = wicket.serve()
    wicket.run("open", "--for", "1m")
    status = wicket.status()
    assert status["admitted"] == ["ip filter INPUT"]
    assert status["overruled"].endswith("of chain ip filter caf\\xe9")
    wicket.configure("{}")
    start = len(keeper.output)
    keeper.signal(signal.SIGHUP)
    keeper.output.wait_for("wicket.yaml: in force", start)
    status = wicket.status()
    assert (status["admitted"], status["overruled"]) == ([], None)
    wicket.leave(keeper)


def test_firewall_is_reloaded(lab, production, wicket, firewall, tell):
    """Its rules come anew under an open window: ours is with them again at once."""
    admit(wicket, firewall.chains)
    keeper = wicket.serve()
    challenge = wicket.add()
    validate(lab, challenge)
    start = len(keeper.output)
    before = time.monotonic()
    firewall.reload()
    # Some have it all in one go, others take their table away for a while: then there is no window.
    took, _ = challenge_answered(lab, challenge, HOST4, before)
    tell(f"answered {took * 1000:.0f} ms after the reload began")
    if isinstance(firewall, (Nftables, Iptables)):
        keeper.output.wait_for("firewall was changed: what is redirected is let in again", start)
        assert "port 80 is back" not in keeper.output.text(start)
    validate(lab, challenge)
    assert rules(lab).count(MARK) == firewall.chains.count("family")
    assert wicket.status()["reasons"]
    wicket.run("remove", challenge[0])
    assert MARK not in rules(lab)
    wicket.leave(keeper)


def test_chain_is_deleted(lab, production, wicket, nftables):
    """Where there is no chain to let anybody in, there is no window: production has the port."""
    admit(wicket, nftables.chains)
    keeper = wicket.serve()
    wicket.add()
    assert network.get(lab.outside, HOST4).server == "responder"
    lab.host.run("nft", "delete", "table", "inet", "filter")
    keeper.output.wait_for("port 80 is back with production")
    answered_by(lab, "production", HOST4)
    assert "chain inet filter input: there is no such chain" in wicket.status()["trouble"]
    # It comes back, and so does the window.
    Nftables(lab)
    keeper.output.wait_for("port 80 is redirected to the responder", len(keeper.output) - 1)
    answered_by(lab, "responder", HOST4)
    wicket.leave(keeper)
    assert MARK not in rules(lab)


def test_no_such_chain(lab, production, wicket):
    """One clear line, and no window."""
    admit(wicket, "[{family: inet, table: filter, chain: inbound}]")
    refused = wicket.run("add", new_challenge()[1], check=False)
    assert refused.returncode == 78
    assert "redirect.admit: chain inet filter inbound: there is no such chain" in refused.stderr
    assert network.get(lab.outside, HOST4).server == "production"


def test_owned_by_another(lab, production, wicket):
    owner = lab.host.popen(["nft", "-i"], stdin=-1, stdout=-1, stderr=-2, text=True)
    owner.stdin.write(
        "add table inet theirs { flags owner; }\n"
        "add chain inet theirs input { type filter hook input priority 0; }\n"
        "list chains inet\n"
    )
    owner.stdin.flush()
    while "hook input" not in owner.stdout.readline():
        pass
    admit(wicket, "[{family: inet, table: theirs, chain: input}]")
    refused = wicket.run("add", new_challenge()[1], check=False)
    assert refused.returncode == 78
    assert "chain inet theirs input: Operation not permitted" in refused.stderr
    assert "belongs to another program" in refused.stderr
    owner.communicate()


def test_killed_keeper(lab, production, wicket, nftables):
    """The rule that is left lets nobody in, since nobody is redirected; the next keeper takes it."""
    admit(wicket, nftables.chains)
    before = nftables.rules()
    keeper = wicket.serve()
    wicket.add()
    keeper.signal(signal.SIGKILL)
    keeper.wait()
    assert rules(lab).count(MARK) == 1
    assert network.get(lab.outside, HOST4).server == "production"
    with pytest.raises(TimeoutError):
        network.connect(lab.outside, HOST4, port=8402, timeout=NO_ANSWER)
    wicket.configure("{}\n")
    keeper = wicket.serve()
    assert "removed 1 rule of redirect.admit that had been left" in keeper.output.text()
    wicket.leave(keeper)
    assert nftables.rules() == before


@pytest.mark.parametrize("admits", ["still", "no more"])
def test_renamed_chain(lab, production, wicket, admits):
    """Under its new name it keeps the rule, which goes with the keeper at the latest."""
    lab.host.nft("table inet filter { chain input { type filter hook input priority 0;\n}\n}\n")
    admit(wicket, "[{family: inet, table: filter, chain: input}]")
    keeper = wicket.serve()
    wicket.add()
    assert rules(lab).count(MARK) == 1
    lab.host.nft("rename chain inet filter input other\n")
    keeper.output.wait_for("port 80 is back with production")
    if admits == "no more":
        start = len(keeper.output)
        wicket.configure("{}")
        keeper.signal(signal.SIGHUP)
        keeper.output.wait_for("wicket.yaml: in force", start)
    wicket.leave(keeper)
    assert rules(lab).count(MARK) == 0


def test_reload(lab, production, wicket, nftables):
    """An open window's admissions are those of the configuration in force."""
    admit(wicket, nftables.chains)
    lab.host.nft("table inet other { chain input { type filter hook input priority 1;\n}\n}\n")
    keeper = wicket.serve()
    challenge = wicket.add()
    start = len(keeper.output)
    admit(wicket, nftables.chains[:-1] + ", {family: inet, table: other, chain: input}]")
    keeper.signal(signal.SIGHUP)
    keeper.output.wait_for("wicket.yaml: in force", start)
    assert rules(lab).count(MARK) == 2
    validate(lab, challenge)
    for chains, expected in (("[{family: inet, table: other, chain: none}]", 2), ("[]", 0)):
        start = len(keeper.output)
        admit(wicket, chains, "other_requests: not-found\n")
        keeper.signal(signal.SIGHUP)
        keeper.output.wait_for("in force" if expected == 0 else "refused", start)
        assert rules(lab).count(MARK) == expected
    wicket.leave(keeper)


def test_pass_admitted(lab, production, wicket, nftables):
    """Only when it is asked for twice are visitors passed to production."""
    admit(wicket, nftables.chains, "other_requests: pass\n")
    refused = wicket.run("add", new_challenge()[1], check=False)
    assert refused.returncode == 78
    assert "redirect.pass_admitted" in refused.stderr
    admit(wicket, nftables.chains, "  pass_admitted: true\nother_requests: pass\n")
    challenge = wicket.add()
    validate(lab, challenge)
    assert network.get(lab.outside, HOST4, source=VISITORS4[2]).server == "production"
    assert wicket.status()["window"]["counters"]["passed"] == 1
    assert production.requests()[-1].address == VISITORS4[2]
    wicket.run("remove", challenge[0])


def test_ruleset_shows_it(lab, wicket, nftables):
    admit(wicket, nftables.chains)
    line = f'insert rule inet filter input ct status dnat tcp dport 8402 accept comment "{MARK}"'
    assert line in wicket.run("ruleset").stdout.splitlines()
