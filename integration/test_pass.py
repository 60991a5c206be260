# SPDX-License-Identifier: GPL-2.0-or-later
"""The pass: who comes through a window and asks for no challenge reaches production, unaltered."""

import os
import re
import resource
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
from lab import load, network
from lab.docker import containerized
from lab.lab import BEHIND4, BEHIND6, HOST4, HOST6, VISITORS4, VISITORS6
from lab.methods import BOTH_METHODS
from lab.network import KeepAlive, request_bytes
from lab.process import wait_for_end
from lab.production import Production
from lab.raw import Raw, ending, receive, reset
from lab.visitors import Visitors
from lab.wicket import PREFIX, Wicket, answered_by

BOTH = [HOST4, HOST6]
SOURCES = {HOST4: VISITORS4, HOST6: VISITORS6}


def come(lab, address, number=0, **more):
    """A visitor's connection."""
    source = SOURCES[address][number % len(SOURCES[address])]
    return network.connect(lab.outside, address, source=source, **more)


def get(lab, address, path="/", number=0, **more):
    source = SOURCES[address][number % len(SOURCES[address])]
    return network.get(lab.outside, address, path, source=source, **more)


class AnotherPort:
    """Equal to every port but one, and those below 1024."""

    def __init__(self, port):
        self._port = port

    def __eq__(self, port):
        return port != self._port and port >= 1024

    def __repr__(self):
        return f"another than {self._port}"


def own(lab, connection):
    """(address, port) of this side, as production sees them through a window."""
    address, port = connection.getsockname()[:2]
    return address, port if lab.method == "redirect" else AnotherPort(port)


def ask(connection, address, path="/", method="GET"):
    """One request and its answer; the server closes."""
    connection.sendall(request_bytes(path, address, method))
    with connection.makefile("rb") as stream:
        return network.read_answer(stream, method)


def assert_seen(production, path, visitor, local=None):
    """Production's log has one request for the path, from the visitor: (address, port)."""

    def seen(requests):
        return [one for one in requests if (one.path, (one.address, one.port)) == (path, visitor)]

    # Lines of several connections come in any order.
    (one,) = seen(production.wait_for_requests(seen))
    if local:
        assert one.local == local


def assert_only_visitors(production, start):
    for one in production.requests(start):
        assert one.address in {*VISITORS4, *VISITORS6}, one


@BOTH_METHODS
@pytest.mark.parametrize("kind", ["apache", "nginx"])
def test_production_sees_the_visitor(lab, wicket, kind):
    """Its own address and port; and the status counts who was passed."""
    production = Production(lab, kind)
    keeper = wicket.serve()
    wicket.run("open", "--for", "1m")
    for number, address in enumerate(BOTH * 4):
        with come(lab, address, number) as connection:
            visitor = own(lab, connection)
            answer = ask(connection, address, f"/?{number}")
        assert (answer.server, answer.status) == ("production", 200)
        assert_seen(production, f"/?{number}", visitor, address)
        counters = wicket.status()["counters"]
        assert (counters["passed"], counters["turned_away"]) == (number + 1, 0)
        assert counters["redirected"] >= number + 1
    wicket.leave(keeper)


@BOTH_METHODS
def test_a_challenge_is_answered_here(lab, production, wicket):
    """In every form that validators have; a token that nobody registered is production's."""
    token, key_authorization = wicket.add()
    for address in BOTH:
        name = f"[{address}]" if ":" in address else address
        for path in (PREFIX + token, f"http://{name}{PREFIX}{token}"):
            answer = get(lab, address, path)
            assert (answer.status, answer.body) == (200, key_authorization.encode())
            with come(lab, address) as connection:
                answer = ask(connection, address, path, "HEAD")
            assert answer.status == 200
            assert answer.headers["content-type"] == "application/octet-stream"
            assert int(answer.headers["content-length"]) == len(key_authorization)
        for number, path in enumerate((f"{PREFIX}x{token}", PREFIX + token[:-1], PREFIX, "/")):
            with come(lab, address, number) as connection:
                visitor = own(lab, connection)
                answer = ask(connection, address, f"{path}?{number}")
            assert answer.server == "production"
            assert_seen(production, f"{path}?{number}", visitor, address)
        answer = get(lab, address, f"http://{name}{PREFIX}unknown")
        assert answer.server == "production"
    wicket.run("remove", token)
    assert not any(one.path.endswith(f"/{token}") for one in production.requests())


