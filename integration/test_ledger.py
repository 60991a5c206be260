# SPDX-License-Identifier: GPL-2.0-or-later
"""
The ledger: what is written, for whom, that nothing waits for it, and what `wicket validators` makes
of it.
"""

import json
import os
import re
import signal
import stat
import subprocess
import threading

import pytest
from lab import ledger, network, proc
from lab.lab import (
    ACCOUNT_UID,
    HOST4,
    HOST6,
    MEMBER_UID,
    STRANGER_UID,
    VALIDATORS4,
    VALIDATORS6,
    VISITORS4,
)
from lab.wicket import PREFIX, THUMBPRINT, answered_by, new_challenge

NAMES = ["one.example.lab", "two.example.lab"]
FILTER = "2"  # seccomp's mode


def as_user(uid):
    return ("setpriv", "--reuid", str(uid), "--regid", str(uid), "--init-groups", "--")


def test_certificate(lab, production, wicket, certbot):
    """What is on record of a renewal, and that nothing in it is of use to anybody else."""
    lab.ca.set_name(NAMES[0], [HOST4], [])
    lab.ca.set_name(NAMES[1], [HOST4], [HOST6])
    certbot.run(certbot.manual(NAMES))
    wicket.wait_gone()
    found = ledger.entries(lab.host)
    events = [entry["event"] for entry in found]
    assert events.count("token-registered") == 2
    assert events.count("window-opened") == events.count("window-shut") == 1
    assert events.count("validation") == 6
    assert len({entry["window"] for entry in found}) == 1
    assert [entry["time"] for entry in found] == sorted(entry["time"] for entry in found)

    (opened,) = ledger.entries(lab.host, events=("window-opened",))
    ruleset = wicket.run("ruleset").stdout
    assert opened["ruleset_sha256"] == ledger.digest(ruleset)
    assert opened["uid"] == 0 and opened["port"] == 80
    assert re.fullmatch(r"certbot hook for (one|two)\.example\.lab", opened["purpose"])

    tokens = {e["token_sha256"] for e in ledger.entries(lab.host, events=("token-registered",))}
    validations = ledger.entries(lab.host, events=("validation",))
    assert {entry["token_sha256"] for entry in validations} == tokens
    assert {entry["address"] for entry in validations} == set(VALIDATORS4 + VALIDATORS6)
    for entry in validations:
        assert entry["local"] == (HOST4 if entry["family"] == "IPv4" else HOST6)
        assert entry["host"].split(":")[0] in NAMES
        assert "Pebble" in entry["user_agent"]
        assert entry["status"] == 200 and entry["age_ms"] >= 0

    (shut,) = ledger.entries(lab.host, events=("window-shut",))
    assert (shut["tokens"], shut["validations"], shut["addresses"]) == (2, 6, 6)
    assert shut["redirected"] == shut["arrived"] >= 6
    assert shut["why"] == "nothing is pending any more" and shut["open_ms"] > 0

    # No token, no thumbprint, no key authorization.
    text = lab.host.path(ledger.PATH).read_text()
    log = lab.journal.lines.text()
    names = re.findall(r"token (\S+) registered", log)
    assert {ledger.digest(name) for name in names} == tokens
    assert not any(name in text for name in names)
    account = lab.host.path("/mnt/certbot/config/accounts")
    assert account.exists()
    # Root's, and the group's to read, who may see as much in the status.
    status = lab.host.path(ledger.PATH).stat()
    assert stat.S_IMODE(status.st_mode) == 0o640
    assert (status.st_uid, status.st_gid) == (0, ACCOUNT_UID)


