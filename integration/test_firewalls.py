# SPDX-License-Identifier: GPL-2.0-or-later
"""
The rules of README, "Behind a firewall", as they stand there, loaded beside the firewalls they are
for. A rule is the indented block behind the comment `<!-- firewall: NAME -->`.
"""

import re
import textwrap

import pytest
import yaml
from lab import network
from lab.firewalls import KINDS, answered, shell
from lab.lab import HOST4, HOST6, VALIDATORS4, VALIDATORS6, VISITORS4, VISITORS6
from lab.programs import TOP
from lab.visitors import Visitors
from lab.wicket import PREFIX, new_challenge

README = (TOP / "README.md").read_text()
ROUTES = [(VISITORS4[0], HOST4), (VISITORS4[1], HOST4), (VISITORS6[0], HOST6)]


def blocks(kind):
    found = re.findall(rf"^<!-- {kind}: (\w+) -->\n\n((?:(?:    .*)?\n)+)", README, re.MULTILINE)
    assert len(found) == len(dict(found)) == README.count(f"<!-- {kind}:")
    return {name: re.sub("^    ", "", text, flags=re.MULTILINE) for name, text in found}


RULES = blocks("firewall")
BANS = blocks("ban")


def validate(lab, challenge):
    token, key_authorization = challenge
    for address, source in ((HOST4, VALIDATORS4[0]), (HOST6, VALIDATORS6[0])):
        assert answered(lab, address, PREFIX + token, source, key_authorization)


def test_readme_is_complete():
    assert {*RULES, "firewalld"} == set(KINDS)
    assert set(BANS) == {"firewalld"}


@pytest.mark.parametrize("kind", RULES)
def test_without_the_rule(lab, production, wicket, kind):
    """What is redirected is dropped, and the window says so before the CA is asked."""
    KINDS[kind](lab)
    with Visitors(lab.outside, ROUTES) as visitors:
        visitors.wait_for(lambda v: v.answer.server == "production")
        hook = wicket.hook("auth", new_challenge(), check=False)
    assert hook.returncode == 75
    assert "this host's firewall drops what is redirected to port 8402" in hook.stderr
    assert "redirect.admit" in hook.stderr
    lab.journal.lines.wait_for("window shut: redirected connections did not arrive")


@pytest.mark.parametrize("kind", KINDS)
def test_with_the_rule(lab, production, wicket, certbot, kind):
    """A certificate, and visitors at production as ever; nobody gets to port 8402 directly."""
    KINDS[kind](lab)
    if kind in RULES:
        shell(lab, RULES[kind])
    challenge = wicket.add()
    validate(lab, challenge)
    for address in (HOST4, HOST6):
        assert network.get(lab.outside, address).server == "production"
        with pytest.raises((TimeoutError, ConnectionRefusedError)):
            network.connect(lab.outside, address, port=8402, timeout=0.3)
    wicket.run("remove", challenge[0])
    lab.ca.set_name("www.example.lab", [HOST4], [HOST6])
    certbot.run(certbot.manual(["www.example.lab"]))
    assert certbot.certificate()[1] == ["www.example.lab"]


def test_ufw_deny(lab, production, wicket):
    """The rule in its files comes behind ufw's own bans."""
    ufw = KINDS["ufw"](lab)
    shell(lab, RULES["ufw"])
    for source in (VISITORS4[0], VISITORS6[0]):
        ufw.ban(source)
    challenge = wicket.add()
    validate(lab, challenge)
    for source, address in ((VISITORS4[0], HOST4), (VISITORS6[0], HOST6)):
        assert network.get(lab.outside, address, source=source, timeout=0.3).error
    wicket.run("remove", challenge[0])


def test_firewalld_ban(lab, production, wicket):
    """firewalld admits before it bans: what README says of that, and what it has against it."""
    firewalld = KINDS["firewalld"](lab)
    wicket.configure("other_requests: not-found\n")
    banned = VISITORS4[0]
    firewalld.ban(banned)
    assert network.get(lab.outside, HOST4, source=banned, timeout=0.3).error
    challenge = wicket.add()
    assert network.get(lab.outside, HOST4, source=banned).server == "responder"
    shell(lab, BANS["firewalld"].replace("192.0.2.7", banned))
    assert network.get(lab.outside, HOST4, source=banned, timeout=0.3).error
    validate(lab, challenge)
    wicket.run("remove", challenge[0])


def test_configuration(lab, wicket):
    """The chains that README names are those that the firewalls have."""
    section = README[README.index("## Behind a firewall") : README.index("Behind a CDN")]
    examples = re.findall(r"((?:    (?:redirect:|  .*)\n)+)", section)
    found = [yaml.safe_load(textwrap.dedent(text)) for text in examples if "admit:" in text]
    assert [one["redirect"]["admit"] for one in found] == [
        yaml.safe_load(KINDS[kind].chains) for kind in ("nftables", "iptables")
    ]
    for text in (t for t in examples if "admit:" in t):
        wicket.configure(textwrap.dedent(text))
        assert "insert rule" in wicket.run("ruleset").stdout
