# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may do what at the control socket, and how much of it."""

import json
import os
import resource
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from lab import network
from lab.control import ADD, HELLO, RESULT, Control, header
from lab.lab import ACCOUNT_UID, HOST4
from lab.wicket import PREFIX, THUMBPRINT, new_challenge

OTHER_THUMBPRINT = THUMBPRINT[::-1]
SOCKET = "/run/wicket/control.sock"


def as_user(name):
    return ["setpriv", "--reuid", name, "--regid", name, "--init-groups", "--"]


@pytest.fixture
def keeper(production, wicket):
    process = wicket.serve()
    yield process
    wicket.leave(process)


def test_socket_is_for_root_and_the_group(lab, keeper):
    status = lab.host.path(SOCKET).stat()
    assert stat.S_IMODE(status.st_mode) == 0o660
    assert (status.st_uid, status.st_gid) == (0, ACCOUNT_UID)


def test_member_of_the_group(lab, wicket, keeper):
    token, key_authorization = new_challenge()
    wicket.run("add", key_authorization, prefix=as_user("member"))
    (reason,) = wicket.status()["reasons"]
    assert (reason["kind"], reason["token"], reason["uid"]) == ("token", token, 8501)
    wicket.run("remove", token, prefix=as_user("member"))
    assert wicket.status()["reasons"] == []


def test_stranger(lab, wicket, keeper):
    for arguments in (["add", new_challenge()[1]], ["status"], ["close"], ["run", "--", "true"]):
        refused = wicket.run(*arguments, prefix=as_user("stranger"), check=False)
        assert refused.returncode == 77
        assert "group wicket" in refused.stderr
    assert wicket.status()["counters"]["tokens"] == 0


def test_without_a_keeper_it_takes_root(lab, production, wicket):
    refused = wicket.run("add", new_challenge()[1], prefix=as_user("member"), check=False)
    assert refused.returncode == 69
    assert "wicket serve" in refused.stderr
    assert wicket.run("status", prefix=as_user("stranger")).returncode == 0
    wicket.assert_gone()


def test_token_belongs_to_who_added_it(lab, wicket, keeper):
    token, _ = wicket.add()
    refused = wicket.run("remove", token, prefix=as_user("member"), check=False)
    assert refused.returncode == 77
    assert wicket.status()["reasons"][0]["token"] == token
    wicket.run("remove", token)

    other, key_authorization = new_challenge()
    wicket.run("add", key_authorization, prefix=as_user("member"))
    wicket.run("remove", other)  # root may
    assert wicket.status()["reasons"] == []


def test_window_belongs_to_who_opened_it(lab, wicket, keeper):
    wicket.run("open")
    wicket.run("close", prefix=as_user("member"))
    assert wicket.status()["state"] == "open"
    wicket.run("close")
    assert wicket.status()["state"] != "open"


def test_same_token_of_another_account(lab, wicket, keeper):
    token, key_authorization = wicket.add()
    refused = wicket.run("add", f"{token}.{OTHER_THUMBPRINT}", check=False)
    assert refused.returncode == 65
    assert THUMBPRINT in refused.stderr
    # The same again counts up, and is removed as often.
    wicket.run("add", key_authorization)
    assert wicket.status()["reasons"][0]["count"] == 2
    wicket.run("remove", token)
    assert wicket.status()["reasons"][0]["count"] == 1
    wicket.run("remove", token)
    assert wicket.status()["reasons"] == []


@pytest.mark.parametrize(
    "text",
    ["", "no-dot", f".{THUMBPRINT}", f"bad/token.{THUMBPRINT}", "token.short", f"a.{THUMBPRINT}="],
)
def test_no_key_authorization(lab, production, wicket, text):
    """Refused with what is wrong, before anything starts."""
    refused = wicket.run("add", text, check=False)
    assert refused.returncode == 65
    assert len(refused.stderr.splitlines()) == 1
    wicket.assert_gone()


