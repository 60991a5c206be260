# SPDX-License-Identifier: GPL-2.0-or-later
"""Full mode and sidecar mode: what each process may still do."""

import contextlib
import errno
import os
import re
import socket
import struct
from pathlib import Path

import pytest
from lab import network, proc
from lab.lab import ACCOUNT_UID, HOST4, HOST6
from lab.methods import BOTH_METHODS
from lab.production import Production
from lab.wicket import PREFIX, Wicket, answered_by

NET_ADMIN, KILL, SETGID, SETUID, SETPCAP, SYS_CHROOT = 12, 5, 6, 7, 8, 18
SIDECAR_UID = 8600
NOBODY = 65534


def check_challenge(lab, wicket):
    token, key_authorization = wicket.add()
    for address in (HOST4, HOST6):
        answer = network.get(lab.outside, address, PREFIX + token)
        assert answer.body == key_authorization.encode()
        assert network.get(lab.outside, address).server == "production"
    wicket.run("remove", token)
    answered_by(lab, "production", HOST4)


def test_responder_of_full_mode(lab, production, wicket):
    """Its own account, no group, no capability, no way to get any, an empty root."""
    keeper = wicket.serve()
    check_challenge(lab, wicket)
    responder = wicket.responder()
    status = proc.status(responder)
    assert status["Uid"].split() == [str(ACCOUNT_UID)] * 4
    assert status["Gid"].split() == [str(ACCOUNT_UID)] * 4
    assert status["Groups"] == ""
    assert status["NoNewPrivs"] == "1"
    for which in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert proc.capabilities(status, which) == set(), which
    assert os.readlink(f"/proc/{responder}/root").endswith("/run/wicket/empty")
    assert os.listdir(f"/proc/{responder}/root") == []
    wicket.leave(keeper)


def test_keeper_of_full_mode(lab, production, wicket):
    """Keeps what it needs for the table and for starting the responder again, no more."""
    keeper = wicket.serve()
    status = proc.status(keeper.pid)
    kept = {NET_ADMIN, KILL, SETGID, SETUID, SETPCAP, SYS_CHROOT}
    assert proc.capabilities(status, "CapEff") == kept
    assert proc.capabilities(status, "CapBnd") == kept
    assert status["NoNewPrivs"] == "1"
    wicket.leave(keeper)


def sockets_of(pid):
    """{number of the descriptor: inode}."""
    found = {}
    for number, text in proc.descriptors(pid).items():
        if match := re.fullmatch(r"socket:\[(\d+)\]", text):
            found[number] = match[1]
    return found


def test_responder_inherits_nothing_else(lab, production, wicket):
    """A table lives as long as anybody holds its owner's socket: that one, and no other netlink."""
    keeper = wicket.serve()
    token, _ = wicket.add()
    netlink = {
        line.split()[9]
        for line in Path(f"/proc/{keeper.pid}/net/netlink").read_text().splitlines()[1:]
    }
    held = proc.descriptors(wicket.responder())
    sockets = sockets_of(wicket.responder())
    assert set(range(4)) <= set(held)
    assert set(sockets) == {3, 6, 7, 8}  # the link, the owner's, two listeners
    assert netlink & set(sockets.values()) == {sockets[6]}
    # The owner's, but neither that for questions nor any other.
    assert sockets[6] in sockets_of(keeper.pid).values()
    wicket.run("remove", token)
    wicket.leave(keeper)


GET_TABLES = struct.Struct("=IHHIIBBH")  # struct nlmsghdr and struct nfgenmsg
NFT_MSG_GETTABLE = 10 << 8 | 1
NLM_F_REQUEST_ACK_DUMP = 0x1 | 0x4 | 0x300
NLMSG_ERROR = 2


def test_the_owners_socket_is_of_no_use_to_the_responder(lab, production, wicket):
    """The kernel looks at who sends, whoever has made the socket: it refuses questions even."""
    keeper = wicket.serve()
    token, _ = wicket.add()
    with proc.borrowed(wicket.responder(), 6) as number, socket.socket(fileno=os.dup(number)) as own:
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
                length = GET_TABLES.size
                own.send(
                    GET_TABLES.pack(
                        length, NFT_MSG_GETTABLE, NLM_F_REQUEST_ACK_DUMP, 4711, 0, 0, 0, 0
                    )
                )
                kind, error = struct.unpack_from("=4xH10xi", own.recv(65536))
                os._exit(-error if kind == NLMSG_ERROR else 0)
            os._exit(0)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == errno.EPERM
    wicket.run("remove", token)
    wicket.leave(keeper)


def test_no_descriptor_is_lost(lab, production, wicket):
    """After windows, validations and restarts the keeper and responder hold what they held."""
    keeper = wicket.serve()
    check_challenge(lab, wicket)
    before = {number: text.split(":")[0] for number, text in proc.descriptors(keeper.pid).items()}
    for _ in range(10):
        check_challenge(lab, wicket)
    after = {number: text.split(":")[0] for number, text in proc.descriptors(keeper.pid).items()}
    assert after == before
    wicket.leave(keeper)


def sidecar(uid):
    """CAP_NET_ADMIN and nothing else."""
    drop = ["--reuid", str(uid), "--regid", str(uid), "--clear-groups"] if uid else []
    only = "-all,+net_admin"
    return [
        *("setpriv", *drop, "--bounding-set", only, "--inh-caps", only, "--ambient-caps", only),
        "--",
    ]


@BOTH_METHODS
@pytest.mark.parametrize("uid", [SIDECAR_UID, 0], ids=["account", "root"])
def test_sidecar(lab, production, wicket, uid):
    lab.host.run("install", "-d", "-o", str(uid), "/run/wicket")
    keeper = wicket.serve(prefix=sidecar(uid))
    # The client is of the same account: nobody talks to a keeper of a third one.
    wicket.prefix = ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "--"]
    assert wicket.status()["mode"] == "sidecar"
    check_challenge(lab, wicket)
    assert proc.capabilities(proc.status(keeper.pid), "CapEff") == {NET_ADMIN}
    status = proc.status(wicket.responder())
    assert status["Uid"].split() == [str(uid)] * 4
    assert status["NoNewPrivs"] == "1"
    for which in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
        assert proc.capabilities(status, which) == set(), which
    # And again after it died: restarting needs no more.
    os.kill(wicket.responder(), 9)
    keeper.output.wait_for("killed by signal 9")
    check_challenge(lab, wicket)
    wicket.leave(keeper)


def test_host_without_ipv6(make_lab):
    lab = make_lab(ipv6=False)
    Production(lab)
    wicket = Wicket(lab)
    token, key_authorization = wicket.add()
    assert network.get(lab.outside, HOST4, PREFIX + token).body == key_authorization.encode()
    wicket.run("remove", token)
    wicket.wait_gone()
