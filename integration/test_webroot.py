# SPDX-License-Identifier: GPL-2.0-or-later
"""Challenge files in the webroot: what becomes a token, what does not, and when it ends."""

import contextlib
import fcntl
import os
import signal
import time
from pathlib import Path

import pytest
from lab import network
from lab.lab import ACCOUNT_UID, HOST4, HOST6, MEMBER_UID, STRANGER_UID
from lab.wicket import PREFIX, THUMBPRINT, answered_by, challenge_answered, new_challenge

WEBROOT = "/mnt/webroot"
CHALLENGES = WEBROOT + PREFIX
OTHER = THUMBPRINT[::-1]
CONFIG = f"tokens:\n  webroot: {WEBROOT}\n"


class Webroot:
    """The directory with the challenges, as a client of the lab's host sees it."""

    def __init__(self, wicket, config=""):
        self.wicket = wicket
        self.lab = wicket.lab
        self.host = wicket.host
        wicket.turn_away(CONFIG + config)
        self.keeper = None

    def serve(self):
        self.keeper = self.wicket.serve()
        self.wait_for("the webroot .* is watched")
        return self

    def wait_for(self, pattern):
        return self.keeper.output.wait_for(pattern)

    @property
    def path(self):
        return self.host.path(CHALLENGES)

    def write(self, token, content, *, uid=0, mode=0o644):
        """As clients do: created, written, closed."""
        path = self.path / token
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.fchown(descriptor, uid, uid)
        os.fchmod(descriptor, mode)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(content)
        return path

    def put(self, **more):
        challenge = new_challenge()
        return challenge, self.write(*challenge, **more)

    def tokens(self):
        return {
            reason["token"]: reason
            for reason in self.wicket.status()["reasons"]
            if reason["kind"] == "token"
        }

    def assert_served(self, challenge):
        for address in (HOST4, HOST6):
            challenge_answered(self.lab, challenge, address, time.monotonic())

    def assert_shut(self):
        for address in (HOST4, HOST6):
            answered_by(self.lab, "production", address)


@pytest.fixture
def webroot(production, wicket):
    return Webroot(wicket).serve()


def test_directories(webroot):
    """What is missing is made, for the group that may register tokens, and for nobody else."""
    for path in (WEBROOT, WEBROOT + "/.well-known", CHALLENGES):
        status = webroot.host.path(path).stat()
        assert (status.st_uid, status.st_gid) == (0, ACCOUNT_UID)
        assert status.st_mode & 0o7777 == 0o3775
    challenge = new_challenge()
    script = f"printf %s {challenge[1]} >{CHALLENGES}{challenge[0]}"
    member = ("setpriv", f"--reuid={MEMBER_UID}", f"--regid={MEMBER_UID}", "--init-groups")
    webroot.host.run("sh", "-c", script, prefix=member)
    webroot.assert_served(challenge)
    assert webroot.tokens()[challenge[0]]["uid"] == MEMBER_UID
    stranger = ("setpriv", f"--reuid={STRANGER_UID}", f"--regid={STRANGER_UID}", "--init-groups")
    refused = webroot.host.run("sh", "-c", script, prefix=stranger, check=False)
    assert refused.returncode != 0 and "ermission denied" in refused.stderr


def test_members_cannot_take_what_is_anothers(webroot):
    """The directories are sticky: neither a file nor a directory of another's can be replaced."""
    challenge, path = webroot.put()
    webroot.assert_served(challenge)
    member = ("setpriv", f"--reuid={MEMBER_UID}", f"--regid={MEMBER_UID}", "--init-groups")
    for target in (CHALLENGES + challenge[0], CHALLENGES.rstrip("/"), WEBROOT + "/.well-known"):
        moved = webroot.host.run("mv", target, target + ".away", prefix=member, check=False)
        assert moved.returncode != 0 and "not permitted" in moved.stderr
    assert path.exists()
    webroot.assert_served(challenge)


def test_directories_that_are_there_stay(production, wicket):
    path = wicket.host.path(WEBROOT)
    (path / ".well-known/acme-challenge").mkdir(parents=True)
    for directory in (path, path / ".well-known", path / ".well-known/acme-challenge"):
        directory.chmod(0o751)
    webroot = Webroot(wicket).serve()
    for directory in (path, path / ".well-known", path / ".well-known/acme-challenge"):
        assert directory.stat().st_mode & 0o7777 == 0o751
    challenge, _ = webroot.put()
    webroot.assert_served(challenge)


