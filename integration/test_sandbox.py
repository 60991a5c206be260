# SPDX-License-Identifier: GPL-2.0-or-later
"""
The fences around the keeper and the responder, as /proc shows them, in every mode; and that what
they do for a living goes on behind them. That nobody gets over them is for the unit tests.
"""

import os
import re
import signal

import pytest
from lab import network, proc
from lab.lab import ACCOUNT_UID, HOST4, HOST6
from lab.machine import Machine
from lab.production import Production
from lab.wicket import CONFIG, PREFIX, Wicket, answered_by

NET_ADMIN, KILL, SETGID, SETUID, SETPCAP, SYS_CHROOT = 12, 5, 6, 7, 8, 18
FULL = {NET_ADMIN, KILL, SETGID, SETUID, SETPCAP, SYS_CHROOT}
SERVICE = FULL - {KILL}
CAPABILITY_SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
SIDECAR_UID = 8600
FILTER = "2"  # seccomp's mode


def sidecar(uid):
    """CAP_NET_ADMIN and nothing else."""
    only = "-all,+net_admin"
    account = ("--reuid", str(uid), "--regid", str(uid), "--clear-groups")
    return [
        *("setpriv", *account, "--bounding-set", only, "--inh-caps", only, "--ambient-caps", only),
        "--",
    ]


def check_responder(pid, uid, gid, full=True):
    status = proc.status(pid)
    assert status["Uid"].split() == [str(uid)] * 4
    assert status["Gid"].split() == [str(gid)] * 4
    assert status["Groups"] == ""
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == FILTER
    assert int(status["Seccomp_filters"]) >= 2  # its own and its keeper's
    assert status["Threads"] == "1"
    for which in CAPABILITY_SETS:
        if full or which != "CapBnd":  # which takes CAP_SETPCAP
            assert proc.capabilities(status, which) == set(), which
    if full:
        assert os.readlink(f"/proc/{pid}/root").endswith("/run/wicket/empty")
        assert os.listdir(f"/proc/{pid}/root") == []
        assert os.readlink(f"/proc/{pid}/cwd").endswith("/run/wicket/empty")

    limits = proc.limits(pid)
    for name in ("Max file size", "Max processes", "Max core file size"):
        assert limits[name] == (0, 0), name
    soft, hard = limits["Max open files"]
    assert soft == hard
    # Both kinds of its connections, at the default of responder.undecided, with pipes and relays.
    assert 48 <= soft <= 24 + 2048 + 2 * 256 + 2 * 65536

    held = proc.descriptors(pid)
    assert held[0].endswith("/dev/null")
    assert held[1].endswith("/dev/null")
    # Its log is its own, whatever the keeper's is.
    assert held[2].startswith("pipe:")
    # What ends with it: the keeper's lock, and the socket that owns the table.
    assert re.search(r"/run/wicket/keeper-\d+\.lock$", held.pop(5))
    assert held.pop(6) in proc.descriptors(int(status["PPid"])).values()
    others = sorted(held[number].split(":")[0] for number in held if number > 2)
    # The link, a listener for each family, the loop and libmicrohttpd's part of it.
    assert others == ["anon_inode"] * 2 + ["socket"] * 3


def check_keeper(pid, kept, log=None):
    status = proc.status(pid)
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == FILTER
    assert proc.capabilities(status, "CapEff") == kept
    assert proc.capabilities(status, "CapPrm") == kept
    assert proc.capabilities(status, "CapBnd") <= kept
    assert proc.capabilities(status, "CapAmb") == set()
    assert status["Threads"] == "1"
    written = {path for path in proc.written(pid) if not path.endswith("/dev/null")}
    lock = {path for path in written if re.search(r"/run/wicket/keeper-\d+\.lock$", path)}
    assert len(lock) == 1
    assert {path for path in written - lock if log is None or not path.endswith(log)} == set()


def check_window(lab, wicket):
    """A challenge is answered, a visitor is passed on."""
    token, key_authorization = wicket.add()
    for address in (HOST4, HOST6):
        answer = network.get(lab.outside, address, PREFIX + token)
        assert answer.body == key_authorization.encode()
        assert network.get(lab.outside, address).server == "production"
    wicket.run("remove", token)
    answered_by(lab, "production", HOST4)