STRANGE = {
    "no text": bytes(range(256)),
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "http/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http/0.9": b"GET /\r\n",
    "no blank line": b"GET / HTTP/1.1\r\nHost: x\r\n",
    "space before a colon": b"GET / HTTP/1.1\r\nHost : x\r\n folded\r\n\r\n",
    "two spaces": b"GET  /  HTTP/1.1\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: x\n\n",
    "escaped token": b"GET " + PREFIX.encode() + b"%41%42 HTTP/1.1\r\nHost: x\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 9\r\n\r\nabc",
    "a lower-case method": b"get / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a long header": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
}


@BOTH_METHODS
@pytest.mark.parametrize("address", BOTH)
def test_bytes_arrive_as_they_are(lab, wicket, address):
    """Malformed requests and other protocols are production's to judge."""
    production = Raw(lab)
    wicket.run("open", "--for", "1m")
    for number, (what, sent) in enumerate(STRANGE.items()):
        with come(lab, address, number) as visitor:
            visitor.sendall(sent)
            served, seen = production.accept()
            with served:
                assert (seen.address, seen.port) == own(lab, visitor), what
                assert receive(served, len(sent)) == sent, what
                answer = os.urandom(200_000)
                served.sendall(answer[:1])
                assert receive(visitor, 1) == answer[:1], what
                sender = threading.Thread(target=served.sendall, args=(answer[1:],))
                sender.start()
                assert receive(visitor, len(answer) - 1) == answer[1:], what
                sender.join()
                more = os.urandom(1000)
                visitor.sendall(more)
                assert receive(served, len(more)) == more, what
    wicket.run("close")


@pytest.mark.parametrize("address", BOTH)
def test_the_server_speaks_first(lab, wicket, address):
    """A client that says nothing is passed after responder.first_byte."""
    production = Raw(lab)
    wicket.run("open", "--for", "1m")
    began = time.monotonic()
    with come(lab, address) as visitor:
        served, seen = production.accept()
        with served:
            assert (seen.address, seen.port, seen.local) == (*own(lab, visitor), address)
            served.sendall(b"220 production of the lab\r\n")
            assert receive(visitor, 27) == b"220 production of the lab\r\n"
            took = time.monotonic() - began
            visitor.sendall(b"HELO visitor\r\n")
            assert receive(served, 14) == b"HELO visitor\r\n"
    assert 0.9 < took < 3
    wicket.run("close")


@BOTH_METHODS
@pytest.mark.parametrize("address", BOTH)
def test_a_request_that_trickles_in(lab, wicket, address):
    """What may still be a challenge is waited for; what cannot be one is passed at once."""
    wicket.configure("responder:\n  deadline: 2s\n")
    production = Raw(lab)
    token, key_authorization = wicket.add()
    whole = request_bytes(PREFIX + token, address)

    with come(lab, address) as validator:
        validator.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(whole)):
            validator.sendall(whole[at : at + 1])
        with validator.makefile("rb") as stream:
            assert network.read_answer(stream).body == key_authorization.encode()

    began = time.monotonic()
    with come(lab, address) as visitor:
        visitor.sendall(whole[:20])
        served, seen = production.accept()
        took = time.monotonic() - began
        with served:
            assert (seen.address, seen.port) == own(lab, visitor)
            assert receive(served, 20) == whole[:20]
            visitor.sendall(whole[20:])
            assert receive(served, len(whole) - 20) == whole[20:]
    assert 1.8 < took < 4

    began = time.monotonic()
    with come(lab, address) as visitor:
        visitor.sendall(b"GET /.well-kn")
        visitor.sendall(b"itting HTTP/1.1\r\n")
        served, _ = production.accept()
        took = time.monotonic() - began
        with served:
            assert receive(served, 30) == b"GET /.well-knitting HTTP/1.1\r\n"
    assert took < 0.9
    wicket.run("remove", token)


