# SPDX-License-Identifier: GPL-2.0-or-later
"""The hooks as installed, called by hand as their clients call them."""

import signal
import subprocess

import pytest
from lab import network
from lab.clients import HOOKS
from lab.lab import HOST4, HOST6
from lab.wicket import PREFIX, THUMBPRINT, new_challenge

MEMBER = ["setpriv", "--reuid", "member", "--regid", "member", "--init-groups", "--"]
STRANGER = ["setpriv", "--reuid", "stranger", "--regid", "stranger", "--init-groups", "--"]


def calls(challenge, end=False):
    """How each client has a challenge served, or withdrawn: (arguments, more for run)."""
    token, key = challenge
    certbot = {
        "CERTBOT_DOMAIN": "hook.lab",
        "CERTBOT_IDENTIFIER": "hook.lab",
        "CERTBOT_TOKEN": token,
        "CERTBOT_VALIDATION": key,
    }
    words = ["done" if end else "begin", "http-01", "hook.lab", token, key]
    names = ("METHOD", "TYPE", "IDENT", "TOKEN", "AUTH")
    return {
        "certbot": (
            ["wicket", "hook", "certbot", "cleanup" if end else "auth"],
            {"environment": certbot},
        ),
        "dehydrated": (
            [
                f"{HOOKS}/dehydrated",
                "clean_challenge" if end else "deploy_challenge",
                *("hook.lab", token, key),
            ],
            {},
        ),
        "uacme": ([f"{HOOKS}/uacme", *words], {}),
        "uacme's environment": (
            [f"{HOOKS}/uacme"],
            {"environment": {f"UACME_{name}": word for name, word in zip(names, words)}},
        ),
        "acmetool": (
            [
                f"{HOOKS}/acmetool",
                "challenge-http-stop" if end else "challenge-http-start",
                *("hook.lab", "targets/hook.lab", token),
            ],
            {"stdin": key},
        ),
    }


CLIENTS = list(calls(("", "")))


def call(lab, client, challenge, end=False, check=True, prefix=()):
    arguments, more = calls(challenge, end)[client]
    return lab.host.run(*arguments, check=check, prefix=prefix, **more)


def served(lab, challenge):
    token, key = challenge
    answers = [network.get(lab.outside, address, PREFIX + token) for address in (HOST4, HOST6)]
    return all((one.status, one.body) == (200, key.encode()) for one in answers)


@pytest.mark.parametrize("client", CLIENTS)
def test_challenge_of_a_client(lab, production, wicket, client):
    """Served when the hook returns, gone when it is over; as root, nothing running before."""
    challenge = new_challenge()
    done = call(lab, client, challenge)
    assert (done.stdout, done.stderr) == ("", "")
    assert served(lab, challenge)
    (reason,) = wicket.status()["reasons"]
    assert reason["purpose"] == f"{client.split(chr(39))[0]} hook for hook.lab"
    done = call(lab, client, challenge, end=True)
    assert (done.stdout, done.stderr) == ("", "")
    assert not served(lab, challenge)
    wicket.wait_gone()


@pytest.mark.parametrize("client", CLIENTS)
def test_who_may(lab, production, wicket, client):
    keeper = wicket.serve()
    challenge = new_challenge()
    call(lab, client, challenge, prefix=MEMBER)
    assert served(lab, challenge)
    refused = call(lab, client, new_challenge(), check=False, prefix=STRANGER)
    assert refused.returncode == 77
    assert "member of the group wicket" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    # And it is not for a stranger to end.
    assert call(lab, client, challenge, end=True, check=False, prefix=STRANGER).returncode == 77
    assert served(lab, challenge)
    call(lab, client, challenge, end=True, prefix=MEMBER)
    assert wicket.status()["counters"]["tokens"] == 1
    assert keeper.stop() == 0