def test_validators(lab, production, wicket, certbot):
    """Exactly those of the lab's CA, in every form, and nft and the firewall take theirs."""
    lab.ca.set_name(NAMES[0], [HOST4], [])
    certbot.run(certbot.manual(NAMES[:1]))
    wicket.wait_gone()
    first = json.loads(wicket.run("validators", "--json").stdout)
    assert [one["address"] for one in first["validators"]] == VALIDATORS4
    assert all(one["new"] and one["windows"] == 1 for one in first["validators"])
    assert {one["network"] for one in first["validators"]} == {"10.99.1.0/24"}

    lab.ca.set_name(NAMES[1], [HOST4], [HOST6])
    certbot.run(certbot.manual(NAMES[1:]))
    wicket.wait_gone()
    result = wicket.run("validators", "--format", "json")
    second = {one["address"]: one for one in json.loads(result.stdout)["validators"]}
    assert set(second) == set(VALIDATORS4 + VALIDATORS6)
    assert {address for address, one in second.items() if one["new"]} == set(VALIDATORS6)
    assert {second[address]["network"] for address in VALIDATORS6} == {"fd99::/48"}

    text = wicket.run("validators")
    assert "in the past" in text.stderr
    rows = [line.split() for line in text.stdout.splitlines()[1:]]
    assert [row[0] for row in rows] == VALIDATORS4 + VALIDATORS6
    assert [row[-1] == "new" for row in rows] == [False] * 3 + [True] * 3

    plain = wicket.run("validators", "--format", "plain").stdout
    addresses = [line.split("#")[0].strip() for line in plain.splitlines()]
    assert [address for address in addresses if address] == VALIDATORS4 + VALIDATORS6

    rules = wicket.run("validators", "--format", "nft").stdout
    for _ in range(2):  # also in place of what is there
        lab.host.nft(rules)
        for number, wanted in ((4, VALIDATORS4), (6, VALIDATORS6)):
            listing = lab.host.run(
                *("nft", "-j", "list", "set", "inet", "acme_validators", f"validators{number}")
            ).stdout
            (one,) = [part["set"] for part in json.loads(listing)["nftables"] if "set" in part]
            assert sorted(one["elem"]) == sorted(wanted)


def test_who_may_read(lab, production, wicket):
    """Root, and members of the group; others are told."""
    wicket.run("open", "--for", "1s")
    ledger.wait_for(lab.host, "window-opened")
    assert wicket.run("validators", prefix=as_user(MEMBER_UID)).returncode == 0
    refused = wicket.run("validators", prefix=as_user(STRANGER_UID), check=False)
    assert refused.returncode == 77
    assert "only root and members of the group wicket may read it" in refused.stderr
    assert refused.stdout == ""


def test_nothing_to_read(lab, wicket):
    """No keeper is needed, and no ledger."""
    result = wicket.run("validators")
    assert (result.returncode, result.stdout) == (0, "")
    assert "is not there yet" in result.stderr
    assert not wicket.keepers()
    assert wicket.run("validators", "--format", "csv", check=False).returncode == 64
    wicket.configure("ledger:\n  file: none\n")
    assert wicket.run("validators", check=False).returncode == 78


def test_broken_lines_and_thousands(lab, wicket):
    """Both files are read; what is not understood is counted, and the rest counts."""
    def line(number):
        return json.dumps(
            {
                **{"v": 1, "time": "2026-01-01T00:00:00.000Z", "event": "validation"},
                **{"keeper": "a-1", "window": f"a-1/{number // 1000}", "family": "IPv4"},
                "address": f"10.1.{number // 250 % 250}.{number % 250}",
            }
        )

    lab.host.run("mkdir", "/var/lib/wicket")
    directory = lab.host.path("/var/lib/wicket")
    (directory / "ledger.jsonl.1").write_text("".join(line(n) + "\n" for n in range(5000)))
    (directory / "ledger.jsonl").write_text(
        "".join(line(n) + "\n" for n in range(4000, 9000)) + '{"v":1,"time":"2026'
    )
    result = wicket.run("validators", "--json")
    document = json.loads(result.stdout)
    assert len(document["validators"]) == 9000
    assert sum(one["validations"] for one in document["validators"]) == 10000
    assert sum(one["new"] for one in document["validators"]) == 1000
    assert document["broken_lines"] == 1
    assert "1 of 10001 lines are not understood and left out" in result.stderr