@pytest.mark.parametrize("address", BOTH)
def test_half_close(lab, wicket, address):
    """The end of one direction is not the end of the other, whoever is done first."""
    production = Raw(lab)
    wicket.run("open", "--for", "1m")
    block = os.urandom(1 << 20)

    def talk(done, goes_on):
        """`done` says its last, `goes_on` sends a block to its end."""
        done.sendall(b"my last")
        done.shutdown(socket.SHUT_WR)
        assert ending(goes_on) == (b"my last", "end")
        sender = threading.Thread(target=lambda: goes_on.sendall(block) or goes_on.close())
        sender.start()
        assert ending(done) == (block, "end")
        sender.join()

    for number, visitor_first in enumerate((True, False)):
        with come(lab, address, number) as visitor:
            visitor.sendall(b"hello")
            served, _ = production.accept()
            with served:
                assert receive(served, 5) == b"hello"
                if visitor_first:
                    talk(visitor, served)
                else:
                    talk(served, visitor)
    wicket.run("close")


@pytest.mark.parametrize("address", BOTH)
def test_reset(lab, wicket, address):
    """A reset is seen as one by the other side."""
    production = Raw(lab)
    wicket.run("open", "--for", "1m")
    for number, visitor_first in enumerate((True, False)):
        visitor = come(lab, address, number)
        visitor.sendall(b"hello")
        served, _ = production.accept()
        assert receive(served, 5) == b"hello"
        one, other = (visitor, served) if visitor_first else (served, visitor)
        reset(one)
        with pytest.raises(ConnectionResetError):
            other.recv(1)
        other.close()
    wicket.run("close")


@pytest.mark.parametrize("address", BOTH)
def test_nobody_on_port_80(lab, wicket, address):
    """As without a window the visitor is told at once; the challenge is answered all the same."""
    token, key_authorization = wicket.add()
    for number in range(3):
        began = time.monotonic()
        with come(lab, address, number) as visitor:
            with pytest.raises(ConnectionResetError):
                visitor.sendall(request_bytes("/", address))
                visitor.recv(1)
        assert time.monotonic() - began < 1
        answer = get(lab, address, PREFIX + token)
        assert (answer.status, answer.body) == (200, key_authorization.encode())
    wicket.run("remove", token)


NOTRACK = """
table inet loose {
    chain prerouting {
        type filter hook prerouting priority raw;
        iif lo tcp dport 80 notrack
        iif lo tcp sport 80 notrack
    }
    chain output {
        type filter hook output priority raw;
        oif lo tcp dport 80 notrack
        oif lo tcp sport 80 notrack
    }
}
"""


def test_loopback_is_not_tracked(lab, production, wicket, tell):
    """
    Without conntrack on loopback nobody can be given a visitor's address: visitors of that second
    are refused rather than seen as this host, and the window is shut.
    """
    lab.host.nft(NOTRACK)
    keeper = wicket.serve()
    start = len(production.requests())
    routes = [(VISITORS4[0], HOST4), (VISITORS6[0], HOST6)]
    with Visitors(lab.outside, routes) as visitors:
        visitors.wait_for(lambda v: v.answer.server == "production")
        wicket.run("open", "--for", "1m", check=False)
        opened, _ = keeper.output.wait_for_entry("port 80 is redirected")
        shut, _ = keeper.output.wait_for_entry("port 80 is back with production")
        for address in BOTH:
            visitors.wait_for(
                lambda v, a=address: v.address == a and v.answer.server == "production",
                since=shut,
            )
    tell(f"not tracked: the window shut by itself after {(shut - opened) * 1000:.0f} ms")
    assert shut - opened < 2.5
    assert re.search("conntrack|notrack", wicket.status()["trouble"])
    assert set(visitors.tally(until=opened)) == {"production 200"}
    refused = [v for v in visitors.visits() if v.answer.server != "production"]
    assert refused
    for visit in refused:
        assert visit.answer.status == 0, visit
        assert opened - 1 < visit.began < shut, visit
    assert_only_visitors(production, start)
    wicket.leave(keeper)