def test_accounts(lab, production, wicket):
    """Only the accounts that are named get a challenge served."""
    wicket.configure(f"tokens:\n  accounts: [{THUMBPRINT}]\n")
    keeper = wicket.serve()
    refused = wicket.run("add", new_challenge(OTHER_THUMBPRINT)[1], check=False)
    assert refused.returncode == 77
    assert OTHER_THUMBPRINT in refused.stderr
    assert "tokens.accounts" in refused.stderr
    assert wicket.status()["counters"]["windows"] == 0
    token, _ = wicket.add()
    wicket.run("remove", token)
    wicket.leave(keeper)


def test_a_thousand_tokens(lab, wicket, keeper):
    control = Control(lab.host)
    assert control.greeting == HELLO
    for _ in range(1000):
        assert control.add(new_challenge()[1]) == (0, "")
    code, text = control.add(new_challenge()[1])
    assert code == 75
    assert "1000" in text
    assert len(wicket.status()["reasons"]) == 1000
    # Another user is not touched by that.
    token, key_authorization = new_challenge()
    wicket.run("add", key_authorization, prefix=as_user("member"))
    wicket.run("remove", token, prefix=as_user("member"))
    control.close()


def test_sixteen_connections(lab, wicket, keeper):
    held = [Control(lab.host) for _ in range(16)]
    assert {control.greeting for control in held} == {HELLO}
    refused = Control(lab.host)
    assert refused.greeting == RESULT
    assert refused.refusal[0] == 75
    assert refused.receive() == b""
    shown = wicket.run("status", check=False)
    assert shown.returncode == 75
    assert "16 connections" in shown.stderr
    assert wicket.run("status", prefix=as_user("member")).returncode == 0
    held.pop().close()
    assert wicket.status()["running"]
    for control in [*held, refused]:
        control.close()


def cpu_ticks(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])  # utime and stime


