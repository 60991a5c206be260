# SPDX-License-Identifier: GPL-2.0-or-later
"""
The log cannot be forged: what comes from the network, from peers, files, arguments and the
environment stays within the line it is told in, and nobody fills the log.
"""

import json
import os
import re
import shutil
import time

import pytest
from lab import control, network, programs
from lab.control import ADD, HELLO, OPEN, REMOVE, Control, header
from lab.lab import HOST4, HOST6, MEMBER_UID, VISITORS4, VISITORS6
from lab.wicket import PREFIX, THUMBPRINT, new_challenge

# What is tried at every door: an end of the line and a line of one's own, a terminal's escapes,
# bytes that are no UTF-8, a syslog header, and a lot of anything.
FORGED = {
    "newline": b"x\nwicket-keeper: forged",
    "carriage return": b"x\r\nwicket-keeper[1]: forged",
    "escapes": b"x\x1b[2J\x1b]0;forged\x07\x9b31m",
    "utf-8": b"x\xff\xfe\xc0\x80\xed\xa0\x80 forged",
    "line separator": "x\u2028\u0085\u202eforged".encode(),
    "syslog": b"<0>Jan  1 00:00:00 host wicket-keeper[1]: forged",
    "format": b"%s%n%1000000d forged",
    "quote": b'x" is fine\\',
    "long": b"forged " * 3000,
}
LINE_MAX = 1024  # LOG_LINE_MAX
LINE = re.compile(r"wicket(-keeper|-responder)?(\[\d+\])?: [\x20-\x7e]*")


def assert_clean(lines):
    for line in lines:
        assert LINE.fullmatch(line), repr(line)
        assert len(line) <= LINE_MAX, repr(line)


def journal(lab, start=0):
    """What came to /dev/log, a datagram each, none of which may be more than a line."""
    return [text for _, text in lab.journal.lines.entries(start)]


@pytest.fixture
def keeper(lab, production, wicket):
    """One that runs on demand, so logs to /dev/log."""
    wicket.turn_away()
    wicket.run("open", "--for", "5m")
    yield wicket
    for reason in wicket.status()["reasons"]:
        for _ in range(reason["count"] if reason["kind"] == "token" else 0):
            wicket.run("remove", reason["token"])
    wicket.run("close")
    lines = journal(lab)
    assert len(lines) > 3
    assert_clean(lines)


def text(attack, most):
    """As much of it as fits a field of a message."""
    return FORGED[attack][: most - 1].ljust(most, b"\0")


def attack_control_socket(lab, attack):
    """How many messages were refused."""
    good = new_challenge()[1].encode()
    refused = 0
    for message in (
        header(ADD) + good.ljust(304, b"\0") + text(attack, 96),
        header(ADD) + text(attack, 304) + b"the lab".ljust(96, b"\0"),
        header(REMOVE) + text(attack, 264) + b"the lab".ljust(96, b"\0"),
        header(REMOVE) + b"token".ljust(264, b"\0") + text(attack, 96),
        header(OPEN) + (60000).to_bytes(8, "little") + text(attack, 96),
        header(ADD) + FORGED[attack],
        FORGED[attack],
    ):
        control = Control(lab.host)
        assert control.greeting == HELLO
        control.send(message)
        answer = control.receive()
        control.close()
        refused += answer == b"" or answer[8:12] != bytes(4)
    return refused


def test_control_socket(lab, keeper):
    """Purposes, tokens and key authorizations as no client of ours sends them."""
    start = len(lab.journal.lines)
    for attack in FORGED:
        # Some of it is printable, and a good purpose.
        assert attack_control_socket(lab, attack) >= 3
    lab.journal.lines.wait_for("refused with|loses its connection", start=start)
    lines = journal(lab, start)
    assert_clean(lines)
    assert not [line for line in lines if re.match(r"wicket\S* forged", line)]
    shown = keeper.run("status").stdout
    assert re.fullmatch(r"[\x20-\x7e\n]*", shown), shown


def of_a_file(attack):
    return FORGED[attack].replace(b"/", b"_")[:255]


def test_names_of_files(lab, keeper):
    """Files appear in the webroot that are no tokens, each is told of in one line."""
    directory = lab.host.path("/var/lib/wicket/webroot/.well-known/acme-challenge")
    start = len(lab.journal.lines)
    for attack in FORGED:
        path = os.path.join(os.fsencode(directory), of_a_file(attack))
        with open(path, "wb") as file:
            file.write(b"\n\x1b[2Jforged\n")
        lab.journal.lines.wait_for("the file .* is no token", start=start)
        lines = [line for line in journal(lab, start) if "is no token" in line]
        assert len(lines) == 1
        assert_clean(lines)
        assert "forged\\x" not in lines[0].split(": ", 2)[-1]
        start = len(lab.journal.lines)
        os.unlink(path)