@BOTH_METHODS
@pytest.mark.parametrize("strictness", [0, 1, 2])
@pytest.mark.parametrize("place", ["host", "container"])
def test_reverse_path_filter(make_lab, place, strictness):
    """Production here or in a container behind Docker's rules; whatever rp_filter says."""
    lab = make_lab(behind=place == "container")
    interfaces = ("all", "default", "lo", "wire") + (("inner",) if lab.behind else ())
    for interface in interfaces:
        lab.host.sysctl(f"net/ipv4/conf/{interface}/rp_filter", strictness)
    production = containerized(lab) if lab.behind else Production(lab, "nginx")
    local = {HOST4: BEHIND4, HOST6: BEHIND6} if lab.behind else {HOST4: HOST4, HOST6: HOST6}
    wicket = Wicket(lab)
    token, key_authorization = wicket.add()
    for number, address in enumerate(BOTH * 4):
        with come(lab, address, number) as connection:
            visitor = own(lab, connection)
            answer = ask(connection, address, f"/?{number}")
        assert (answer.server, answer.status) == ("production", 200)
        assert_seen(production, f"/?{number}", visitor, local[address])
        assert get(lab, address, PREFIX + token).body == key_authorization.encode()
    counters = wicket.status()["counters"]
    assert (counters["passed"], counters["turned_away"]) == (8, 0)
    wicket.run("remove", token)
    wicket.wait_gone()


def test_several_local_addresses(lab, production, wicket):
    """Production is reached at the address that the visitor came to."""
    second = {HOST4: "10.99.1.81", HOST6: "fd99:0:0:1::81"}
    lab.host.ip(
        f"addr add {second[HOST4]}/24 dev wire", f"addr add {second[HOST6]}/64 dev wire nodad"
    )
    wicket.run("open", "--for", "1m")
    for address in BOTH:
        for number, local in enumerate((address, second[address]) * 2):
            source = SOURCES[address][number]
            with network.connect(lab.outside, local, source=source) as connection:
                visitor = own(lab, connection)
                assert ask(connection, local, f"/?{local}-{number}").server == "production"
            assert_seen(production, f"/?{local}-{number}", visitor, local)
    wicket.run("close")


@BOTH_METHODS
def test_processes_of_this_host(lab, production, wicket):
    """With redirect.local they come through the window too, and are passed as themselves."""
    wicket.configure("redirect:\n  local: true\n")
    token, key_authorization = wicket.add()
    for number, address in enumerate(("127.0.0.1", "::1", HOST4, HOST6)):
        assert network.get(lab.host, address, PREFIX + token).body == key_authorization.encode()
        with network.connect(lab.host, address) as connection:
            visitor = own(lab, connection)
            assert ask(connection, address, f"/?{number}").server == "production"
        assert_seen(production, f"/?{number}", visitor, address)
    # No visitors from outside.
    assert wicket.status()["counters"]["passed"] == 0
    wicket.run("remove", token)


@pytest.mark.parametrize("address", BOTH)
def test_the_same_port_again(lab, production, wicket, address, tell):
    """Who comes back from the same port is served at once, and seen as before."""
    wicket.run("open", "--for", "1m")
    slowest = 0
    for number in range(20):
        began = time.monotonic()
        with come(lab, address, source_port=45678) as connection:
            assert ask(connection, address, f"/?{number}").server == "production"
            # Who closes first waits, and that must be the other side.
            assert connection.recv(1) == b""
        slowest = max(slowest, time.monotonic() - began)
        seen = production.wait_for_requests(lambda r, n=number: r[-1].path == f"/?{n}")[-1]
        assert seen.address == SOURCES[address][0]
    tell(f"the same port again, 20 times: at most {slowest * 1000:.1f} ms")
    assert slowest < 1.5
    wicket.run("close")