def test_full_mode(lab, production, wicket):
    keeper = wicket.serve()
    check_keeper(keeper.pid, FULL)
    check_responder(wicket.responder(), ACCOUNT_UID, ACCOUNT_UID)
    check_window(lab, wicket)
    # What both are after they have worked is what they were before.
    check_keeper(keeper.pid, FULL)
    check_responder(wicket.responder(), ACCOUNT_UID, ACCOUNT_UID)
    wicket.leave(keeper)


@pytest.mark.parametrize("uid", [SIDECAR_UID, 0], ids=["account", "root"])
def test_sidecar_mode(lab, production, wicket, uid):
    lab.host.run("install", "-d", "-o", str(uid), "/run/wicket")
    wicket.prefix = ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "--"]
    keeper = wicket.serve(prefix=sidecar(uid))
    check_keeper(keeper.pid, {NET_ADMIN})
    check_responder(wicket.responder(), uid, uid, full=False)
    check_window(lab, wicket)
    wicket.leave(keeper)


def test_on_demand(lab, production, wicket):
    token, _ = wicket.add()
    (keeper,) = wicket.keepers()
    check_keeper(keeper, FULL)
    check_responder(wicket.responder(), ACCOUNT_UID, ACCOUNT_UID)
    wicket.run("remove", token)
    wicket.wait_gone()


def test_on_demand_without_syslog(make_lab):
    """The keeper has a file for its log; the responder has a pipe."""
    lab = make_lab(syslog=False)
    Production(lab)
    wicket = Wicket(lab)
    token, _ = wicket.add()
    (keeper,) = wicket.keepers()
    check_keeper(keeper, FULL, log="/run/wicket/keeper.log")
    check_responder(wicket.responder(), ACCOUNT_UID, ACCOUNT_UID)
    wicket.run("remove", token)
    wicket.wait_gone()


def test_log_through_the_keeper(make_lab):
    """What a responder says as it ends is in the file."""
    lab = make_lab(syslog=False)
    wicket = Wicket(lab)
    few = ("prlimit", "--nofile=40:40", "--")
    failed = wicket.run("open", prefix=few, check=False)
    assert failed.returncode != 0
    text = lab.host.path("/run/wicket/keeper.log").read_text()
    assert re.search("^wicket-responder: RLIMIT_NOFILE", text, re.MULTILINE)
    wicket.wait_gone()


def test_service(lab, installed):
    """Under systemd, with an account of the keeper's own, and the unit's fences around these."""
    machine = Machine(lab, installed)
    machine.systemctl("start", "wicket.socket")
    machine.run("wicket", "open", "--for", "30s")
    responder, keeper = machine.pid_of("wicket-responder"), machine.pid_of("wicket-keeper")
    status = proc.status(responder)
    check_keeper(keeper, SERVICE)
    check_responder(responder, status["Uid"].split()[0], status["Gid"].split()[0])
    assert status["Uid"] != proc.status(keeper)["Uid"]
    assert "0" not in status["Uid"].split()
    assert "Landlock" not in machine.journal("-u", "wicket.service")


def test_restart_and_reload(lab, production, wicket):
    """A responder started by a fenced keeper is fenced, and so is one that is told new limits."""
    wicket.configure("responder:\n  undecided: 64\n")
    keeper = wicket.serve()
    for _ in range(3):
        responder = wicket.responder()
        os.kill(responder, signal.SIGKILL)
        keeper.output.wait_for("killed by signal 9")
        check_window(lab, wicket)
        check_responder(wicket.responder(), ACCOUNT_UID, ACCOUNT_UID)
    (lab.directory / "wicket.yaml").write_text("other_requests: not-found\n")
    keeper.signal(signal.SIGHUP)
    keeper.output.wait_for(f"{CONFIG}: in force")
    token, key_authorization = wicket.add()
    answer = network.get(lab.outside, HOST4, PREFIX + token)
    assert answer.body == key_authorization.encode()
    assert network.get(lab.outside, HOST4).server == "responder"
    check_keeper(keeper.pid, FULL)
    wicket.leave(keeper)


def test_forbidden_call_is_told(lab, production, wicket):
    """The signal that the kernel ends a process with whose system call is not in its list."""
    keeper = wicket.serve()
    os.kill(wicket.responder(), signal.SIGSYS)
    keeper.output.wait_for("the responder tried a system call that it must not make")
    check_window(lab, wicket)
    wicket.leave(keeper)