def test_names_of_files_in_a_log_of_lines(make_lab):
    """Where there is no syslog, the keeper has a file, where a newline would be one."""
    lab = make_lab(syslog=False)
    lab.host.run("wicket", "open", "--for", "5m")
    directory = lab.host.path("/var/lib/wicket/webroot/.well-known/acme-challenge")
    for attack in FORGED:
        (directory / os.fsdecode(of_a_file(attack))).write_bytes(b"forged\n")
    token, key_authorization = new_challenge()
    lab.host.run("wicket", "add", key_authorization)
    # Its file's line comes behind those.
    lab.host.run("wicket", "remove", token)
    lab.host.run("wicket", "close")
    lines = lab.host.path("/run/wicket/keeper.log").read_bytes().decode("latin-1")
    assert lines.endswith("\n")
    assert_clean(lines[:-1].split("\n"))
    assert lines.count("is no token") == len(FORGED)


@pytest.mark.parametrize(("address", "source"), [(HOST4, VISITORS4[0]), (HOST6, VISITORS6[0])])
def test_requests(lab, keeper, address, source):
    """A request is told of only when it was for a token, and then by that token."""
    token, key_authorization = keeper.add()
    start = len(lab.journal.lines)
    for attack in FORGED.values():
        for request in (
            b"GET " + PREFIX.encode() + token.encode() + attack + b" HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: " + attack + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: " + attack + b"\r\n\r\n",
            attack + b" / HTTP/1.1\r\nHost: a\r\n\r\n",
        ):
            with network.connect(lab.outside, address, source=source) as visitor:
                visitor.sendall(request)
                with visitor.makefile("rb") as stream:
                    assert network.read_answer(stream).status in (400, 404, 414, 431)
    with network.connect(lab.outside, address, source=source) as visitor:
        port = visitor.getsockname()[1]
        visitor.sendall(
            b"GET "
            + f"{PREFIX}{token} HTTP/1.1\r\nHost: forged\r\nReferer: forged\r\n\r\n".encode()
        )
        with visitor.makefile("rb") as stream:
            assert network.read_answer(stream).body == key_authorization.encode()
    lab.journal.lines.wait_for("validation of", start=start)
    (line,) = journal(lab, start)
    assert line.endswith(f": validation of {token} from {source} port {port}")
    keeper.run("remove", token)


def attack_commands(lab, forged):
    """Returns how many lines they wrote."""
    token, key_authorization = new_challenge()
    good = {
        "CERTBOT_DOMAIN": "log.lab",
        "CERTBOT_TOKEN": token,
        "CERTBOT_VALIDATION": key_authorization,
        "CERTBOT_REMAINING_CHALLENGES": "0",
        "CERTBOT_ALL_DOMAINS": "log.lab",
    }
    for arguments, environment in (
        ([forged], {}),
        (["add", forged], {}),
        (["remove", forged], {}),
        (["open", "--for", forged], {}),
        (["open", f"--{forged}"], {}),
        (["-c", f"/mnt/{forged}", "status"], {}),
        (["-c", f"/mnt/{forged}", "add", key_authorization], {}),
        (["run", "--", forged], {}),
        (["hook", forged], {}),
        (["hook", "certbot", forged], good),
        (["hook", "certbot", "auth"], {**good, "CERTBOT_DOMAIN": forged}),
        (["hook", "certbot", "cleanup"], {**good, "CERTBOT_DOMAIN": forged}),
        (["hook", "certbot", "auth"], {**good, "CERTBOT_TOKEN": forged}),
        (["hook", "certbot", "auth"], {**good, "CERTBOT_VALIDATION": forged}),
        (["hook", "certbot", "auth"], {**good, "CERTBOT_REMAINING_CHALLENGES": forged}),
    ):
        done = lab.host.run("wicket", *arguments, check=False, environment=environment)
        if done.stderr:
            assert done.stderr.endswith("\n")
            assert_clean(done.stderr[:-1].split("\n"))
            yield done.stderr


def test_arguments_and_environment(lab, keeper):
    """Whoever is told something on standard error is told it in one line."""
    start = len(lab.journal.lines)
    for forged in FORGED.values():
        # None of it is a token, a client, a time or a key authorization.
        assert len(list(attack_commands(lab, os.fsdecode(forged)))) >= 8
    lines = journal(lab, start)
    assert_clean(lines)
    assert not [line for line in lines if re.match(r"wicket\S* forged", line)]