def test_no_directory_is_made_through_a_link(production, wicket):
    path = wicket.host.path(WEBROOT)
    path.mkdir()
    elsewhere = wicket.host.path("/mnt/elsewhere")
    elsewhere.mkdir()
    (path / ".well-known").symlink_to("/mnt/elsewhere")
    wicket.turn_away(CONFIG)
    keeper = wicket.serve()
    keeper.output.wait_for("the webroot .* is not watched: .well-known is no directory, or a link")
    assert list(elsewhere.iterdir()) == []
    (elsewhere / "acme-challenge").mkdir()
    token, key_authorization = new_challenge()
    (elsewhere / "acme-challenge" / token).write_text(key_authorization)
    # The keeper works otherwise, and takes the webroot once it is good.
    other, _ = wicket.add()
    assert network.get(wicket.lab.outside, HOST4, PREFIX + token).status == 404
    (path / ".well-known").unlink()
    keeper.output.wait_for("the webroot .* is not there")
    (path / ".well-known/acme-challenge").mkdir(parents=True)
    keeper.output.wait_for("the webroot .* is watched")
    wicket.run("remove", other)


def test_written_and_removed(webroot, tell):
    """As lego, certbot and the shell clients do it; with a newline at the end or without."""
    for end in ("", "\n"):
        token, key_authorization = new_challenge()
        begin = time.monotonic()
        path = webroot.write(token, key_authorization + end)
        took, _ = challenge_answered(webroot.lab, (token, key_authorization), HOST4, begin)
        tell(f"file: answered after {took * 1000:.1f} ms")
        webroot.assert_served((token, key_authorization))
        reason = webroot.tokens()[token]
        assert (reason["uid"], reason["purpose"]) == (0, "file in the webroot")
        assert 590_000 < reason["ends_in_ms"] <= 600_000
        path.unlink()
        webroot.assert_shut()
        assert webroot.tokens() == {}


def test_moved_into_place_and_away(webroot):
    token, key_authorization = new_challenge()
    hidden = webroot.write(".new", key_authorization)
    hidden.rename(webroot.path / token)
    webroot.assert_served((token, key_authorization))
    (webroot.path / token).rename(webroot.host.path("/mnt/away"))
    webroot.assert_shut()
    assert ".new" not in webroot.keeper.output.text()


def test_not_before_it_is_complete(webroot):
    """A file that is being written is nobody's token, whatever is in it by now."""
    token, key_authorization = new_challenge()
    with (webroot.path / token).open("w") as stream:
        stream.write(key_authorization)
        stream.flush()
        webroot.wicket.run("open")
        assert network.get(webroot.lab.outside, HOST4, PREFIX + token).status == 404
        assert webroot.tokens() == {}
    webroot.assert_served((token, key_authorization))
    webroot.wicket.run("close")
    webroot.assert_served((token, key_authorization))


def test_written_again(webroot):
    """The same again goes on; something else in it is the end of it."""
    (token, key_authorization), path = webroot.put()
    webroot.assert_served((token, key_authorization))
    webroot.write(token, key_authorization)
    webroot.assert_served((token, key_authorization))
    webroot.write(token, "something else")
    webroot.wait_for(f'file "{token}" in the webroot is no token')
    webroot.assert_shut()
    webroot.write(token, key_authorization)
    webroot.assert_served((token, key_authorization))
    path.unlink()
    webroot.assert_shut()


def refused(webroot, token, why):
    """Says so in the log, shows nothing of what is in it, and no window opens."""
    webroot.wait_for(f'the file "{token}" in the webroot is no token: {why}')
    assert THUMBPRINT not in webroot.keeper.output.text()
    status = webroot.wicket.status()
    assert (status["state"], status["reasons"]) == ("armed", [])