@pytest.mark.parametrize("address", BOTH)
def test_a_port_that_is_taken(lab, production, wicket, address):
    """Where this host uses the visitor's port itself, the address is still the visitor's."""
    with lab.host.network():
        taken = socket.create_server(
            ("::", 45678), family=socket.AF_INET6, dualstack_ipv6=True
        )
    wicket.run("open", "--for", "1m")
    for number in range(5):
        with come(lab, address, number, source_port=45678) as connection:
            assert ask(connection, address, f"/?{number}").server == "production"
        seen = production.wait_for_requests(lambda r, n=number: r[-1].path == f"/?{n}")[-1]
        assert seen.address == SOURCES[address][number]
    taken.close()
    wicket.run("close")


DRAIN = "window:\n  drain: 2s\n"


@pytest.mark.parametrize("address", BOTH)
def test_a_download_outlives_its_window(lab, production, wicket, address):
    """`wicket run` returns at once; the keeper leaves when the visitor has everything."""
    wicket.configure(DRAIN)
    run = lab.host.popen(
        wicket.command("run", "--open", "--", "sh", "-c", "echo ready; read -r line"),
        **{"stdin": -1, "stdout": -1, "stderr": -1, "text": True},
    )
    assert run.stdout.readline() == "ready\n"
    with lab.outside.network():
        visitor = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    visitor.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    visitor.settimeout(5)
    visitor.bind((SOURCES[address][0], 0))
    visitor.connect((address, 80))
    visitor.sendall(request_bytes("/large.bin", address))
    got = receive(visitor, 20_000)
    ended = time.monotonic()
    run.communicate("go on\n", 15)
    assert run.returncode == 0
    assert time.monotonic() - ended < 1
    answered_by(lab, "production", address)
    # Slowly, for longer than the grace of an idle connection.
    pace = threading.Event()
    for _ in range(8):
        pace.wait(0.4)
        got += receive(visitor, 60_000)
    assert wicket.status()["state"] == "draining"
    rest, how = ending(visitor)
    visitor.close()
    assert how == "end"
    assert (got + rest).partition(b"\r\n\r\n")[2] == (production.pages / "large.bin").read_bytes()
    wicket.wait_gone(15)


@pytest.mark.parametrize("address", BOTH)
def test_an_idle_connection_is_closed(lab, production, wicket, address, tell):
    """window.drain after the window has shut, when nothing has been said."""
    wicket.configure(DRAIN)
    wicket.run("open", "--for", "1m")
    visitor = KeepAlive(lab.outside, address, source=SOURCES[address][0])
    assert visitor.ask().server == "production"
    wicket.run("close")
    shut = time.monotonic()
    # It may go on asking for as long as it does not pause.
    pace = threading.Event()
    for _ in range(3):
        pace.wait(1)
        assert visitor.ask().server == "production"
    last = time.monotonic()
    how = visitor.wait_cut(10)
    took = time.monotonic() - last
    tell(f"idle: {how} after {took:.1f} s, {last - shut:.1f} s after the window")
    assert 1.5 < took < 5
    visitor.close()
    wicket.wait_gone(15)


@BOTH_METHODS
def test_keeper_killed(lab, production, wicket, tell):
    """Who was passed is cut at once; who comes next gets production, as before any window."""
    keeper = wicket.serve()
    wicket.run("open", "--for", "1m")
    passed = [KeepAlive(lab.outside, a, source=SOURCES[a][0]) for a in BOTH]
    for visitor in passed:
        assert visitor.ask().server == "production"
    assert wicket.status()["counters"]["passed"] == 2
    start = len(production.requests())
    killed = time.monotonic()
    keeper.signal(signal.SIGKILL)
    how = [visitor.wait_cut(2) for visitor in passed]
    tell(f"keeper SIGKILL: cut after {(time.monotonic() - killed) * 1000:.1f} ms ({how})")
    assert time.monotonic() - killed < 1
    keeper.wait()
    for number, address in enumerate(BOTH):
        with come(lab, address, 1) as connection:
            visitor = connection.getsockname()[:2]
            assert ask(connection, address, f"/?{number}").server == "production"
        assert_seen(production, f"/?{number}", visitor, address)
    assert_only_visitors(production, start)
    for visitor in passed:
        visitor.close()


