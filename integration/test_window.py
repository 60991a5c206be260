# SPDX-License-Identifier: GPL-2.0-or-later
"""What an open window does, and what it leaves alone."""

import os
import signal
import socket
import time

import pytest
from lab import network
from lab.control import Control
from lab.docker import publish
from lab.lab import BEHIND4, BEHIND6, HOST4, HOST6, OUTSIDE4, VISITORS4, VISITORS6
from lab.methods import BOTH_METHODS
from lab.network import KeepAlive
from lab.production import Production
from lab.wicket import PREFIX, Wicket, answered_by, new_challenge

pytestmark = BOTH_METHODS

BOTH = [HOST4, HOST6]


@pytest.fixture
def wicket(lab):
    """Turns visitors away, so that an answer tells whether the window is open."""
    one = Wicket(lab)
    one.turn_away()
    return one


def test_challenge_is_answered(lab, production, wicket):
    """Over both families, as often as asked; nothing else is."""
    token, key_authorization = wicket.add()
    for address in BOTH * 3:
        answer = network.get(lab.outside, address, PREFIX + token)
        assert (answer.status, answer.body) == (200, key_authorization.encode())
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "no-store" in answer.headers["cache-control"]
    for path in ("/", PREFIX + token + "x", PREFIX + token[:-1], PREFIX, PREFIX + "%2e%2e/"):
        answer = network.get(lab.outside, HOST4, path)
        assert answer.server == "responder"
        assert answer.status in (400, 404)
        assert key_authorization.encode() not in answer.body
    wicket.run("remove", token)
    answered_by(lab, "production", HOST4, PREFIX + token)


def test_removed_is_forgotten(lab, production, wicket):
    """Who removed a token has the answer once nobody is served it any more, over whatever way."""
    keeper = wicket.serve()
    token, key_authorization = wicket.add()
    responder = wicket.responder()
    control = Control(lab.host)
    os.kill(responder, signal.SIGSTOP)
    control.ask_remove(token)
    keeper.output.wait_for("window shut")
    assert not control.is_answered()
    os.kill(responder, signal.SIGCONT)
    assert control.result() == (0, "")
    inside = network.get(lab.host, "127.0.0.1", PREFIX + token, port=8402)
    assert inside.status == 404
    assert key_authorization.encode() not in inside.body
    control.close()
    wicket.leave(keeper)


def test_a_hung_responder_holds_up_no_remove(lab, production, wicket):
    keeper = wicket.serve()
    token, _ = wicket.add()
    os.kill(wicket.responder(), signal.SIGSTOP)
    control = Control(lab.host)
    since = time.monotonic()
    assert control.remove(token) == (0, "")
    assert time.monotonic() - since < 2
    assert network.get(lab.outside, HOST4, PREFIX + token).server == "production"
    control.close()
    wicket.leave(keeper)


@pytest.mark.parametrize("address", BOTH)
@pytest.mark.parametrize("kind", ["apache", "nginx"])
def test_connection_from_before_goes_on(lab, wicket, kind, address):
    """
    Where conntrack was idle the first NAT rule could take such a connection for a new one, and
    taking the last NAT rule away could reset it.
    """
    production = Production(lab, kind)
    assert lab.host.run("nft", "list", "ruleset").stdout == ""
    visitor = KeepAlive(lab.outside, address)
    download = KeepAlive(lab.outside, address)
    small = network.get(lab.outside, address, "/large.bin").body
    # A download that stands still: the window of the receiver is full long before its end.
    download._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    download._socket.sendall(network.request_bytes("/large.bin", address, keep_alive=True))
    assert visitor.ask().server == "production"

    token, _ = wicket.add()
    assert network.get(lab.outside, address).server == "responder"
    for _ in range(20):
        assert visitor.ask().server == "production"
    wicket.run("remove", token)
    answered_by(lab, "production", address)
    assert visitor.ask().server == "production"
    wicket.wait_gone()
    assert visitor.ask().server == "production"
    assert network.read_answer(download._stream).body == small
    visitor.close()
    download.close()
    # One connection each: nobody reconnected behind our back.
    ports = [one.port for one in production.requests() if one.path == "/"]
    assert max(ports.count(port) for port in ports) >= 23


