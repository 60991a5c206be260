# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever dies, hangs or is forgotten, port 80 is back with production. With the times it took."""

import os
import platform
import signal
import threading
import time
from pathlib import Path

import pytest
from lab import network, proc
from lab.lab import HOST4, HOST6
from lab.methods import BOTH_METHODS
from lab.network import KeepAlive
from lab.process import wait_for_end
from lab.wicket import PREFIX, Wicket, answered_by, challenge_answered, new_challenge

pytestmark = BOTH_METHODS

BOTH = [HOST4, HOST6]
FLOCK = {"x86_64": 73, "aarch64": 32}.get(platform.machine())


@pytest.fixture
def wicket(lab):
    """Turns visitors away, so that an answer tells who has port 80."""
    one = Wicket(lab)
    one.turn_away()
    return one


def test_keeper_killed(lab, production, wicket, tell):
    keeper = wicket.serve()
    wicket.add()
    visitor = KeepAlive(lab.host, "127.0.0.1")
    responder = wicket.responder()
    killed = time.monotonic()
    keeper.signal(signal.SIGKILL)
    took, others = answered_by(lab, "production", HOST4, since=killed)
    tell(f"keeper SIGKILL: production answers after {took * 1000:.1f} ms ({others} others before)")
    assert took < 1
    assert network.get(lab.outside, HOST6).server == "production"
    assert visitor.ask().server == "production"
    keeper.wait()
    assert wait_for_end(responder, 5), "the responder outlives the keeper"
    assert "wicket" not in lab.host.run("nft", "list", "tables").stdout
    # What it left in the file system is in nobody's way.
    assert wicket.status() == {"version": 1, "running": False}
    token, _ = wicket.add()
    wicket.run("remove", token)
    wicket.wait_gone()


def lock_held(keeper):
    """Another descriptor for the keeper's lock meanwhile, as its responder has one."""
    (number,) = [
        number for number, path in proc.descriptors(keeper).items() if path.endswith(".lock")
    ]
    return proc.borrowed(keeper, number)


def wait_in_flock(process):
    """Until it is asleep in flock(2): the kernel announces that nowhere but here."""
    pause = threading.Event()
    deadline = time.monotonic() + 10
    while not Path(f"/proc/{process.pid}/syscall").read_text().startswith(f"{FLOCK} "):
        assert process.returncode is None, process.output.text()
        assert time.monotonic() < deadline, "it does not wait for the lock"
        pause.wait(0.002)


def test_the_next_keeper_waits_for_a_dying_responder(lab, production, wicket):
    """It has the port, the table and the lock until it is gone: nobody is refused for that."""
    keeper = wicket.serve()
    wicket.add()
    responder = wicket.responder()
    with lock_held(keeper.pid):
        os.kill(responder, signal.SIGSTOP)  # it ends by the kernel's hand alone
        keeper.signal(signal.SIGKILL)
        keeper.wait()
        assert wait_for_end(responder, 5)
        after = lab.host.start(*wicket.command("serve"), name="keeper")
        wait_in_flock(after)
    after.output.wait_for("wicket-keeper: ready$")
    wicket.leave(after)


def test_many_callers_after_a_killed_keeper(lab, production, wicket):
    """One of them starts the next keeper, and none waits for the lock that has by then."""
    wicket.add()
    (keeper,) = wicket.keepers()
    responder = wicket.responder()
    with lock_held(keeper):
        os.kill(keeper, signal.SIGKILL)
        assert wait_for_end(responder, 5)
        callers = [
            lab.host.start(*wicket.command("add", new_challenge()[1]), name=f"caller {number}")
            for number in range(4)
        ]
        for caller in callers:
            wait_in_flock(caller)
    began = time.monotonic()
    for caller in callers:
        assert caller.wait() == 0, caller.output.text()
    assert time.monotonic() - began < 10  # of the 25 s that they have
    (after,) = wicket.keepers()
    start = len(lab.journal.lines)
    os.kill(after, signal.SIGTERM)
    lab.journal.lines.wait_for("shutting, then leaving", start)
    os.kill(after, signal.SIGTERM)
    wicket.wait_gone()


def test_keeper_stopped(lab, production, wicket, tell):
    """The kernel ends the lease with nobody's help; the keeper takes it again when it goes on."""
    keeper = wicket.serve()
    challenge = wicket.add()
    stopped = time.monotonic()
    keeper.freeze()
    took, others = answered_by(lab, "production", HOST4, since=stopped)
    tell(f"keeper SIGSTOP: production answers after {took:.2f} s ({others} others before)")
    assert 2 < took < 5.2  # 5 s from the last time it was armed, at most
    assert network.get(lab.outside, HOST6).server == "production"
    assert "chain prerouting" in lab.host.run("nft", "list", "table", "inet", "wicket").stdout
    continued = time.monotonic()
    keeper.signal(signal.SIGCONT)
    took, _ = challenge_answered(lab, challenge, HOST4, continued)
    tell(f"keeper SIGCONT: the challenge is answered after {took * 1000:.1f} ms")
    assert took < 1
    wicket.run("remove", challenge[0])
    wicket.leave(keeper)