def test_reasons_and_refusals(lab, production, wicket):
    wicket.configure("tokens:\n  accounts:\n    - " + "a" * 43 + "\n")
    keeper = wicket.serve()
    wicket.run("open", "--for", "5s")
    _, key_authorization = new_challenge()
    assert wicket.run("add", key_authorization, check=False).returncode == 77
    token, _ = new_challenge("a" * 43)
    wicket.run("add", f"{token}.{'a' * 43}")
    for source in VALIDATORS4:
        answer = network.get(lab.outside, HOST4, PREFIX + token, source=source)
        assert answer.status == 200
    network.get(lab.outside, HOST4, PREFIX + "nobody-registered-this", source=VISITORS4[0])
    network.get(lab.outside, HOST4, "/", source=VISITORS4[1])
    wicket.run("remove", token)
    wicket.run("close")
    (shut,) = ledger.wait_for(lab.host, "window-shut")
    assert (shut["validations"], shut["addresses"], shut["tokens"]) == (3, 3, 1)
    assert (shut["unknown_tokens"], shut["unknown_address"]) == (1, VISITORS4[0])
    assert shut["passed"] == 2
    (asked,) = ledger.entries(lab.host, events=("window-asked",))
    assert (asked["kind"], asked["purpose"]) == ("open", "wicket open")
    (refused,) = ledger.entries(lab.host, events=("refused",))
    assert refused["why"] == "account"
    (registered,) = ledger.entries(lab.host, events=("token-registered",))
    assert registered["token_sha256"] == ledger.digest(token)
    assert registered["account_sha256"] == ledger.digest("a" * 43)
    wicket.leave(keeper)
    assert not lab.host.pids_of("wicket-ledger")


def test_the_writers_fences(lab, production, wicket):
    """Root's without a capability, a list of system calls, two files; the keeper has none more."""
    keeper = wicket.serve()
    wicket.run("open", "--for", "1m")
    ledger.wait_for(lab.host, "window-opened")
    (pid,) = lab.host.pids_of("wicket-ledger")
    status = proc.status(pid)
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == FILTER
    assert status["Gid"].split() == [str(ACCOUNT_UID)] * 4
    assert status["Groups"] == ""
    for which in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert proc.capabilities(status, which) == set(), which
    assert {path.rsplit("/", 1)[-1] for path in proc.written(pid)} - {"null"} == {
        "ledger.jsonl",
        "ledger.jsonl.lock",
    }
    assert not any("ledger" in path for path in proc.written(keeper.pid))
    held = proc.descriptors(pid)
    assert not any("netlink" in path or "keeper-" in path for path in held.values())
    wicket.leave(keeper)


def test_it_becomes_the_directorys_owner(lab, production, wicket):
    """As under the unit, where the directory is the keeper's account's."""
    owner = 8700
    lab.host.run("install", "-d", "-o", str(owner), "-m", "0755", "/var/lib/wicket")
    wicket.run("open", "--for", "5s")
    ledger.wait_for(lab.host, "window-opened")
    (pid,) = lab.host.pids_of("wicket-ledger")
    assert proc.status(pid)["Uid"].split() == [str(owner)] * 4
    assert lab.host.path(ledger.PATH).stat().st_uid == owner


@pytest.mark.parametrize("kind", ["link", "directory", "writable"])
def test_planted(lab, production, wicket, kind):
    """What is in its place is not followed, and every window opens, serves and shuts."""
    lab.host.run("mkdir", "-p", "/var/lib/wicket", "/var/lib/precious")
    lab.host.run("sh", "-c", "echo precious >/var/lib/precious/file")
    if kind == "link":
        lab.host.run("ln", "-s", "/var/lib/precious/file", ledger.PATH)
        reason = "is a symbolic link, which is not followed; remove it"
    elif kind == "directory":
        lab.host.run("rmdir", "/var/lib/wicket")
        lab.host.run("ln", "-s", "/var/lib/precious", "/var/lib/wicket")
        reason = "a symbolic link is on the way"
    else:
        lab.host.run("chmod", "0777", "/var/lib/wicket")
        reason = "others than its owner may write there"
    keeper = wicket.serve()
    token, key_authorization = wicket.add()
    answer = network.get(lab.outside, HOST4, PREFIX + token)
    assert answer.body == key_authorization.encode()
    wicket.run("remove", token)
    answered_by(lab, "production", HOST4)
    keeper.output.wait_for(f"the ledger is not written: .*{reason}")
    status = wicket.status()["ledger"]
    assert reason in status["trouble"] and status["lost"] > 0
    assert "TROUBLE: the ledger is not written" in wicket.run("status").stdout
    precious = lab.host.path("/var/lib/precious")
    assert (precious / "file").read_text() == "precious\n"
    if kind == "link":
        assert sorted(path.name for path in precious.iterdir()) == ["file"]
    # Said once.
    assert len(re.findall("the ledger is not written", keeper.output.text())) == 1
    wicket.leave(keeper)


