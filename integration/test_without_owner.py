# SPDX-License-Identifier: GPL-2.0-or-later
"""
A kernel that knows no owned tables (before 5.12), as integration/keeper_without_owner.c makes one of
this: nothing removes the table of a keeper that is killed, and the lease alone gives port 80 back.
"""

import signal
import threading
import time

import pytest
from lab import network, programs
from lab.lab import HOST4, HOST6, VISITORS4, VISITORS6
from lab.network import KeepAlive
from lab.process import wait_for_end
from lab.wicket import PREFIX, Wicket, answered_by

BOTH = [HOST4, HOST6]
SOURCES = {HOST4: VISITORS4, HOST6: VISITORS6}
LEASE_S = 2  # shorter ones are not always renewed in time on a busy machine
CONFIG = f"window:\n  lease: {LEASE_S}s\n"


class WithoutOwner(Wicket):
    """The programs beside each other, that keeper in place of the other one."""

    def __init__(self, lab):
        super().__init__(lab)
        tree = lab.directory / "tree"
        tree.mkdir()
        build = programs.build_directory()
        for name, source in (
            ("wicket", build / "src" / "wicket"),
            ("wicket-keeper", build / "integration" / "keeper_without_owner"),
            ("wicket-ledger", build / "src" / "wicket-ledger"),
            ("wicket-responder", build / "src" / "wicket-responder"),
        ):
            (tree / name).write_bytes(source.read_bytes())
            (tree / name).chmod(0o755)

    def command(self, *arguments):
        return ["/mnt/tree/wicket", *super().command(*arguments)[1:]]


@pytest.fixture
def wicket(lab):
    one = WithoutOwner(lab)
    one.configure(CONFIG)
    return one


def table(lab):
    """The table that the kernel has, or None."""
    listing = lab.host.run("nft", "list", "table", "inet", "wicket", check=False)
    return listing.stdout if listing.returncode == 0 else None


def challenged(lab, challenge):
    for address in BOTH:
        answer = network.get(lab.outside, address, PREFIX + challenge[0])
        assert (answer.status, answer.body) == (200, challenge[1].encode()), answer


def test_it_says_so(lab, production, wicket):
    """The log at the start, the status for as long as it runs."""
    keeper = wicket.serve()
    keeper.output.wait_for("no owned tables: if the keeper is killed, the lease alone")
    assert wicket.status()["owned_table"] is False
    assert "this kernel has no owned tables" in wicket.run("status").stdout
    assert "flags owner" not in table(lab)
    wicket.leave(keeper)
    assert table(lab) is None


def test_a_window(lab, production, wicket):
    """Longer than a lease, which is renewed; then nothing is left."""
    keeper = wicket.serve()
    challenge = wicket.add()
    pace = threading.Event()
    for _ in range(25):
        challenged(lab, challenge)
        pace.wait(LEASE_S / 10)
    for address in BOTH:
        visitor = network.connect(lab.outside, address, source=SOURCES[address][0])
        own = visitor.getsockname()[:2]
        visitor.sendall(network.request_bytes("/?passed", address))
        with visitor, visitor.makefile("rb") as stream:
            assert network.read_answer(stream).server == "production"
        seen = production.wait_for_requests(
            lambda all_, who=own: [one for one in all_ if (one.address, one.port) == who]
        )[-1]
        assert seen.path == "/?passed"
    assert wicket.status()["counters"]["passed"] == 2
    wicket.run("remove", challenge[0])
    for address in BOTH:
        answered_by(lab, "production", address, PREFIX + challenge[0])
    wicket.leave(keeper)
    assert table(lab) is None


def test_keeper_killed(lab, production, wicket, tell):
    """The table stays, its lease ends; the next keeper replaces it, and leaves nothing."""
    keeper = wicket.serve()
    challenge = wicket.add()
    challenged(lab, challenge)
    passed = [KeepAlive(lab.outside, a, source=SOURCES[a][0]) for a in BOTH]
    direct = KeepAlive(lab.host, "127.0.0.1")
    for visitor in (*passed, direct):
        assert visitor.ask().server == "production"
    responder = wicket.responder()

    killed = time.monotonic()
    keeper.signal(signal.SIGKILL)
    for visitor in passed:
        assert visitor.wait_cut(2) in ("end", "reset")
        visitor.close()
    assert time.monotonic() - killed < 1
    took, others = answered_by(lab, "production", HOST4, since=killed)
    tell(f"keeper SIGKILL, no owner: production after {took:.2f} s ({others} others before)")
    # Renewed every third of it.
    assert 0.5 * LEASE_S < took < LEASE_S + 0.5
    answered_by(lab, "production", HOST6, since=killed, timeout=LEASE_S + 1)
    assert direct.ask().server == "production"
    direct.close()
    keeper.wait()
    assert wait_for_end(responder, 5), "the responder outlives the keeper"

    assert "chain prerouting" in table(lab)
    # Nobody takes the lease again.
    for address in BOTH:
        answer = network.get(lab.outside, address, PREFIX + challenge[0])
        assert answer.server == "production"
    left = lab.host.run("nft", "list", "set", "inet", "wicket", "ports").stdout
    assert "elements" not in left
    assert wicket.status() == {"version": 1, "running": False}

    lab.host.nft("add set inet wicket leftover { type inet_service; }\n")
    keeper = wicket.serve()
    assert "leftover" not in table(lab)
    challenge = wicket.add()
    challenged(lab, challenge)
    wicket.run("remove", challenge[0])
    wicket.leave(keeper)
    assert table(lab) is None


def test_keeper_stopped(lab, production, wicket, tell):
    """The same lease ends for one that hangs; it takes it again when it goes on."""
    keeper = wicket.serve()
    challenge = wicket.add()
    stopped = time.monotonic()
    keeper.freeze()
    took, _ = answered_by(lab, "production", HOST4, PREFIX + challenge[0], since=stopped)
    tell(f"keeper SIGSTOP, no owner: production after {took:.2f} s")
    assert took < LEASE_S + 0.5
    keeper.signal(signal.SIGCONT)
    keeper.output.wait_for("port 80 is redirected")
    answered_by(lab, "responder", HOST4, PREFIX + challenge[0])
    challenged(lab, challenge)
    wicket.leave(keeper)
    assert table(lab) is None