def test_newline_in_the_path_of_the_configuration(lab):
    """The lock is read line by line."""
    name = os.fsdecode(FORGED["newline"])
    (lab.directory / name).touch()
    refused = lab.host.run("wicket", "-c", f"/mnt/{name}", "open", check=False)
    assert refused.returncode == 78
    assert_clean(refused.stderr.splitlines())
    assert "a newline in this path" in refused.stderr


@pytest.mark.parametrize("attack", ["escapes", "quote"])
def test_path_of_the_configuration(lab, attack):
    """The keeper has it in its lock, its greeting and its log."""
    name = os.fsdecode(FORGED[attack])
    (lab.directory / name).write_text("window:\n  lease: 4s\n")
    lab.host.run("wicket", "-c", f"/mnt/{name}", "open", "--for", "5m")
    (lab.directory / name).write_bytes(b'window:\n  l\xc2\x9base: 4s\n"forged\\n\\e[2J": 1\n')
    start = len(lab.journal.lines)
    (pid,) = lab.host.pids_of("wicket-keeper")
    os.kill(pid, 1)
    lab.journal.lines.wait_for("stays in force", start=start)
    lines = journal(lab)
    assert_clean(lines)
    shown = lab.host.run("wicket", "-c", f"/mnt/{name}", "status")
    assert_clean(shown.stderr.splitlines())
    assert re.fullmatch(r"[\x20-\x7e\n]*", shown.stdout), shown.stdout
    (lab.directory / "other.yaml").write_text("window:\n  lease: 4s\n")
    other = lab.host.run("wicket", "-c", "/mnt/other.yaml", "status", check=False)
    assert other.returncode == 78
    assert_clean(other.stderr.splitlines())
    (lock,) = lab.host.path("/run/wicket").glob("keeper-*.lock")
    assert lock.read_bytes().count(b"\n") == 3
    os.kill(pid, 15)
    os.kill(pid, 15)


def left_out(lines, about):
    return sum(
        int(found[1])
        for line in lines
        if (found := re.search(rf"(\d+) more lines about {about} were left out", line))
    )


def test_flood_of_validations(lab, production, wicket, tell):
    """Whoever is answered can ask again and again. What the log leaves out it counts."""
    wicket.configure(f"window:\n  lease: 1s\ntokens:\n  stateless: [{THUMBPRINT}]\n")
    wicket.run("open", "--for", "5m")
    shutil.copy(programs.build_directory() / "integration" / "strangers", lab.directory)
    start = len(lab.journal.lines)
    floods = [
        lab.outside.start("/mnt/strangers", "unknown", 2, 16, 1000, target, *sources)
        for target, sources in ((HOST4, VISITORS4), (HOST6, VISITORS6))
    ]
    answered = 0
    for flood in floods:
        assert flood.wait_output() == 0, flood.output.text()
        answered += json.loads(flood.output.text())["answered"]
    # The last of it is told when its second is over, with nobody there to cause a line.
    deadline = time.monotonic() + 10
    while True:
        entries = lab.journal.lines.entries(start)
        told = [moment for moment, line in entries if ": validation of " in line]
        missing = left_out([line for _, line in entries], "validations")
        lost = sum(
            int(n) for _, line in entries for n in re.findall(r"lines lost .*: (\d+)$", line)
        )
        if len(told) + missing + lost >= answered:
            break
        assert time.monotonic() < deadline, (answered, len(told), missing, lost)
        lab.journal.lines.wait_for("left out", start=start + len(entries))
    tell(f"{answered} validations: {len(told)} lines, {missing} left out, {lost} lost by the log")
    assert answered > 1000
    assert missing > answered / 2
    assert len(told) + missing + lost == answered == wicket.status()["counters"]["validations"]
    assert len(told) + lost <= 100 * (told[-1] - told[0] + 2)
    assert_clean([line for _, line in entries])


def test_flood_of_bad_messages(lab, keeper):
    start = len(lab.journal.lines)
    for _ in range(200):
        control = Control(lab.host)
        control.send(b"rubbish\n")
        assert control.receive() == b""
        control.close()
    lab.journal.lines.wait_for("about requests that were refused were left out", start=start)
    entries = lab.journal.lines.entries(start)
    told = [moment for moment, line in entries if "loses its connection" in line]
    missing = left_out([line for _, line in entries], "requests that were refused")
    assert len(told) <= 10 * (told[-1] - told[0] + 1) + 10
    if len(told) + missing < 200:
        # The flood went into another second.
        lab.journal.lines.wait_for("left out", start=start + len(entries))
        missing = left_out(journal(lab, start), "requests that were refused")
        told = [line for line in journal(lab, start) if "loses its connection" in line]
    assert len(told) + missing == 200