def test_full_disk(lab, production, wicket):
    """Windows open, serve and shut; it is said once, and counted when there is room again."""
    lab.host.run("mkdir", "/var/lib/wicket")
    lab.host.run("mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "full", "/var/lib/wicket")
    keeper = wicket.serve()
    wicket.run("open", "--for", "1m")
    ledger.wait_for(lab.host, "window-opened")
    wicket.run("close")
    ledger.wait_for(lab.host, "window-shut")
    lab.host.run("sh", "-c", "cat /dev/zero >/var/lib/wicket/filler", check=False)
    # A page may be left of the ledger's own.
    lines = 0
    while not wicket.status()["ledger"]["trouble"]:
        token, key_authorization = wicket.add()
        answer = network.get(lab.outside, HOST4, PREFIX + token)
        assert answer.body == key_authorization.encode()
        wicket.run("remove", token)
        lines += 1
        assert lines < 100
    keeper.output.wait_for("the ledger is not written: .*No space left on device")
    before = len(ledger.entries(lab.host))
    for _ in range(3):
        token, key_authorization = wicket.add()
        for address in (HOST4, HOST6):
            answer = network.get(lab.outside, address, PREFIX + token)
            assert answer.body == key_authorization.encode()
        wicket.run("remove", token)
        answered_by(lab, "production", HOST4)
    assert len(ledger.entries(lab.host)) >= before  # each of them whole
    assert len(re.findall("the ledger is not written", keeper.output.text())) == 1
    lost = wicket.status()["ledger"]["lost"]
    assert lost > 3
    lab.host.run("rm", "/var/lib/wicket/filler")
    wicket.run("open", "--for", "1m")
    left_out = ledger.wait_for(lab.host, "left-out")
    assert sum(entry["lines"] for entry in left_out) >= lost
    keeper.output.wait_for("the ledger is written again")
    assert wicket.status()["ledger"]["trouble"] is None
    wicket.run("close")
    wicket.leave(keeper)


def test_hung_disk(lab, production, wicket):
    """A writer that does not come back, as on a disk that does not answer, delays nothing."""
    keeper = wicket.serve()
    (pid,) = lab.host.pids_of("wicket-ledger")
    os.kill(pid, signal.SIGSTOP)
    for _ in range(40):
        token, key_authorization = wicket.add()
        answer = network.get(lab.outside, HOST4, PREFIX + token)
        assert answer.body == key_authorization.encode()
        wicket.run("remove", token)
    wicket.run("open", "--for", "1m")
    assert wicket.status()["window"]["redirected"]
    keeper.signal(signal.SIGTERM)
    keeper.output.wait_for("shutting, then leaving when drained")
    keeper.signal(signal.SIGTERM)
    assert keeper.wait() == 0
    keeper.output.wait_for("the ledger's disk does not answer")
    # What it was told is not lost when it comes back.
    os.kill(pid, signal.SIGCONT)
    assert len(ledger.wait_for(lab.host, "window-opened", 41)) == 41
    assert not [e for e in ledger.entries(lab.host) if e["event"] in ("keeper-lost", "left-out")]
    wicket.assert_gone()


def test_a_writer_that_dies(lab, production, wicket):
    keeper = wicket.serve()
    (pid,) = lab.host.pids_of("wicket-ledger")
    os.kill(pid, signal.SIGKILL)
    keeper.output.wait_for("the ledger is not written: its writer ended with signal 9")
    token, key_authorization = wicket.add()
    answer = network.get(lab.outside, HOST4, PREFIX + token)
    assert answer.body == key_authorization.encode()
    wicket.run("remove", token)
    assert wicket.status()["ledger"]["lost"] > 0
    wicket.leave(keeper)


def test_a_keeper_that_dies(lab, production, wicket):
    """It is on record that nobody noted the end of its window; the next lines are whole."""
    keeper = wicket.serve()
    wicket.run("open", "--for", "1m")
    ledger.wait_for(lab.host, "window-opened")
    keeper.signal(signal.SIGKILL)
    keeper.wait()
    ledger.wait_for(lab.host, "keeper-lost")
    # What a crash of the whole machine leaves.
    with lab.host.path(ledger.PATH).open("a") as file:
        file.write('{"v":1,"time":"2026-0')
    wicket.run("open", "--for", "1s")
    lines = ()
    for _ in range(200):
        lines = lab.host.path(ledger.PATH).read_text().splitlines()
        if sum('"window-opened"' in line for line in lines) == 2:
            break
        threading.Event().wait(0.05)
    broken = [line for line in lines if not line.endswith("}")]
    assert broken == ['{"v":1,"time":"2026-0']
    for line in lines:
        if line not in broken:
            ledger.check_line(line)
    assert "1 of " in wicket.run("validators").stderr


def test_rotation(lab, production, wicket):
    """Within a window, under its validators: two files and no more, of whole lines."""
    wicket.configure("ledger:\n  size: 1\n")
    lab.host.run("mkdir", "/var/lib/wicket")
    line = json.dumps(
        {
            **{"v": 1, "time": "2026-01-01T00:00:00.000Z", "event": "left-out"},
            **{"keeper": "a-1", "lines": 1},
        }
    )
    directory = lab.host.path("/var/lib/wicket")
    count = (1000000 - 10000) // (len(line) + 1)
    (directory / "ledger.jsonl").write_text(f"{line}\n" * count)
    (directory / "ledger.jsonl.1").write_text("the one before\n")
    keeper = wicket.serve()
    token, _ = wicket.add()
    for source in VALIDATORS4:
        for _ in range(16):
            assert network.get(lab.outside, HOST4, PREFIX + token, source=source).status == 200
    wicket.run("remove", token)
    ledger.wait_for(lab.host, "window-shut")
    names = sorted(path.name for path in directory.iterdir() if path.name.startswith("ledger"))
    assert names == ["ledger.jsonl", "ledger.jsonl.1", "ledger.jsonl.lock"]
    found = []
    for name in reversed(names):
        assert (directory / name).stat().st_size <= 1000000
        found += ledger.entries(lab.host, f"/var/lib/wicket/{name}")
    assert [entry["event"] for entry in found[:count]] == ["left-out"] * count
    events = [entry["event"] for entry in found[count:]]
    assert events[:2] == ["token-registered", "window-opened"]
    assert events[2:-1] == ["validation"] * 48
    assert len(ledger.entries(lab.host)) > 1
    assert len(json.loads(wicket.run("validators", "--json").stdout)["validators"]) == 3
    wicket.leave(keeper)


def test_one_stranger_fills_no_ledger(lab, production, wicket):
    """A token that is asked for without end has a few lines of each address, and a count."""
    keeper = wicket.serve()
    token, _ = wicket.add()
    for source in VALIDATORS4:
        for _ in range(40):
            assert network.get(lab.outside, HOST4, PREFIX + token, source=source).status == 200
    wicket.run("remove", token)
    (shut,) = ledger.wait_for(lab.host, "window-shut")
    lines = ledger.entries(lab.host, events=("validation",))
    assert {entry["address"] for entry in lines} == set(VALIDATORS4)
    assert len(lines) == 3 * 16
    assert shut["validations"] == 120 and shut["unlisted"] == 120 - 48
    wicket.leave(keeper)


def test_reloaded_in_the_middle(lab, production, wicket):
    """The table is made anew, and its counters with it: what they had counted is not lost."""
    wicket.configure("redirect: {sources: [10.0.0.0/8, 'fd00::/8']}\n")
    keeper = wicket.serve()
    token, _ = wicket.add()

    def fetch(times):
        for source in VALIDATORS4[:times]:
            assert network.get(lab.outside, HOST4, PREFIX + token, source=source).status == 200

    fetch(3)
    before = wicket.status()["window"]["counters"]
    wicket.configure("redirect: {sources: [10.0.0.0/8, 192.0.2.0/24, 'fd00::/8']}\n")
    start = len(keeper.output)
    keeper.signal(signal.SIGHUP)
    keeper.output.wait_for("the table was replaced", start)
    assert wicket.status()["window"]["counters"]["redirected"] >= before["redirected"] >= 3
    fetch(2)
    after = wicket.status()["window"]["counters"]
    wicket.run("remove", token)
    (shut,) = ledger.wait_for(lab.host, "window-shut")
    for counter in ("redirected", "arrived"):
        assert shut[counter] == after[counter] == before[counter] + 2
    assert shut["validations"] == 5
    wicket.leave(keeper)


@pytest.mark.parametrize("told", [False, True])
def test_the_next_window_opens_before_the_counters_are_told(lab, production, wicket, told):
    """Each has its line, and with what went through it, where the responder says so meanwhile."""
    keeper = wicket.serve()
    token, _ = wicket.add()
    (responder,) = lab.host.pids_of("wicket-responder")
    assert network.get(lab.outside, HOST4, PREFIX + token, source=VALIDATORS4[0]).status == 200
    os.kill(responder, signal.SIGSTOP)
    # It waits for the counters, and the ledger a second at most.
    removing = lab.host.start(*wicket.command("remove", token))
    keeper.output.wait_for("is back with production")
    asked = lab.host.start(*wicket.command("open", "--for", "1m"))
    ledger.wait_for(lab.host, "window-opened", 2)
    if told:
        os.kill(responder, signal.SIGCONT)
        assert asked.wait() == 0
    wicket.run("close")
    if not told:
        os.kill(responder, signal.SIGCONT)
        asked.wait()
    removing.wait()
    opened = ledger.wait_for(lab.host, "window-opened", 2)
    shut = ledger.wait_for(lab.host, "window-shut", 2)
    assert [entry["window"] for entry in shut] == [entry["window"] for entry in opened]
    assert [entry["validations"] for entry in shut] == [1, 0] or not told
    wicket.leave(keeper)


def test_no_ledger(lab, production, wicket):
    wicket.configure("ledger:\n  file: none\n")
    keeper = wicket.serve()
    assert not lab.host.pids_of("wicket-ledger")
    wicket.run("open", "--for", "1s")
    assert wicket.status()["ledger"] is None
    assert not lab.host.path(ledger.PATH).exists()
    wicket.leave(keeper)


def test_without_the_writers_program(lab, production, wicket):
    """An installation that is not whole opens windows nevertheless, and says what it lacks."""
    lab.host.run("mkdir", "/mnt/tree")
    for path in ("bin/wicket", "libexec/wicket-keeper", "libexec/wicket-responder"):
        lab.host.run("cp", f"/usr/local/{path}", "/mnt/tree/")
    keeper = lab.host.start("/mnt/tree/wicket", "serve", name="keeper")
    keeper.output.wait_for("the ledger is not written: wicket-ledger is missing")
    keeper.output.wait_for("ready")
    wicket.run("open", "--for", "1s")
    wicket.leave(keeper)


def test_ask_it_directly(lab):
    """It is no program for anybody else than the keeper."""
    ended = lab.host.run("/usr/local/libexec/wicket-ledger", check=False)
    assert ended.returncode == 64 and "to be started by wicket-keeper" in ended.stderr
    ended = lab.host.run(
        *("/usr/local/libexec/wicket-ledger", "/tmp/x", "1", "a", "-"),
        check=False,
    )
    assert ended.returncode == 64
    assert subprocess.run(["ls", "/tmp/x"], check=False, capture_output=True).returncode != 0
    assert THUMBPRINT not in ended.stderr