def half_a_request(lab, address, token):
    """A connection that is with the responder, its request not yet whole."""
    connection = network.connect(lab.outside, address)
    request = network.request_bytes(PREFIX + token, address)
    connection.sendall(request[:-2])
    return connection


def wait_connections(wicket, wanted):
    """Until the responder holds so many connections; the status is the only place to see it."""
    pid = wicket.responder()
    for _ in range(1000):
        listing = wicket.host.run("ss", "-Htnp", "state", "established").stdout
        if listing.count('"wicket-respond') == wanted:
            return pid
    raise AssertionError(f"the responder never had {wanted} connections: {listing}")


@pytest.mark.parametrize("address", BOTH)
def test_validator_of_a_window_that_shuts(lab, production, wicket, address):
    """A connection that came through the window is answered, not reset, after it shut."""
    keeper = wicket.serve()
    token, key_authorization = wicket.add()
    other, _ = wicket.add()
    connection = half_a_request(lab, address, token)
    wait_connections(wicket, 1)
    # The other token goes; then the window shuts, since the keeper is stopped and re-arms no more.
    wicket.run("remove", other)
    keeper.freeze()
    answered_by(lab, "production", address)
    connection.sendall(b"\r\n")
    with connection.makefile("rb") as stream:
        answer = network.read_answer(stream)
    assert (answer.status, answer.body) == (200, key_authorization.encode())
    connection.close()
    keeper.signal(signal.SIGCONT)
    wicket.leave(keeper)


def test_connection_outlives_its_token(lab, production, wicket):
    """After an orderly end the connection is answered too: with 404, the token being gone."""
    token, _ = wicket.add()
    connection = half_a_request(lab, HOST4, token)
    wait_connections(wicket, 1)
    wicket.run("remove", token)
    answered_by(lab, "production", HOST4)
    assert wicket.status()["state"] == "draining"
    connection.sendall(b"\r\n")
    with connection.makefile("rb") as stream:
        assert network.read_answer(stream).status == 404
    connection.close()
    wicket.wait_gone()


def test_own_connections_get_production(lab, production, wicket):
    """A process of this host that connects to its own port 80."""
    token, _ = wicket.add()
    for address in ("127.0.0.1", "::1", HOST4, HOST6):
        assert network.get(lab.host, address).server == "production"
    assert network.get(lab.outside, HOST4).server == "responder"
    wicket.run("remove", token)


def test_local_clients_when_asked_for(lab, production, wicket):
    """With redirect.local this host's own connections go to the responder as well."""
    wicket.configure("redirect:\n  local: true\n")
    token, key_authorization = wicket.add()
    for address in ("127.0.0.1", "::1", HOST4, HOST6):
        answer = network.get(lab.host, address, PREFIX + token)
        assert answer.body == key_authorization.encode()
    wicket.run("remove", token)


def test_forwarded_connections_are_left_alone(make_lab):
    """A router's transit traffic for port 80 is not ours."""
    lab = make_lab(behind=True)
    wicket = Wicket(lab)
    wicket.turn_away()
    Production(lab, "nginx", host=lab.behind)
    # Nothing of this host itself listens on port 80.
    for address in (BEHIND4, BEHIND6):
        assert network.get(lab.outside, address).server == "production"
    wicket.add()
    assert network.get(lab.outside, HOST4).server == "responder"
    for address in (BEHIND4, BEHIND6):
        assert network.get(lab.outside, address).server == "production"
    assert wicket.status()["counters"]["turned_away"] == 1


NOTRACK = """
table inet untracked {
    chain prerouting { type filter hook prerouting priority raw; tcp dport 8402 notrack; }
}
"""