def test_responder_killed(lab, production, wicket, tell):
    keeper = wicket.serve()
    challenge = wicket.add()
    responder = wicket.responder()
    before = len(keeper.output)
    killed = time.monotonic()
    os.kill(responder, signal.SIGKILL)
    took, others = challenge_answered(lab, challenge, HOST4, killed)
    tell(f"responder SIGKILL: challenge answered after {took * 1000:.1f} ms ({others} others)")
    assert took < 1
    assert wicket.responder() != responder
    back, _ = keeper.output.wait_for_entry("port 80 is back with production", before)
    tell(f"responder SIGKILL: port 80 is back after {(back - killed) * 1000:.1f} ms")
    # One who was waiting in the listener's queue is answered before the lease is taken again.
    keeper.output.wait_for("port 80 is redirected", before)
    assert network.get(lab.outside, HOST6, PREFIX + challenge[0]).status == 200
    wicket.run("remove", challenge[0])
    wicket.leave(keeper)


def test_responder_stopped(lab, production, wicket, tell):
    """A ping goes unanswered: the lease is not renewed, and the responder is replaced."""
    keeper = wicket.serve()
    challenge = wicket.add()
    responder = wicket.responder()
    stopped = time.monotonic()
    os.kill(responder, signal.SIGSTOP)
    moment, _ = keeper.output.wait_for_entry("port 80 is back with production", timeout=20)
    tell(f"responder SIGSTOP: port 80 is back after {moment - stopped:.2f} s")
    assert moment - stopped < 7
    assert wait_for_end(responder, 5)
    took, _ = challenge_answered(lab, challenge, HOST4, stopped)
    tell(f"responder SIGSTOP: the challenge is answered again after {took:.2f} s")
    wicket.run("remove", challenge[0])
    wicket.leave(keeper)


def test_responder_that_keeps_dying(lab, production, wicket):
    """The keeper goes on starting it, and port 80 stays with production meanwhile."""
    keeper = wicket.serve()
    challenge = wicket.add()
    for _ in range(5):
        since = time.monotonic()
        responder = wicket.responder()
        os.kill(responder, signal.SIGKILL)
        challenge_answered(lab, challenge, HOST4, since)
    wicket.run("remove", challenge[0])
    wicket.leave(keeper)


@pytest.mark.parametrize("how", ["certbot is killed", "the hook is killed"])
def test_nobody_cleans_up(lab, production, wicket, how):
    """The token's deadline shuts the window."""
    wicket.turn_away("window:\n  token_lifetime: 2s\n  lease: 1s\n")
    keeper = wicket.serve()
    challenge = new_challenge()
    if how == "certbot is killed":
        wicket.hook("auth", challenge)
    else:
        # The responder stands still, so that the hook waits for its self-check.
        responder = wicket.responder()
        os.kill(responder, signal.SIGSTOP)
        token, key_authorization = challenge
        hook = lab.host.start(*wicket.command("add", key_authorization))
        keeper.output.wait_for(f"token {token} registered")
        hook.signal(signal.SIGKILL)
        hook.wait()
        os.kill(responder, signal.SIGCONT)
    registered, _ = keeper.output.wait_for_entry(f"token {challenge[0]} registered")
    shut, reason = keeper.output.wait_for_entry("window shut: (.*)")
    assert shut - registered < 2.5
    if how == "certbot is killed":
        assert reason[1] == "nobody removed the token in time"
        assert shut - registered > 1.9
    answered_by(lab, "production", HOST4)
    assert wicket.status()["reasons"] == []
    wicket.leave(keeper)


def test_run_is_killed(lab, production, wicket, tell):
    """The window ends with the connection of `wicket run --open`, whatever COMMAND does."""
    lab.host.run("mkfifo", "/mnt/never")
    run = lab.host.start(
        *wicket.command("run", "--open", "--", "sh", "-c", "echo running; : </mnt/never")
    )
    run.output.wait_for("running")
    answered_by(lab, "responder", HOST4)
    killed = time.monotonic()
    run.signal(signal.SIGKILL)
    took, _ = answered_by(lab, "production", HOST4, since=killed)
    tell(f"wicket run SIGKILL: production answers after {took * 1000:.1f} ms")
    assert took < 1
    lab.journal.lines.wait_for("window shut")
    # COMMAND is nobody's business now; let it go.
    lab.host.run("sh", "-c", ": >/mnt/never")
    wicket.wait_gone()