FLOOD = """
import secrets, sys, threading, time
from control import Control, OPEN, header

class Host:
    @staticmethod
    def path(inside):
        return inside

CLOSE, THUMBPRINT = 67, sys.argv[2]

def register(control):
    token = secrets.token_urlsafe(24)
    control.add(token + "." + THUMBPRINT)
    control.remove(token)

def again(control):
    control.add("A" * 32 + "." + THUMBPRINT)

def open_and_close(control):
    control.send(header(OPEN) + (60000).to_bytes(8, "little") + bytes(96))
    control.result()
    control.send(header(CLOSE))
    control.result()

def run(what):
    control, end = Control(Host), time.monotonic() + 3
    while time.monotonic() < end:
        what(control)
        if not done:
            print("flooding", flush=True)
        done.append(None)

done = []
threads = [threading.Thread(target=run, args=[globals()[sys.argv[1]]]) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(done), "requests")
"""


@pytest.mark.parametrize("what", ["register", "again", "open_and_close"])
def test_flood_of_requests(lab, production, wicket, tell, what):
    """A member of the group does not fill the log, and keeps nothing of root's out of it."""
    wicket.turn_away()
    wicket.run("open", "--for", "5m")
    shutil.copy(control.__file__, lab.directory)
    (lab.directory / "flood.py").write_text(FLOOD)
    member = ("setpriv", "--reuid=member", "--regid=member", "--init-groups", "--")
    start = len(lab.journal.lines)
    begin = time.monotonic()
    flood = lab.host.start("python3", "/mnt/flood.py", what, THUMBPRINT, prefix=member)
    flood.output.wait_for("flooding")
    wicket.run("close")
    root = Control(lab.host)
    challenges = [new_challenge() for _ in range(30)]
    for _, key_authorization in challenges:
        assert root.add(key_authorization) == (0, "")
    for token, _ in challenges:
        assert root.remove(token) == (0, "")
    root.close()
    assert flood.wait_output() == 0, flood.output.text()
    requests = int(flood.output.wait_for(r"(\d+) requests")[1])
    member_left_out = f"requests of uid {MEMBER_UID}"
    if what != "again":
        # It has told what the last second left out.
        wicket.wait_gone()
    lines = journal(lab, start)
    seconds = time.monotonic() - begin + 2
    assert_clean(lines)
    missing = left_out(lines, member_left_out)
    tell(f"{what}: {requests} requests, {len(lines)} lines, {missing} left out")
    for token, _ in challenges:
        assert sum(f"token {token} registered by uid 0 " in line for line in lines) == 1
        assert sum(f"token {token} of uid 0 is over: removed" in line for line in lines) == 1
    assert left_out(lines, "requests of uid 0") == 0
    # The member's own lines, three of a window, root's, and what was left out or lost.
    assert len(lines) <= 3 * 20 * seconds + 10 * len(challenges)
    if what == "again":
        assert sum(f"registered by uid {MEMBER_UID} " in line for line in lines) == 1
        assert requests > 100
    if what == "register":
        of_member = [line for line in lines if re.search(rf"token .* uid {MEMBER_UID} ", line)]
        assert 20 <= len(of_member) <= 20 * seconds
        assert len(of_member) + missing >= 2 * requests > 20 * seconds


def test_responder_that_forges(lab, production, wicket):
    """What comes out of the responder's end of the log is its own, one line a line, and not many."""
    wicket.run("open", "--for", "5m")
    start = len(lab.journal.lines)
    said = 0
    with open(f"/proc/{wicket.responder()}/fd/2", "wb", buffering=0) as log:
        for attack in FORGED.values():
            log.write(attack + b"\n")
            said += attack.count(b"\n") + 1
        lab.journal.lines.wait_for("forged forged .*\\.\\.\\.$", start=start)
        lines = journal(lab, start)
        assert_clean(lines)
        assert len(lines) == said
        assert all(line.startswith("wicket-responder: ") for line in lines)
        for _ in range(5000):
            log.write(b"<0>forged\n")
    lab.journal.lines.wait_for("lines about what the responder said were left out", start=start)
    lines = journal(lab, start)
    told = [line for line in lines if line.startswith("wicket-responder: ")]
    assert len(told) + left_out(lines, "what the responder said") == said + 5000
    assert len(told) < 1000
    token, _ = wicket.add()
    lab.journal.lines.wait_for(f"token {token} registered by uid 0", start=start)
    wicket.run("remove", token)
    wicket.run("close")