@pytest.mark.parametrize("rules", ["", NOTRACK], ids=["tracked", "notrack"])
def test_the_responders_own_port_is_shut(lab, production, wicket, rules):
    """Armed and in a window: who connects to port 8402 directly hears nothing."""
    lab.host.nft(rules)
    keeper = wicket.serve()
    assert wicket.status()["state"] == "armed"

    def refused(address):
        before = wicket.status()["counters"]["guarded"]
        with pytest.raises(TimeoutError):
            network.connect(lab.outside, address, port=8402, timeout=0.3)
        assert wicket.status()["counters"]["guarded"] > before

    for address in BOTH:
        refused(address)
    token, _ = wicket.add()
    assert network.get(lab.outside, HOST4).server == "responder"
    for address in BOTH:
        refused(address)
    wicket.run("remove", token)
    wicket.leave(keeper)
    # Nobody is there now, and nothing in the way: the kernel says so at once.
    for address in BOTH:
        with pytest.raises(ConnectionRefusedError):
            network.connect(lab.outside, address, port=8402, timeout=2)


def test_flushing_the_ruleset_changes_nothing(lab, production, wicket):
    lab.host.nft("table inet bystander {\n}")
    token, key_authorization = wicket.add()
    before = lab.host.run("nft", "-s", "list", "table", "inet", "wicket").stdout
    lab.host.run("nft", "flush", "ruleset", check=False)
    assert "bystander" not in lab.host.run("nft", "list", "tables").stdout
    assert lab.host.run("nft", "-s", "list", "table", "inet", "wicket").stdout == before
    denied = lab.host.run("nft", "delete", "table", "inet", "wicket", check=False)
    assert "Operation not permitted" in denied.stderr
    for address in BOTH:
        answer = network.get(lab.outside, address, PREFIX + token)
        assert answer.body == key_authorization.encode()
    # Still so after a lease: it is renewed.
    lab.host.nft("flush ruleset")
    wicket.run("remove", token)
    wicket.wait_gone()


@pytest.mark.parametrize("registered", ["before", "after"])
def test_production_is_a_container(make_lab, registered):
    """Somebody else's DNAT of port 80, as Docker's, whoever registered first."""
    lab = make_lab(behind=True)
    wicket = Wicket(lab)
    if lab.method == "redirect":  # tproxy wakes no NAT, but for the pass
        wicket.turn_away()
    Production(lab, "nginx", host=lab.behind)
    if registered == "before":
        publish(lab)
    keeper = wicket.serve()
    if registered == "after":
        publish(lab)
    for address in BOTH:
        assert network.get(lab.outside, address).server == "production"
    visitor = KeepAlive(lab.outside, HOST4)
    assert visitor.ask().server == "production"
    token, key_authorization = wicket.add()
    for address in BOTH:
        answer = network.get(lab.outside, address, PREFIX + token)
        assert answer.body == key_authorization.encode()
    assert visitor.ask().server == "production"
    wicket.run("remove", token)
    for address in BOTH:
        answered_by(lab, "production", address)
    assert visitor.ask().server == "production"
    visitor.close()
    wicket.leave(keeper)
    for address in BOTH:
        assert network.get(lab.outside, address).server == "production"


def test_only_the_configured_are_redirected(lab, production, wicket):
    """interfaces, addresses and sources narrow a window."""
    wicket.turn_away(
        "redirect:\n"
        "  interfaces: [wire]\n"
        f'  addresses: ["{HOST4}", "{HOST6}"]\n'
        f'  sources: ["{VISITORS4[0]}", "{VISITORS6[0]}"]\n'
    )
    wicket.run("open", "--for", "1m")
    for source, address, server in (
        (VISITORS4[0], HOST4, "responder"),
        (VISITORS6[0], HOST6, "responder"),
        (VISITORS4[1], HOST4, "production"),
        (VISITORS6[1], HOST6, "production"),
    ):
        assert network.get(lab.outside, address, source=source).server == server
    wicket.run("close")