@pytest.mark.parametrize(
    "content, why",
    [
        ("", "it is empty"),
        ("secret-{ka}", "the key authorization in it is for another token"),
        ("{ka}\n\n", "what is in it is no key authorization"),
        ("{ka}\r\n", "what is in it is no key authorization"),
        (" {ka}", "what is in it is no key authorization"),
        ("{ka}" + "x" * 600, "it has more than 512 bytes"),
        ("{ka}=", "what is in it is no key authorization"),
        ("\0" * 64, "what is in it is no key authorization"),
    ],
)
def test_bad_content(webroot, content, why):
    token, key_authorization = new_challenge()
    webroot.write(token, content.format(ka=key_authorization))
    refused(webroot, token, why)


def test_what_is_no_plain_file(webroot):
    """Links of both kinds, a fifo nobody writes to, a socket's name, a directory."""
    token, key_authorization = new_challenge()
    real = webroot.host.path("/mnt/real")
    real.write_text(key_authorization)
    (webroot.host.path("/mnt") / "link").symlink_to("/mnt/real")
    (webroot.host.path("/mnt") / "link").rename(webroot.path / token)
    refused(webroot, token, "it is a symbolic link")
    (webroot.path / token).unlink()

    token, key_authorization = new_challenge()
    (webroot.path / ".x").write_text(key_authorization)
    os.link(webroot.path / ".x", webroot.host.path("/mnt/second-name"))
    (webroot.path / ".x").rename(webroot.path / token)
    refused(webroot, token, "it has more than one name")

    token, _ = new_challenge()
    os.mkfifo(webroot.path / ".fifo")
    (webroot.path / ".fifo").rename(webroot.path / token)
    refused(webroot, token, "it is no regular file")
    (webroot.path / token).unlink()

    (webroot.path / "a-directory").mkdir()
    (webroot.path / "not a token").write_text("x")
    refused(webroot, "not a token", "its name is none a token can have")
    challenge, _ = webroot.put()
    webroot.assert_served(challenge)


def test_unreadable_then_readable(webroot):
    """The keeper has no privilege over files; chmod is enough afterwards."""
    challenge, path = webroot.put(uid=MEMBER_UID, mode=0o600)
    refused(webroot, challenge[0], f".*uid {MEMBER_UID}.* mode 0644")
    path.chmod(0o644)
    webroot.assert_served(challenge)
    assert webroot.tokens()[challenge[0]]["uid"] == MEMBER_UID


def test_lease_of_the_owner(webroot):
    """A lease makes whoever opens the file wait for its holder; not the keeper."""
    token, key_authorization = new_challenge()
    hidden = webroot.write(".leased", key_authorization)
    descriptor = os.open(hidden, os.O_RDWR)
    with contextlib.closing(os.fdopen(descriptor, "rb")):
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, 0)
        before = signal.signal(signal.SIGIO, signal.SIG_IGN)
        try:
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            hidden.rename(webroot.path / token)
            webroot.wait_for(f'"{token}" in the webroot is no token: a program holds a lease on it')
            # Nothing waited: another is served meanwhile.
            other, _ = webroot.put()
            webroot.assert_served(other)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        finally:
            signal.signal(signal.SIGIO, before)
    # It was opened for writing, so that its end is the event.
    webroot.assert_served((token, key_authorization))


def test_file_and_hook_are_two(webroot):
    """Of the same token and the same user; each ends what it began."""
    (token, key_authorization), path = webroot.put()
    webroot.assert_served((token, key_authorization))
    webroot.wicket.run("add", key_authorization)
    assert len([r for r in webroot.wicket.status()["reasons"] if r["token"] == token]) == 2
    path.unlink()
    webroot.assert_served((token, key_authorization))
    assert webroot.tokens()[token]["purpose"] != "file in the webroot"
    said = len(webroot.keeper.output)
    webroot.write(token, key_authorization)
    webroot.keeper.output.wait_for(f"token {token} appeared", said)
    webroot.wicket.run("remove", token)
    webroot.assert_served((token, key_authorization))
    answer = webroot.wicket.run("remove", token)
    assert "file in the webroot" in answer.stderr
    webroot.assert_served((token, key_authorization))
    path.unlink()
    webroot.assert_shut()


def test_another_account(webroot):
    token, key_authorization = webroot.wicket.add()
    webroot.write(token, f"{token}.{OTHER}")
    webroot.wait_for("no token: the token is registered for another ACME account")
    webroot.assert_served((token, key_authorization))