def test_no_descriptor_at_all(wicket, keeper):
    """Not even the spare one helps: who asks waits, the keeper does not spin, and then answers."""
    (pid,) = wicket.keepers()
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (0, hard))
    before = cpu_ticks(pid)
    asking = wicket.host.popen(wicket.command("status", "--json"), stdout=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        asking.wait(1)
    assert cpu_ticks(pid) - before <= os.sysconf("SC_CLK_TCK") / 4
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    assert json.loads(asking.communicate(timeout=20)[0])["running"]


@pytest.mark.parametrize(
    "message",
    [
        b"x",
        header(ADD),
        header(ADD) + b"\xff" * 400,
        header(999),
        b"\0" * 8,
        header(ADD)[:4] + b"\x09\0" + header(ADD)[6:] + b"\0" * 400,
        b"y" * 60000,
    ],
    ids=["short", "no body", "no text", "unknown type", "no magic", "other version", "long"],
)
def test_bad_message(lab, wicket, keeper, message):
    """Costs that peer its connection, and nobody else anything."""
    bystander = Control(lab.host)
    control = Control(lab.host)
    control.send(message)
    assert control.receive() == b""
    keeper.output.wait_for("loses its connection")
    token, key_authorization = new_challenge()
    assert bystander.add(key_authorization) == (0, "")
    wicket.run("remove", token)
    control.close()
    bystander.close()


def test_descriptor_of_a_client(lab, wicket, keeper):
    """None is ever taken: the kernel refuses it, or an older one lets the keeper see it first."""
    bystander = Control(lab.host)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client, open("/dev/null") as null:
        client.settimeout(10)
        client.connect(str(lab.host.path(SOCKET)))
        client.recv(65536)
        release = tuple(int(part) for part in os.uname().release.split(".")[:2])
        if release >= (6, 16):
            with pytest.raises(PermissionError):
                socket.send_fds(client, [b"x"], [null.fileno()])
        else:
            socket.send_fds(client, [b"x"], [null.fileno()])
            assert client.recv(65536) == b""
            keeper.output.wait_for("a descriptor nobody asked for")
    token, key_authorization = new_challenge()
    assert bystander.add(key_authorization) == (0, "")
    wicket.run("remove", token)
    bystander.close()


def test_another_configuration(lab, production, wicket):
    """A caller whose -c differs from the keeper's is told both."""
    keeper = wicket.serve()
    (lab.directory / "other.yaml").write_text("window:\n  lease: 7s\n")
    refused = lab.host.run("wicket", "-c", "/mnt/other.yaml", "status", check=False)
    assert refused.returncode == 78
    assert "/mnt/other.yaml" in refused.stderr
    assert "/usr/local/etc/wicket/wicket.yaml" in refused.stderr
    wicket.leave(keeper)


@pytest.mark.parametrize("arguments", [["remove"], ["close"], ["status"]])
def test_socket_is_gone(lab, production, wicket, arguments):
    """Nothing may be said to be over while the keeper, which cannot be asked, still serves it."""
    keeper = wicket.serve()
    token, _ = wicket.add()
    lab.host.path(SOCKET).unlink()
    if arguments == ["remove"]:
        arguments = ["remove", token]
    refused = wicket.run(*arguments, check=False)
    assert refused.returncode == 75
    assert refused.stdout == ""
    (line,) = refused.stderr.splitlines()
    assert "a keeper (pid " in line
    assert "socket was removed" in line
    assert network.get(lab.outside, HOST4, PREFIX + token).status == 200
    # Whoever cannot look into the lock claims nothing either.
    shown = wicket.run("remove", token, prefix=as_user("stranger"))
    assert "no keeper answers, so nothing is withdrawn" in shown.stderr
    wicket.leave(keeper)


def test_mistake_in_the_configuration(lab, production, wicket):
    """It stops what begins something, and nothing that ends or shows it."""
    socket = "/run/wicket/own.sock"
    wicket.configure(f"control:\n  socket: {socket}\n")
    keeper = wicket.serve()
    token, _ = wicket.add()
    wicket.run("open")
    wicket.configure(f"control:\n  socket: {socket}\nwindow:\n  laese: 5s\n")
    for arguments in (["add", new_challenge()[1]], ["open"], ["run", "--", "true"], ["ruleset"]):
        refused = wicket.run(*arguments, check=False)
        assert refused.returncode == 78
        assert "laese" in refused.stderr
    assert wicket.status()["state"] == "open"
    for arguments in (["status"], ["close"], ["remove", token]):
        done = wicket.run(*arguments)
        line = done.stderr.splitlines()[0]
        assert "wicket.yaml:4:" in line
        assert socket in line
    assert wicket.status()["reasons"] == []
    wicket.leave(keeper)
    # And when none runs.
    assert not wicket.status()["running"]


def test_socket_was_moved(lab, production, wicket):
    wicket.configure("control:\n  socket: /run/wicket/old.sock\n")
    keeper = wicket.serve()
    token, _ = wicket.add()
    wicket.configure("control:\n  socket: /run/wicket/new.sock\n")
    (pid,) = lab.host.run("sed", "-n", "s/^pid //p", *locks(lab)).stdout.split()
    for arguments in (["add", new_challenge()[1]], ["open"], ["run", "--", "true"]):
        refused = wicket.run(*arguments, check=False)
        assert refused.returncode == 78
        assert f"restart the keeper (pid {pid}): control.socket was changed" in refused.stderr
    assert wicket.status()["reasons"][0]["token"] == token
    removed = wicket.run("remove", token)
    assert "/run/wicket/old.sock" in removed.stderr
    assert wicket.status()["reasons"] == []
    wicket.leave(keeper)


def locks(lab):
    return [
        f"/run/wicket/{path.name}" for path in lab.host.path("/run/wicket").glob("keeper-*.lock")
    ]


def test_descriptors_of_the_caller(lab, production, wicket):
    """What a shell or a service manager has open is not held by the keeper for good."""
    lab.host.path("/mnt/open").touch()
    keeper = wicket.serve(prefix=["sh", "-c", 'exec "$@" 3</mnt/open 8</mnt/open', "sh"])
    (pid,) = wicket.keepers()
    held = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
    assert held
    assert not [name for name in held if name.endswith("/open")]
    wicket.leave(keeper)