def test_responders_port_is_taken(lab, production, wicket):
    """Nothing starts, nothing is left, and the reason is said."""
    with lab.host.network():
        squatter = network.socket.create_server(("0.0.0.0", 8402))
    served = wicket.run("serve", check=False)
    assert served.returncode == 73
    assert "port 8402 is taken" in served.stderr
    assert "responder.port" in served.stderr
    hook = wicket.hook("auth", new_challenge(), check=False)
    assert hook.returncode == 73
    assert "port 8402 is taken" in hook.stderr
    wicket.wait_gone()
    squatter.close()


def test_without_cap_net_admin(lab, production, wicket):
    without = ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin", "--"]
    served = wicket.run("serve", check=False, prefix=without)
    assert served.returncode == 77
    assert "CAP_NET_ADMIN" in served.stderr
    wicket.assert_gone()


def test_unreadable_configuration(lab, production, wicket):
    """Nothing starts with a mistake in the file, and where it is is said."""
    wicket.configure("redirect:\n  prot: 80\n")
    served = wicket.run("serve", check=False)
    assert served.returncode == 78
    assert "/mnt/wicket.yaml:2:3: redirect.prot: " in served.stderr
    assert "port" in served.stderr.split("redirect.prot: ")[1]
    hook = wicket.hook("auth", new_challenge(), check=False)
    assert hook.returncode == 78
    wicket.assert_gone()


def test_sigterm_drains_and_leaves(lab, production, wicket):
    """Shut at once; a connection that came through the window is finished first."""
    keeper = wicket.serve()
    token, _ = wicket.add()
    connection = network.connect(lab.outside, HOST4)
    connection.sendall(network.request_bytes(PREFIX + token, HOST4)[:-2])
    asked = time.monotonic()
    keeper.signal(signal.SIGTERM)
    took, _ = answered_by(lab, "production", HOST4, since=asked)
    assert took < 1
    connection.sendall(b"\r\n")
    with connection.makefile("rb") as stream:
        assert network.read_answer(stream).status in (200, 404)
    connection.close()
    assert keeper.wait() == 0
    wicket.assert_gone()


def test_second_sigterm_leaves_at_once(lab, production, wicket):
    keeper = wicket.serve()
    token, _ = wicket.add()
    connection = network.connect(lab.outside, HOST4)
    connection.sendall(network.request_bytes(PREFIX + token, HOST4)[:-2])
    before = len(keeper.output)
    keeper.signal(signal.SIGTERM)
    keeper.output.wait_for("shutting, then leaving when drained", before)
    second = time.monotonic()
    keeper.signal(signal.SIGTERM)
    assert keeper.wait() == 0
    assert time.monotonic() - second < 1
    wicket.assert_gone()
    connection.close()
    assert network.get(lab.outside, HOST4).server == "production"


def test_two_keepers(lab, production, wicket):
    """The second names the first."""
    keeper = wicket.serve()
    pid = wicket.status()["pid"]
    second = wicket.run("serve", check=False)
    assert second.returncode == 73
    assert f"process {pid}" in second.stderr
    assert wicket.status()["pid"] == pid
    wicket.leave(keeper)


def test_table_of_somebody_else(lab, production, wicket):
    """A table that a dead keeper left behind without owning it is replaced, and goes at the end."""
    lab.host.nft("table inet wicket {\n set leftover { type inet_service\n }\n}\n")
    keeper = wicket.serve()
    table = lab.host.run("nft", "list", "table", "inet", "wicket").stdout
    assert "leftover" not in table
    assert "flags owner" in table
    wicket.leave(keeper)


def test_table_with_another_owner(lab, production, wicket):
    """Taken by a living process, it is left alone, and nothing starts."""
    owner = lab.host.popen(["nft", "-i"], stdin=-1, stdout=-1, stderr=-1, text=True)
    owner.stdin.write("add table inet wicket { flags owner; }\nlist tables\n")
    owner.stdin.flush()
    for line in owner.stdout:
        if "inet wicket" in line and "add table" not in line:
            break
    served = wicket.run("serve", check=False)
    assert served.returncode == 73
    assert "wicket" in served.stderr
    owner.communicate("quit\n")
    wicket.assert_gone()


def test_a_caller_that_ignores_its_children(lab, production, wicket):
    """SIGCHLD set to be ignored survives exec; no child may be lost for it."""
    ignoring = ("sh", "-c", "trap '' CHLD; exec \"$@\"", "sh")
    run = wicket.run("run", "--", "sh", "-c", "exit 3", check=False, prefix=ignoring)
    assert run.returncode == 3
    wicket.wait_gone()
    keeper = wicket.serve(prefix=ignoring)
    os.kill(wicket.responder(), signal.SIGKILL)
    token, _ = wicket.add()  # waits for the next responder
    wicket.run("remove", token)
    wicket.leave(keeper)