def test_accounts(production, wicket):
    webroot = Webroot(wicket, f"  accounts: [{OTHER}]\n").serve()
    challenge, _ = webroot.put()
    refused(webroot, challenge[0], "its ACME account is not among tokens.accounts")
    good = new_challenge(OTHER)
    webroot.write(*good)
    webroot.assert_served(good)


def test_lifetime(production, wicket):
    """A file nobody removes ends by itself, and is no token again until it is written again."""
    webroot = Webroot(wicket, "window:\n  token_lifetime: 2s\n").serve()
    challenge, path = webroot.put()
    webroot.assert_served(challenge)
    webroot.wait_for("is over: nobody removed the token in time")
    webroot.assert_shut()
    # Only writing makes it young again.
    path.chmod(0o640)
    path.chmod(0o644)
    os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
    assert webroot.tokens() == {}
    path.rename(webroot.host.path("/mnt/away"))
    webroot.host.path("/mnt/away").rename(path)
    webroot.wait_for(f'"{challenge[0]}" in the webroot is no token: it is older than')
    assert webroot.tokens() == {}
    webroot.assert_shut()
    webroot.write(*challenge)
    webroot.assert_served(challenge)


def test_there_at_the_start(production, wicket):
    """Files that are there when the keeper starts are tokens, unless they are old."""
    directory = wicket.host.path(CHALLENGES)
    directory.mkdir(parents=True)
    webroot = Webroot(wicket)
    challenges = [webroot.put()[0] for _ in range(3)]
    webroot.serve()
    for challenge in challenges:
        webroot.assert_served(challenge)


def test_stale_at_the_start(production, wicket):
    wicket.host.path(CHALLENGES).mkdir(parents=True)
    webroot = Webroot(wicket, "window:\n  token_lifetime: 1s\n")
    (token, _), path = webroot.put()
    # Nothing happens when a file becomes old; the clock is all there is.
    while time.time() < path.stat().st_mtime + 1.1:
        network.get(webroot.lab.outside, HOST4)
    webroot.serve()
    refused(webroot, token, "it is older than window.token_lifetime")


def test_directories_come_and_go(webroot):
    """Removed, made again, moved away, moved back, replaced: at every level."""
    host = webroot.host
    for level in (CHALLENGES.rstrip("/"), WEBROOT + "/.well-known", WEBROOT):
        challenge, _ = webroot.put()
        webroot.assert_served(challenge)
        host.path(level).rename(host.path("/mnt/aside"))
        webroot.assert_shut()
        host.path("/mnt/aside").rename(host.path(level))
        webroot.assert_served(challenge)

        # Another one in its place, in one step.
        other = host.path("/mnt/other")
        inner = other / os.path.relpath(CHALLENGES, level)
        inner.mkdir(parents=True)
        second = new_challenge()
        (inner / second[0]).write_text(second[1])
        host.path(level).rename(host.path("/mnt/old"))
        other.rename(host.path(level))
        webroot.assert_served(second)
        assert set(webroot.tokens()) == {second[0]}

        host.run("rm", "-r", level)
        webroot.assert_shut()
        webroot.path.mkdir(parents=True)
        third = new_challenge()
        (webroot.path / third[0]).write_text(third[1])
        webroot.assert_served(third)
        host.run("rm", "-r", "/mnt/old")


def test_mounts(webroot):
    """A file system mounted over the webroot, and unmounted while it is watched."""
    challenge, _ = webroot.put()
    webroot.assert_served(challenge)
    webroot.host.run("mount", "-t", "tmpfs", "tmpfs", WEBROOT)
    webroot.assert_shut()
    webroot.path.mkdir(parents=True)
    inside = new_challenge()
    webroot.write(*inside)
    webroot.assert_served(inside)
    assert set(webroot.tokens()) == {inside[0]}
    # Without -l: the keeper holds nothing there.
    webroot.host.run("umount", WEBROOT)
    webroot.assert_served(challenge)
    assert set(webroot.tokens()) == {challenge[0]}
    # Below the webroot others may have a hand in it.
    webroot.host.run("mount", "-t", "tmpfs", "tmpfs", CHALLENGES)
    webroot.wait_for("acme-challenge is on another file system")
    webroot.assert_shut()
    webroot.host.run("umount", CHALLENGES)
    webroot.assert_served(challenge)