@BOTH_METHODS
@pytest.mark.parametrize("kind", ["nginx", "apache"])
def test_keeper_killed_and_the_responder_slow(lab, kind, wicket):
    """
    The table outlives the keeper until the responder's connections have been reset: with it goes
    what translates them, and production has a connection of the visitor's own address and port, so
    that what the visitor says next would be answered by that, and never be reset.
    """
    Production(lab, kind)
    keeper = wicket.serve()
    wicket.run("open", "--for", "1m")
    passed = [KeepAlive(lab.outside, a, source=SOURCES[a][0]) for a in BOTH]
    for visitor in passed:
        assert visitor.ask().server == "production"
    responder = wicket.responder()
    os.kill(responder, signal.SIGSTOP)
    keeper.signal(signal.SIGKILL)
    keeper.wait()
    assert wait_for_end(responder, 5)
    for visitor in passed:
        visitor.speak()
        visitor.wait_cut(2)
        visitor.close()
    assert "table" not in lab.host.run("nft", "list", "ruleset").stdout
    assert network.get(lab.outside, HOST4).server == "production"


@BOTH_METHODS
@pytest.mark.parametrize("address", BOTH)
def test_keeper_stopped(lab, production, wicket, address, tell):
    """Who was passed goes on; who needs the keeper waits for it; after the lease nobody does."""
    keeper = wicket.serve()
    wicket.run("open", "--for", "1m")
    passed = KeepAlive(lab.outside, address, source=SOURCES[address][0])
    assert passed.ask().server == "production"
    stopped = time.monotonic()
    keeper.freeze()
    with come(lab, address, 1) as visitor:
        visitor.sendall(request_bytes("/", address))
        # At most a lease later production has port 80, with nobody's help.
        took, _ = answered_by(lab, "production", address, since=stopped)
        assert took < 5.5
        # Not a reset: the keeper has been given a copy of the socket.
        assert visitor.recv(1) == b""
        took = time.monotonic() - stopped
        tell(f"keeper SIGSTOP: a visitor is let go after {took:.2f} s")
        assert 4.5 < took < 8
    with come(lab, address, 2) as connection:
        visitor = connection.getsockname()[:2]
        assert ask(connection, address, "/?after").server == "production"
    assert_seen(production, "/?after", visitor, address)
    assert passed.ask().server == "production"
    passed.close()
    keeper.signal(signal.SIGCONT)
    wicket.leave(keeper)


