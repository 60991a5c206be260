# SPDX-License-Identifier: GPL-2.0-or-later
"""
Debian 12's own kernel, booted under qemu's software emulation: a window there. Modules come when
the kernel wants them, as on a host where nobody has used nftables.
"""

import json
import re
import signal
import time

import pytest
from lab.emulated import WITHOUT_OWNER, Emulated
from lab.lab import HOST4, HOST6, VISITORS4, VISITORS6
from lab.wicket import PREFIX, new_challenge

BOTH = [HOST4, HOST6]
VISITOR = {HOST4: VISITORS4[0], HOST6: VISITORS6[0]}
PRODUCTION = "production of the lab"
# Of those with the running kernel these are about most that may differ in another one.
KERNEL_TEST = "test_redirect_kernel_relay"


@pytest.fixture(scope="module")
def machine(work, installed):
    """With production, and conntrack idle: no table has asked for it."""
    directory = work / "emulated"
    directory.mkdir()
    one = Emulated(directory, installed, [KERNEL_TEST])
    one.shell("guest production >/run/production 2>&1 &")
    yield one
    assert one.power_off() == 0


@pytest.fixture
def challenge(machine):
    """Registered with a keeper that is there, or else comes by itself."""
    token, key_authorization = new_challenge()
    machine.run("wicket", "add", key_authorization)
    yield token, key_authorization
    machine.run("wicket", "remove", token, check=False)


def status(machine):
    return json.loads(machine.run("wicket", "status", "--json"))


def visit(machine, address, path="/", port=0):
    """(the visitor's own address and port, the body of the answer)."""
    text = machine.outside("guest", "visit", VISITOR[address], port, address, path)
    own, _, answer = text.partition("\n")
    return own.removeprefix("visitor "), answer.partition("\r\n\r\n")[2]


def assert_served(machine, challenge, address):
    token, key_authorization = challenge
    assert visit(machine, address, PREFIX + token)[1] == key_authorization


def assert_production(machine, address, path="/", port=0):
    """Its answer; and it sees the visitor's own address and port."""
    own, body = visit(machine, address, path, port)
    assert body == f"{PRODUCTION}, sees {own}\n"
    return own


def send_signal(machine, number, program, address, path):
    """Then visitors until production answers; returns (seconds, visits it did not answer)."""
    pid = machine.run("pidof", program).strip()
    text = machine.outside(
        *("guest", "signal", int(number), pid, VISITOR[address], address, path)
    ).splitlines()[-1]
    took, others = re.fullmatch(r"production after (\d+) ms, others (\d+)", text).groups()
    return int(took) / 1000, int(others)


def tables(machine):
    return machine.run("nft", "list", "tables")


def test_which_kernel(machine):
    assert machine.run("uname", "-r").startswith("6.1.")
    assert "Debian" in machine.run("cat", "/proc/version")


def test_before_any_window(machine):
    assert tables(machine) == ""
    for address in BOTH:
        assert_production(machine, address)


def test_table_is_owned(machine, challenge):
    """And so it survives others' flush."""
    before = status(machine)
    assert before["owned_table"] is True
    assert before["mode"] == "full"
    assert "flags owner" in machine.run("nft", "list", "table", "inet", "wicket")
    machine.run("nft", "flush", "ruleset", check=False)
    for address in BOTH:
        assert_served(machine, challenge, address)
    _, denied = machine.run("nft", "delete", "table", "inet", "wicket", check=False)
    assert denied != 0


@pytest.mark.parametrize("address", BOTH)
def test_challenge(machine, challenge, address):
    before = status(machine)["counters"]["validations"]
    for _ in range(3):
        assert_served(machine, challenge, address)
    assert status(machine)["counters"]["validations"] == before + 3


@pytest.mark.parametrize("address", BOTH)
def test_passed_visitor(machine, challenge, address):
    """Production sees the visitor's own address and port."""
    before = status(machine)["counters"]["passed"]
    for port in range(41001, 41004):
        assert assert_production(machine, address, port=port) == f"{VISITOR[address]} {port}"
    assert status(machine)["counters"]["passed"] == before + 3


@pytest.mark.parametrize("address", BOTH)
def test_passed_connection_is_forgotten(machine, challenge, address):
    """The way to production soon after its end; the other one's ordinary two minutes remain."""
    port = 42001
    began = time.monotonic()
    assert_production(machine, address, port=port)
    machine.run(
        *("timeout", "20", "sh", "-c"),
        f"while grep -q 'sport=80 dport={port} ' /proc/net/nf_conntrack; do :; done",
    )
    assert time.monotonic() - began < 20
    assert f"sport=8402 dport={port} " in machine.run("cat", "/proc/net/nf_conntrack")
    # Nothing is in the way of the same port.
    assert assert_production(machine, address, port=port) == f"{VISITOR[address]} {port}"