# Mounts a FUSE file system that never answers, and lives until it is killed.
HANGING = """
import ctypes, os, signal, stat
if not os.path.exists("/mnt/fuse"):
    os.mknod("/mnt/fuse", stat.S_IFCHR | 0o600, os.makedev(10, 229))
fuse = os.open("/mnt/fuse", os.O_RDWR)
options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0,allow_other"
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(b"hanging", b"/mnt/webroot", b"fuse", 0, options.encode()) != 0:
    raise OSError(ctypes.get_errno(), "mount")
print("mounted", flush=True)
signal.pause()
"""


def test_file_system_that_does_not_answer(production, wicket):
    """A server that is gone, or a user's own: the keeper asks it nothing."""
    wicket.host.path(WEBROOT).mkdir()
    server = wicket.host.start("/usr/bin/python3", "-c", HANGING, name="fuse server")
    server.output.wait_for("^mounted$")
    wicket.turn_away(CONFIG)
    keeper = wicket.serve()
    keeper.output.wait_for("is not watched: webroot: it is on a file system of type fuse")
    token, key_authorization = wicket.add()
    challenge_answered(wicket.lab, (token, key_authorization), HOST4, time.monotonic())
    wicket.run("remove", token)
    # The same while it is watched, and back.
    wicket.host.run("umount", "-l", WEBROOT)
    server.signal(signal.SIGKILL)
    server.wait()
    keeper.output.wait_for("the webroot .* is not there")
    wicket.host.path(CHALLENGES).mkdir(parents=True)
    keeper.output.wait_for("the webroot .* is watched")
    said = len(keeper.output)
    again = wicket.host.start("/usr/bin/python3", "-c", HANGING, name="fuse server")
    again.output.wait_for("^mounted$")
    keeper.output.wait_for("is not watched: webroot: it is on a file system of type fuse", said)
    wicket.status()
    wicket.host.run("umount", "-l", WEBROOT)
    again.signal(signal.SIGKILL)
    again.wait()


def test_ten_thousand_files(webroot, tell):
    """More events than the kernel keeps; production and other tokens wait for nothing."""
    wanted, _ = webroot.wicket.add()
    token, key_authorization = new_challenge()
    begin = time.monotonic()
    for number in range(10_000):
        name = f"many-{number:05}"
        with (webroot.path / name).open("w") as stream:
            stream.write(f"{name}.{THUMBPRINT}")
    written = time.monotonic()
    webroot.wicket.status()
    answered = time.monotonic()
    # The limit of one user is none of another's.
    webroot.write(token, key_authorization, uid=MEMBER_UID)
    took, _ = challenge_answered(webroot.lab, (token, key_authorization), HOST4, answered)
    tell(
        f"10,000 files written in {written - begin:.2f} s; status meanwhile after "
        f"{(answered - written) * 1000:.0f} ms, another user's file answered after "
        f"{took * 1000:.0f} ms"
    )
    webroot.wait_for("[0-9]+ more files in the webroot are no tokens")
    # One more was registered by the same user, and one is another's.
    assert len(webroot.wicket.status()["reasons"]) == 1001
    assert "which is all a user may have" in webroot.keeper.output.text()
    # One line says how many; not ten thousand do.
    assert webroot.keeper.output.text().count("is no token:") < 40
    assert webroot.keeper.output.text().count("appeared as a file") < 200
    webroot.host.run("sh", "-c", f"rm -r {CHALLENGES}")
    webroot.wait_for("is not there")
    assert set(webroot.tokens()) == {wanted}
    webroot.wicket.run("remove", wanted)
    webroot.assert_shut()
    assert webroot.keeper.output.text().count("is over: removed") < 200