@BOTH_METHODS
@pytest.mark.parametrize("address", BOTH)
def test_keeper_late(lab, production, wicket, address):
    """A keeper that a busy host lets run only 2 s later loses nobody."""
    keeper = wicket.serve()
    wicket.run("open", "--for", "1m")
    keeper.freeze()
    with come(lab, address, 1) as connection:
        visitor = own(lab, connection)
        connection.sendall(request_bytes("/?late", address))
        connection.settimeout(2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        keeper.signal(signal.SIGCONT)
        connection.settimeout(5)
        assert connection.recv(12) == b"HTTP/1.1 200"
    assert_seen(production, "/?late", visitor, address)
    wicket.leave(keeper)


@BOTH_METHODS
@pytest.mark.parametrize("address", BOTH)
def test_responder_killed(lab, production, wicket, address):
    """Who was passed is cut; the next responder passes the next visitor."""
    keeper = wicket.serve()
    wicket.run("open", "--for", "1m")
    passed = KeepAlive(lab.outside, address, source=SOURCES[address][0])
    assert passed.ask().server == "production"
    before = len(keeper.output)
    count = wicket.status()["counters"]["passed"]
    os.kill(wicket.responder(), signal.SIGKILL)
    assert passed.wait_cut(2) in ("end", "reset")
    passed.close()
    keeper.output.wait_for("port 80 is redirected", before)
    with come(lab, address, 1) as connection:
        visitor = own(lab, connection)
        assert ask(connection, address, "/?next").server == "production"
    assert_seen(production, "/?next", visitor, address)
    assert wicket.status()["counters"]["passed"] == count + 1
    wicket.leave(keeper)


@BOTH_METHODS
def test_reload_cuts_nobody(lab, production, wicket, tell):
    """The table is replaced again and again under passed connections, and fresh ones."""
    wicket.configure("{}\n")
    keeper = wicket.serve()
    wicket.run("open", "--for", "5m")
    passed = [
        KeepAlive(lab.outside, address, source=SOURCES[address][number])
        for address in BOTH
        for number in range(8)
    ]
    for visitor in passed:
        assert visitor.ask().server == "production"
    start = len(production.requests())
    routes = [(VISITORS4[7], HOST4), (VISITORS6[7], HOST6)] * 2
    with Visitors(lab.outside, routes, rate=100) as visitors:
        for number in range(30):
            before = len(keeper.output)
            sources = [VISITORS4[number % 7], VISITORS4[7], VISITORS6[number % 7], VISITORS6[7]]
            listed = ", ".join(f'"{source}"' for source in sources)
            wicket.configure(f"redirect:\n  sources: [{listed}]\n")
            keeper.signal(signal.SIGHUP)
            keeper.output.wait_for("replaced, the window stays open", before)
            for visitor in passed:
                assert visitor.ask().server == "production"
    assert set(visitors.tally()) == {"production 200"}
    assert_only_visitors(production, start)
    for visitor in passed:
        visitor.close()
    tell(f"30 reloads under {len(passed)} passed connections and {visitors.tally()}")
    wicket.leave(keeper)


@pytest.mark.parametrize("kind", ["nginx", "docker"])
def test_as_fast_as_can_be(make_lab, kind, tell):
    """No visitor is lost for want of ports, places or time, whoever closes first."""
    lab = make_lab(behind=kind == "docker")
    record = load.run(lab, kind, 10)
    tell("\n    ".join(load.describe(record)))
    assert record["wrong"] == {}
    assert record["passed"] >= sum(row["answers"] for row in record["rows"])
    for row in record["rows"]:
        assert row["answers"] > 500


MANY = 4000


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def private_kib(pid):
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"Private_Dirty: +(\d+) kB", text)[1])


def test_many_at_once(lab, wicket, tell):
    """Thousands of passed connections, all alive; what they cost is given back."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard > 3 * MANY
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    Production(lab, "nginx")
    keeper = wicket.serve()
    wicket.run("open", "--for", "10m")
    responder = wicket.responder()
    costs = [(descriptors(responder), private_kib(responder), descriptors(keeper.pid))]
    visitors = []
    try:
        for number in range(MANY):
            address = BOTH[number % 2]
            source = SOURCES[address][number // 2 % 8]
            visitors.append(KeepAlive(lab.outside, address, source=source))
            assert visitors[-1].ask().server == "production", number
        costs.append((descriptors(responder), private_kib(responder), descriptors(keeper.pid)))
        for number, visitor in enumerate(visitors):
            assert visitor.ask().server == "production", number
        assert wicket.responder() == responder
        assert wicket.status()["counters"]["passed"] == MANY
    finally:
        for visitor in visitors:
            visitor.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    # Nobody announces when the last one has gone.
    deadline = time.monotonic() + 10
    pause = threading.Event()
    while descriptors(responder) > costs[0][0] + 16 and time.monotonic() < deadline:
        pause.wait(0.05)
    costs.append((descriptors(responder), private_kib(responder), descriptors(keeper.pid)))
    for when, (held, memory, kept) in zip(("before", "with all", "after"), costs):
        tell(f"{MANY} passed, {when}: {held} descriptors, {memory} KiB; the keeper {kept}")
    assert 2 * MANY <= costs[1][0] - costs[0][0] <= 2 * MANY + 64
    assert costs[2][0] <= costs[0][0] + 16
    # A page each is far more than a connection may cost.
    assert costs[1][1] - costs[0][1] < 4 * MANY
    assert costs[1][2] == costs[2][2] == costs[0][2]
    wicket.leave(keeper)