BAD = {
    "not the token's": ("token-of-one", f"token-of-another.{THUMBPRINT}"),
    "no thumbprint": ("token", "token"),
    "newline": ("token", f"token.{THUMBPRINT}\n"),
    "path": ("../../etc/passwd", f"../../etc/passwd.{THUMBPRINT}"),
    "over-long": ("t" * 300, f"{'t' * 300}.{THUMBPRINT}"),
    "very long": ("t" * 100_000, f"{'t' * 100_000}.{THUMBPRINT}"),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_bad_key_authorizations(lab, production, wicket, client):
    """One line, 65, and nothing was started for it."""
    for what, challenge in BAD.items():
        refused = call(lab, client, challenge, check=False)
        assert refused.returncode == 65, what
        assert len(refused.stderr.splitlines()) == 1, what
        assert len(refused.stderr) < 1000, what
        assert refused.stdout == ""
    wicket.assert_gone()


@pytest.mark.parametrize(
    "arguments",
    [
        ["wicket", "hook"],
        ["wicket", "hook", "getssl"],
        ["wicket", "hook", "certbot"],
        ["wicket", "hook", "certbot", "auth"],
        ["wicket", "hook", "certbot", "cleanup"],
        [f"{HOOKS}/dehydrated"],
        [f"{HOOKS}/dehydrated", "deploy_challenge"],
        [f"{HOOKS}/dehydrated", "deploy_challenge", "hook.lab", "token"],
        [f"{HOOKS}/dehydrated", "clean_challenge", "hook.lab"],
        [f"{HOOKS}/uacme"],
        [f"{HOOKS}/uacme", "begin", "http-01", "hook.lab"],
        [f"{HOOKS}/acmetool"],
        [f"{HOOKS}/acmetool", "challenge-http-start", "hook.lab"],
    ],
    ids=lambda arguments: " ".join(arguments).replace(f"{HOOKS}/", ""),
)
def test_incomplete_calls(lab, production, wicket, arguments):
    """Also with nothing at all in the environment."""
    for prefix in ((), ("env", "-i", "PATH=/usr/local/bin:/usr/bin:/bin")):
        refused = lab.host.run(*arguments, check=False, prefix=prefix)
        assert refused.returncode == 64
        assert len(refused.stderr.splitlines()) == 1
        assert "hook" in refused.stderr
    wicket.assert_gone()


@pytest.mark.parametrize(
    "arguments, status",
    [
        (["dehydrated", "startup_hook"], 0),
        (["dehydrated", "exit_hook", "--help"], 0),
        (["dehydrated", "an_event_that_does_not_exist", "-c", "x"], 0),
        (["uacme", "begin", "dns-01", "hook.lab", "token", "digest"], 1),
        (["uacme", "begin", "tls-alpn-01", "hook.lab", "token", "digest"], 1),
        (["acmetool", "live-updated"], 42),
        (["acmetool", "challenge-dns-start", "hook.lab", "x", "y"], 42),
    ],
)
def test_what_is_none_of_its_business(lab, production, wicket, arguments, status):
    done = lab.host.run(f"{HOOKS}/{arguments[0]}", *arguments[1:], check=False)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")
    wicket.assert_gone()


def test_chain(lab, production, wicket):
    """All of a chain are served when the hook returns; all of one that fails are withdrawn."""
    chain = [new_challenge() for _ in range(5)]
    words = [word for challenge in chain for word in ("hook.lab", *challenge)]
    lab.host.run(f"{HOOKS}/dehydrated", "deploy_challenge", *words)
    assert all(served(lab, challenge) for challenge in chain)
    assert wicket.status()["counters"]["windows"] == 1

    # Another account's token in the middle of the next chain.
    token, _ = chain[2]
    other = [new_challenge(), (token, f"{token}.{THUMBPRINT[::-1]}"), new_challenge()]
    words = [word for challenge in other for word in ("other.lab", *challenge)]
    refused = lab.host.run(f"{HOOKS}/dehydrated", "deploy_challenge", *words, check=False)
    assert refused.returncode == 65
    assert len(refused.stderr.splitlines()) == 1
    assert {one["token"] for one in wicket.status()["reasons"]} == {token for token, _ in chain}

    words = [word for challenge in chain for word in ("hook.lab", *challenge)]
    lab.host.run(f"{HOOKS}/dehydrated", "clean_challenge", *words)
    assert wicket.status()["reasons"] == []
    wicket.wait_gone()


def test_chain_behind_a_firewall(lab, production, wicket):
    """What cannot be reached is withdrawn whole, and dehydrated is told so before the CA asks."""
    lab.host.nft(
        "table inet filter {\nchain input {\ntype filter hook input priority 0; policy accept;\n"
        "tcp dport 8402 drop\n}\n}\n"
    )
    words = [word for _ in range(3) for word in ("hook.lab", *new_challenge())]
    refused = lab.host.run(f"{HOOKS}/dehydrated", "deploy_challenge", *words, check=False)
    assert refused.returncode == 75
    status = wicket.status()
    assert status["reasons"] == []
    assert status["state"] != "open"


def test_link_of_any_name(lab, production, wicket):
    """As in a directory of hooks, where it has to be told from others."""
    lab.host.run("ln", "-s", f"{HOOKS}/acmetool", "/mnt/10-wicket")
    token, key = new_challenge()
    arguments = ("hook.lab", "targets/hook.lab", token)
    lab.host.run("/mnt/10-wicket", "challenge-http-start", *arguments, stdin=key)
    assert served(lab, (token, key))
    lab.host.run("/mnt/10-wicket", "challenge-http-stop", *arguments, stdin=key)
    wicket.wait_gone()


def test_copy_of_any_name(lab, production, wicket):
    """It has nothing to find the program by, and runs the installed one."""
    lab.host.run("install", "-D", "-m", "755", f"{HOOKS}/acmetool", "/mnt/acme/hooks/10-wicket")
    lab.host.run("ln", "/mnt/acme/hooks/10-wicket", "/mnt/acme/hooks/20-wicket")
    for name in ("10-wicket", "20-wicket"):
        done = lab.host.run(f"/mnt/acme/hooks/{name}", "live-updated", check=False)
        assert (done.returncode, done.stdout, done.stderr) == (42, "", "")


@pytest.mark.parametrize("client", CLIENTS)
def test_cleanup_without_the_socket(lab, production, wicket, client):
    """A token that is still served was not withdrawn, and the client is told so."""
    keeper = wicket.serve()
    challenge = new_challenge()
    call(lab, client, challenge)
    lab.host.path("/run/wicket/control.sock").unlink()
    refused = call(lab, client, challenge, end=True, check=False)
    assert refused.returncode == 75
    assert "socket was removed" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert served(lab, challenge)
    wicket.leave(keeper)


@pytest.mark.parametrize("client", CLIENTS)
def test_cleanup_with_a_mistake_in_the_configuration(lab, production, wicket, client):
    """Made while a renewal was under way: the window shuts all the same."""
    options = {"WICKET_CONFIG": "/mnt/wicket.yaml"}
    wicket.configure("control:\n  socket: /run/wicket/own.sock\n")
    keeper = wicket.serve()

    def call_with(challenge, end=False):
        arguments, more = calls(challenge, end)[client]
        environment = {**more.get("environment", {}), **options}
        return lab.host.run(*arguments, check=False, **{**more, "environment": environment})

    challenge = new_challenge()
    assert call_with(challenge).returncode == 0
    wicket.configure("control:\n  sokcet: /run/wicket/own.sock\n")
    assert call_with(new_challenge()).returncode == 78
    done = call_with(challenge, end=True)
    assert done.returncode == 0
    assert "sokcet" in done.stderr
    assert not served(lab, challenge)
    assert wicket.status()["reasons"] == []
    wicket.leave(keeper)


@pytest.mark.parametrize("client", CLIENTS)
def test_cleanup_while_the_keeper_leaves(lab, production, wicket, client):
    """Its tokens went with it: nothing is wrong, whenever the hook comes."""
    keeper = wicket.serve()
    challenge = new_challenge()
    call(lab, client, challenge)
    keeper.signal(signal.SIGTERM)
    keeper.output.wait_for("shutting, then leaving when drained")
    done = call(lab, client, challenge, end=True)
    assert (done.stdout, done.stderr) == ("", "")
    assert keeper.wait() == 0
    wicket.assert_gone()


def test_moved_tree(installed):
    """A tree that was installed below DESTDIR finds its own `wicket`."""
    for name, arguments, status in (
        ("uacme", ["begin", "dns-01", "a", "b", "c"], 1),
        ("acmetool", ["live-updated"], 42),
        ("dehydrated", ["startup_hook"], 0),
    ):
        done = subprocess.run(
            [installed / "libexec" / "wicket" / "hooks" / name, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (status, b"", b"")