def test_events_are_lost(webroot):
    """While the keeper stands still the kernel's queue overflows; it finds out by looking."""
    kept, kept_path = webroot.put()
    gone, gone_path = webroot.put()
    webroot.assert_served(gone)
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    keeper = webroot.keeper
    keeper.freeze()
    scratch = webroot.path / ".scratch"
    for _ in range(limit // 2 + 10):
        scratch.write_text("x")
        scratch.unlink()
    gone_path.unlink()
    new, _ = webroot.put()
    keeper.signal(signal.SIGCONT)
    webroot.wait_for("the kernel lost events of the webroot")
    webroot.assert_served(new)
    webroot.assert_served(kept)
    assert set(webroot.tokens()) == {kept[0], new[0]}
    assert kept_path.exists()


def test_run_needs_no_service(production, wicket):
    """A client that writes files, started by wicket run, with no keeper before or after."""
    wicket.turn_away(CONFIG)
    token, key_authorization = new_challenge()
    script = (
        f'd="$WICKET_WEBROOT{PREFIX}"; printf %s {key_authorization} >"$d/{token}"; '
        f'read -r line <"/mnt/done"; rm "$d/{token}"'
    )
    os.mkfifo(wicket.host.path("/mnt/done"))
    run = wicket.host.start(*wicket.command("run", "--", "sh", "-c", script))
    challenge_answered(wicket.lab, (token, key_authorization), HOST4, time.monotonic())
    wicket.host.path("/mnt/done").write_text("done\n")
    assert run.wait_output() == 0
    assert "1 token" in run.output.text()
    answered_by(wicket.lab, "production", HOST4)
    wicket.wait_gone()


@pytest.mark.parametrize("serve", [True, False], ids=["serve", "on demand"])
@pytest.mark.parametrize("mode", [0o755, 0o700, 0o2775])
def test_run_leaves_what_is_behind_a_link(production, wicket, serve, mode):
    """Root's run neither makes nor changes anything where a member's link leads to."""
    wicket.turn_away(CONFIG)
    keeper = wicket.serve() if serve else None
    inner = wicket.host.path(WEBROOT + "/.well-known")
    if inner.exists():
        wicket.host.run("rm", "-r", WEBROOT + "/.well-known")
    inner.parent.mkdir(exist_ok=True)
    elsewhere = wicket.host.path("/mnt/elsewhere")
    elsewhere.mkdir()
    elsewhere.chmod(mode)
    inner.symlink_to("/mnt/elsewhere")
    before = elsewhere.stat()
    result = wicket.run("run", "--", "sh", "-c", "exit 7", check=False)
    assert result.returncode == 7
    assert ".well-known on the way is no directory, or a link" in result.stderr
    after = elsewhere.stat()
    assert list(elsewhere.iterdir()) == []
    assert (after.st_mode, after.st_ctime_ns) == (before.st_mode, before.st_ctime_ns)
    if keeper:
        wicket.leave(keeper)


def test_run_with_a_link_to_nowhere(webroot):
    """Hooks need no webroot: a warning, no more."""
    webroot.path.rmdir()
    webroot.path.symlink_to("/mnt/nowhere")
    result = webroot.wicket.run("run", "--", "sh", "-c", "exit 3", check=False)
    assert result.returncode == 3
    assert result.stderr.count("acme-challenge on the way is no directory, or a link") == 1
    assert not webroot.host.path("/mnt/nowhere").exists()
    # Nor does a word of it stay behind for what is asked next.
    webroot.path.unlink()
    assert "on the way" not in webroot.wicket.run("run", "--", "true").stderr


@pytest.mark.parametrize("level", [CHALLENGES.rstrip("/"), WEBROOT + "/.well-known", WEBROOT])
def test_run_makes_what_is_missing(webroot, level):
    """While a keeper runs that gave up most privileges: as at its start."""
    webroot.host.run("rm", "-r", level)
    webroot.wait_for("the webroot .* is not there")
    token, key_authorization = new_challenge()
    script = f'printf %s {key_authorization} >"$WICKET_WEBROOT{PREFIX}{token}"'
    member = ("setpriv", f"--reuid={MEMBER_UID}", f"--regid={MEMBER_UID}", "--init-groups")
    result = webroot.wicket.run("run", "--", "sh", "-c", script, prefix=member)
    assert "on the way" not in result.stderr
    for path in (WEBROOT, WEBROOT + "/.well-known", CHALLENGES):
        status = webroot.host.path(path).stat()
        assert (status.st_uid, status.st_gid) == (0, ACCOUNT_UID)
        assert status.st_mode & 0o7777 == 0o3775
    webroot.assert_served((token, key_authorization))