def test_responder_killed(machine, challenge):
    """Another one serves the same challenge."""
    responder = machine.run("pidof", "wicket-responder")
    machine.run("kill", "-KILL", responder.strip())
    # Waits for it.
    token, key_authorization = new_challenge()
    machine.run("wicket", "add", key_authorization)
    assert machine.run("pidof", "wicket-responder") != responder
    for address in BOTH:
        assert_served(machine, challenge, address)
        assert_production(machine, address)
    machine.run("wicket", "remove", token)


@pytest.mark.parametrize("address", BOTH)
def test_keeper_stopped(machine, challenge, address, tell):
    """The kernel ends the lease; the table stays, and the keeper takes the lease again."""
    assert_served(machine, challenge, address)
    path = PREFIX + challenge[0]
    took, others = send_signal(machine, signal.SIGSTOP, "wicket-keeper", address, path)
    tell(f"6.1, keeper SIGSTOP: production answers after {took:.2f} s ({others} others before)")
    assert 1 < took < 6
    assert "wicket" in tables(machine)
    for other in BOTH:
        assert_production(machine, other, path)
    machine.shell("kill -CONT $(pidof wicket-keeper)")
    token, key_authorization = new_challenge()
    machine.run("wicket", "add", key_authorization)
    for other in BOTH:
        assert_served(machine, challenge, other)
    machine.run("wicket", "remove", token)


@pytest.mark.parametrize("address", BOTH)
def test_keeper_killed(machine, challenge, address, tell):
    """The table is gone with it."""
    assert_served(machine, challenge, address)
    path = PREFIX + challenge[0]
    took, others = send_signal(machine, signal.SIGKILL, "wicket-keeper", address, path)
    assert "wicket" not in tables(machine)
    tell(f"6.1, keeper SIGKILL: production answers after {took * 1000:.0f} ms ({others} others)")
    # The lease would be there for three more seconds.
    assert took < 2
    for other in BOTH:
        assert_production(machine, other, path)
    assert status(machine) == {"version": 1, "running": False}


def test_leaving(machine):
    """With the last token the window shuts; then the keeper leaves, and nothing of it is left."""
    token, key_authorization = new_challenge()
    machine.run("wicket", "add", key_authorization)
    for address in BOTH:
        assert_served(machine, (token, key_authorization), address)
        assert_production(machine, address)
    keeper = machine.run("pidof", "wicket-keeper").strip()
    machine.run("wicket", "remove", token)
    for address in BOTH:
        assert_production(machine, address, PREFIX + token)
    machine.run("guest", "ends", keeper)
    assert tables(machine) == ""
    assert machine.run("pidof", "wicket-keeper", "wicket-responder", check=False)[0] == ""
    assert machine.run("ls", "/run/wicket") == "keeper.log\n"
    for address in BOTH:
        assert_production(machine, address, PREFIX + token)


def test_without_owned_tables(machine, tell):
    """The lease alone gives port 80 back when the keeper is killed; the next keeper clears up."""
    wicket = f"{WITHOUT_OWNER}/wicket"
    token, key_authorization = new_challenge()
    machine.run(wicket, "add", key_authorization)
    assert status(machine)["owned_table"] is False
    assert "owned tables" in machine.run(wicket, "status")
    assert "flags owner" not in machine.run("nft", "list", "table", "inet", "wicket")
    for address in BOTH:
        assert_served(machine, (token, key_authorization), address)
        assert_production(machine, address)
    path = PREFIX + token
    took, others = send_signal(machine, signal.SIGKILL, "wicket-keeper", HOST4, path)
    tell(f"6.1, no owner, keeper SIGKILL: production after {took:.2f} s ({others} others before)")
    assert 1 < took < 6
    assert "wicket" in tables(machine)
    for address in BOTH:
        assert_production(machine, address, path)
    machine.run("wicket", "add", key_authorization)
    assert status(machine)["owned_table"] is True
    assert "flags owner" in machine.run("nft", "list", "table", "inet", "wicket")
    machine.run("wicket", "remove", token)
    machine.run("guest", "ends", machine.run("pidof", "wicket-keeper").strip())
    assert tables(machine) == ""


def test_relays(machine):
    """The tests of the relay maps that are for the running kernel."""
    text = machine.run(KERNEL_TEST, timeout=300)
    (begun,) = re.findall(r"Running (\d+) test", text)
    assert int(begun) >= 10
    assert re.search(rf"PASSED  \] {begun} test", text)

