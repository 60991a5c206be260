# SPDX-License-Identifier: GPL-2.0-or-later
"""Every ACME client gets a certificate and the next one, however it is run."""

import re
import time

import pytest
from lab.clients import ALL, HOOKED, trust
from lab.distance import Distance
from lab.lab import HOST4, HOST6

ROUNDS = 20
NAMES = ["one.example.lab", "two.example.lab"]


@pytest.fixture
def ready(lab, production):
    """What production looks like before anything happens, the CA being ready."""
    for name in NAMES:
        lab.ca.set_name(name, [HOST4], [HOST6])
    trust(lab)
    lab.at_end(Distance(lab.outside).close)
    return production.fingerprint()


def obtain_and_renew(client):
    client.run(NAMES)
    first, names = client.certificate(NAMES)
    assert names == sorted(NAMES)
    client.run(NAMES, renew=True)
    second, names = client.certificate(NAMES)
    assert names == sorted(NAMES)
    assert second != first


@pytest.mark.parametrize("name", ALL)
def test_as_root_with_no_keeper(lab, ready, production, wicket, name):
    """What is needed starts by itself, and is gone again."""
    obtain_and_renew(ALL[name](lab, "client"))
    wicket.wait_gone()
    assert production.fingerprint() == ready
    assert not any("/.well-known/" in one.path for one in production.requests())


@pytest.mark.parametrize("name", ALL)
def test_as_a_member_of_the_group(lab, ready, production, wicket, name):
    """With a keeper that runs, and no other privilege."""
    keeper = wicket.serve()
    client = ALL[name](lab, "client", user="member")
    obtain_and_renew(client)
    counters = wicket.status()["counters"]
    # For the second certificate the CA may go by what was proved for the first.
    assert counters["tokens"] >= len(NAMES)
    assert counters["validations"] >= 3 * len(NAMES)
    assert keeper.stop() == 0
    wicket.assert_gone()
    assert production.fingerprint() == ready


@pytest.mark.parametrize("name", HOOKED)
def test_as_a_stranger(lab, ready, production, wicket, name):
    """Who is not in the group gets no certificate, and is told which group it takes."""
    keeper = wicket.serve()
    client = ALL[name](lab, "client", user="stranger")
    refused = client.run(NAMES[:1], check=False)
    said = refused.stdout + refused.stderr
    assert "member of the group wicket" in said
    assert not lab.host.path(client.certificate_path(NAMES[:1])).exists()
    counters = wicket.status()["counters"]
    assert (counters["tokens"], counters["windows"]) == (0, 0)
    assert keeper.stop() == 0


def test_five_at_once(lab, ready, wicket, tell):
    """Twenty rounds: they share windows and keepers, and none loses a challenge to another."""
    kinds = ["certbot manual", "dehydrated chain", "uacme", "acmetool", "acme.sh's way"]
    clients = {}
    for number, kind in enumerate(kinds):
        name = f"client-{number}.example.lab"
        lab.ca.set_name(name, [HOST4], [HOST6])
        clients[name] = ALL[kind](lab, f"client-{number}")
    serials = {name: set() for name in clients}
    began = time.monotonic()
    for round_ in range(ROUNDS):
        running = [client.start([name], renew=round_ > 0) for name, client in clients.items()]
        for process in running:
            assert process.wait_output(120) == 0, process.output.text()
        for name, client in clients.items():
            serial, names = client.certificate([name])
            assert names == [name]
            serials[name].add(serial)
        assert len(wicket.keepers()) <= 1
    assert {name: len(seen) for name, seen in serials.items()} == dict.fromkeys(clients, ROUNDS)
    words = [text for _, text in lab.journal.lines.entries()]
    windows = sum("is redirected to" in text for text in words)
    tokens = sum(bool(re.search("token .* (registered|appeared)", text)) for text in words)
    tell(
        f"{ROUNDS} rounds of {len(kinds)} clients in {time.monotonic() - began:.0f} s:"
        f" {tokens} tokens, {windows} windows"
    )
    # Told never to, pebble goes by an earlier proof now and then all the same.
    asked = sum("Starting 3 validations" in text for _, text in lab.ca.pebble.output.entries())
    assert tokens == asked
    assert ROUNDS * len(kinds) * 0.8 < asked <= ROUNDS * len(kinds)
    assert windows < tokens
    wicket.wait_gone()