def test_other_interfaces_and_addresses(lab, production, wicket):
    lab.host.ip("addr add 10.99.1.81/24 dev wire")
    wicket.turn_away(f'redirect:\n  addresses: ["{HOST4}"]\n')
    wicket.run("open", "--for", "1m")
    assert network.get(lab.outside, HOST4).server == "responder"
    assert network.get(lab.outside, "10.99.1.81").server == "production"
    assert network.get(lab.outside, HOST6).server == "production"
    wicket.run("close")
    wicket.wait_gone()
    wicket.turn_away("redirect:\n  interfaces: [elsewhere]\n")
    wicket.run("open", "--for", "1m")
    assert network.get(lab.outside, HOST4).server == "production"
    wicket.run("close")


def test_other_requests_to_https(lab, production, wicket):
    wicket.configure("other_requests: https\n")
    wicket.run("open", "--for", "1m")
    answer = network.get(lab.outside, HOST4, "/shop?item=1")
    assert answer.status == 308
    assert answer.headers["location"] == f"https://{HOST4}/shop?item=1"
    wicket.run("close")


def test_another_port_for_the_responder(lab, production, wicket):
    wicket.configure("responder:\n  port: 8500\n")
    token, key_authorization = wicket.add()
    for address in BOTH:
        answer = network.get(lab.outside, address, PREFIX + token)
        assert answer.body == key_authorization.encode()
    wicket.run("remove", token)


def test_open_ends_by_itself(lab, production, wicket):
    wicket.run("open", "--for", "1s")
    opened, _ = lab.journal.lines.wait_for_entry("port 80 is redirected")
    shut, _ = lab.journal.lines.wait_for_entry("port 80 is back with production")
    assert 0.9 < shut - opened < 1.5
    answered_by(lab, "production", HOST4)


def test_limit(lab, production, wicket):
    """No window outlives window.limit, and whoever ran into it waits as long again."""
    wicket.turn_away("window:\n  limit: 4s\n  token_lifetime: 4s\n  lease: 1s\n")
    keeper = wicket.serve()
    wicket.run("open", "--for", "1m")
    wicket.add()
    token, _ = wicket.add()  # a second later: its own deadline comes well after the limit
    opened, _ = keeper.output.wait_for_entry("port 80 is redirected")
    shut, _ = keeper.output.wait_for_entry("window shut: window.limit was reached")
    assert 3.9 < shut - opened < 4.5
    answered_by(lab, "production", HOST4)
    refused = wicket.run("add", new_challenge()[1], check=False)
    assert refused.returncode == 75
    assert "window.limit" in refused.stderr
    answer = network.get(lab.outside, HOST4, PREFIX + token)
    assert answer.server == "production"
    wicket.leave(keeper)


def test_the_ruleset_that_is_printed_is_the_one_in_force(lab, production, wicket):
    """`wicket ruleset` without its owner flag, loaded elsewhere, lists as the real table does."""
    text = wicket.run("ruleset").stdout
    assert "flags owner" in text
    token, _ = wicket.add()
    real = lab.host.run("nft", "-s", "list", "table", "inet", "wicket").stdout
    printed = text.replace("flags owner", "").replace("inet wicket", "inet printed")
    lab.outside.nft(printed)
    shown = lab.outside.run("nft", "-s", "list", "table", "inet", "printed").stdout

    def essence(listing):
        lines = [line.split("#")[0].split() for line in listing.splitlines()]
        words = [" ".join(line) for line in lines if line]
        dropped = ("flags owner", "elements = {", "table inet ")
        return [line for line in words if not line.startswith(dropped)]

    assert essence(shown) == essence(real)
    wicket.run("remove", token)


def test_visitor_with_the_address_of_a_validator(lab, production, wicket):
    """Nothing depends on who asks: any address may be a validator's."""
    token, key_authorization = wicket.add()
    for source in (OUTSIDE4, *VISITORS4):
        answer = network.get(lab.outside, HOST4, PREFIX + token, source=source)
        assert answer.body == key_authorization.encode()
    addresses = {v["address"] for v in wicket.status()["validators"]}
    assert set(VISITORS4) <= addresses
    wicket.run("remove", token)
