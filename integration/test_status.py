# SPDX-License-Identifier: GPL-2.0-or-later
"""What `wicket status` tells: people, programs and whoever keeps looking."""

import os
import re
import signal
import time

import pytest
from lab import network
from lab.lab import HOST4
from lab.lines import Lines
from lab.programs import TOP
from lab.wicket import PREFIX, new_challenge

MEMBER = ["setpriv", "--reuid", "member", "--regid", "member", "--init-groups", "--"]
TYPES = {"integer": int, "boolean": bool, "string": str, "object": dict, "array": list}


class Terminal:
    """The other side of a pseudo-terminal, for Lines: its end comes as an error."""

    def __init__(self, descriptor):
        self._file = os.fdopen(descriptor, errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def __iter__(self):
        try:
            yield from self._file
        except OSError:  # EIO: nobody has it open any more
            return


def documented():
    """Path of every field in the man page: (type, may it be null)."""
    page = (TOP / "man" / "wicket.1.scd").read_text().replace("\\", "")
    section = page.split("# STATUS DOCUMENT\n")[1].split("\n# ")[0]
    fields = re.findall(r"^_([\w.\[\]]+)_ \((\w+)( or null)?\)$", section, re.MULTILINE)
    assert len(fields) == len({path for path, *_ in fields})
    return {path: (TYPES[kind], bool(null)) for path, kind, null in fields}


def fields_of(value, path=""):
    """(path, value) of everything in a document."""
    if path:
        yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from fields_of(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for inner in value:
            for below, found in fields_of(inner, f"{path}[]"):
                if below != f"{path}[]":
                    yield below, found


def test_document_is_the_documented_one(lab, production, wicket):
    """Nothing in it that the man page does not name, and nothing named that is never there."""
    (lab.directory / "sources").write_text("0.0.0.0/0\n")
    wicket.configure("redirect: {sources_file: /mnt/sources}\n")
    documents = [wicket.status()]
    keeper = wicket.serve()
    documents.append(wicket.status())
    token, _ = wicket.add()
    assert network.get(lab.outside, HOST4, PREFIX + token).status == 200
    wicket.run("open", "--for", "10m")
    documents.append(wicket.status())
    wicket.run("close")
    wicket.run("remove", token)
    documents.append(wicket.status())
    fields = documented()
    assert set(documents[0]) == {"version", "running"}
    met = set()
    for document in documents:
        for path, value in fields_of(document):
            kind, may_be_null = fields[path]
            if value is None:
                assert may_be_null, path
            else:
                assert type(value) is kind, path
                met.add(path)
    # Trouble, and what is said when nobody validated, are met elsewhere.
    elsewhere = {"trouble", "overruled", "evidence.text", "ledger.trouble", "sources.refused"}
    assert set(fields) - met == elsewhere
    optional = ("window.", "last_", "evidence.")
    whole = {path for path in fields if "[" not in path and not path.startswith(optional)}
    for document in documents[1:]:
        assert whole <= {path for path, _ in fields_of(document)}
    assert keeper.stop() == 0


def test_every_reason_and_who_asked(lab, production, wicket):
    """Any mix of reasons holds the window; it shuts with the last one."""
    keeper = wicket.serve()
    token, key_authorization = new_challenge()
    wicket.run("add", key_authorization, prefix=MEMBER)
    wicket.run("open", "--for", "10m")
    lab.host.run("mkfifo", "/mnt/held")
    run = lab.host.start(*wicket.command("run", "--open", "--", "sh", "-c", ": >/mnt/held"))
    # Nobody announces it, so asking is the event.
    late = time.monotonic() + 20
    while len((status := wicket.status())["reasons"]) < 3:
        assert time.monotonic() < late, status
    kinds = [(one["kind"], one["uid"]) for one in status["reasons"]]
    assert kinds == [("token", 8501), ("open", 0), ("run", 0)]
    assert status["runs"] == 1
    for one in status["reasons"]:
        assert one["pid"] > 0
        assert one["purpose"].startswith("wicket ")
        assert one["ends_in_ms"] is None or 0 < one["ends_in_ms"] <= 600_000
    window = status["window"]
    assert window["redirected"]
    assert 0 < window["lease_left_ms"] <= window["lease_ms"]
    text = wicket.run("status").stdout
    assert re.search(rf"^  token {token}: wicket add \(uid 8501, pid \d+\), ends in ", text, re.M)
    assert re.search(r"^  open: wicket open \(uid 0, pid \d+\), ends in ", text, re.M)
    assert re.search(r"^  run: wicket run sh \(uid 0, pid \d+\)$", text, re.M)
    assert "\n1 wicket run is alive\n" in text
    wicket.run("close")
    assert [one["kind"] for one in wicket.status()["reasons"]] == ["token", "run"]
    wicket.run("remove", token)
    assert wicket.status()["state"] == "open"
    lab.host.run("cat", "/mnt/held")
    assert run.wait_output() == 0
    assert wicket.status()["window"] is None
    assert keeper.stop() == 0


def test_counters_of_the_window_begin_with_it(lab, production, wicket):
    wicket.turn_away()
    keeper = wicket.serve()
    for _ in range(2):
        token, _ = wicket.add()
        for path in (PREFIX + token, PREFIX + token, "/"):
            network.get(lab.outside, HOST4, path)
        window = wicket.status()["window"]["counters"]
        assert window == {
            "tokens": 1,
            "validations": 2,
            "passed": 0,
            "turned_away": 1,
            "redirected": 3,
            "arrived": window["arrived"],
            "unknown_tokens": 0,
        }
        assert window["arrived"] >= 3
        wicket.run("remove", token)
    counters = wicket.status()["counters"]
    assert (counters["windows"], counters["tokens"], counters["validations"]) == (2, 2, 4)
    assert keeper.stop() == 0


def test_watch_writes_a_line_for_each_change(lab, production, wicket):
    watch = lab.host.start(*wicket.command("status", "--watch"))
    watch.output.wait_for("^SHUT: no keeper runs")
    keeper = wicket.serve()
    watch.output.wait_for("^SHUT: armed$")
    token, _ = wicket.add()
    watch.output.wait_for(rf"^OPEN: token {token} \(wicket add, uid 0, pid \d+\)$")
    wicket.run("open")
    watch.output.wait_for(rf"^OPEN: token {token} .*, open \(wicket open, uid 0, pid \d+\)$")
    wicket.run("close")
    wicket.run("remove", token)
    watch.output.wait_for("^SHUT: (draining|armed)$", len(watch.output))
    assert watch.stop() == 0
    said = [text for _, text in watch.output.entries()]
    assert all(one != other for one, other in zip(said, said[1:]))
    assert keeper.stop() == 0


def test_watch_does_not_keep_a_keeper(lab, production, wicket):
    watch = lab.host.start(*wicket.command("status", "--watch"))
    token, _ = wicket.add()
    watch.output.wait_for("^OPEN: ")
    wicket.run("remove", token)
    wicket.wait_gone()
    watch.output.wait_for("^SHUT: no keeper runs", len(watch.output) and 1)
    assert watch.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_watch_draws_on_a_terminal(lab, production, wicket, number):
    keeper = wicket.serve()
    screen, terminal = os.openpty()
    watch = lab.host.popen(
        wicket.command("status", "--watch"), stdin=terminal, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    lines = Lines("the terminal")
    reader = lines.read_from(Terminal(screen))
    lines.wait_for(r"\x1b\[2J\x1b\[HSHUT: port 80 is with production\x1b\[K")
    # Drawn again, and what is new is seen.
    lines.wait_for(r"\x1b\[J\x1b\[HSHUT: port 80")
    token, _ = wicket.add()
    lines.wait_for(f"^  token {token}: ")
    watch.send_signal(number)
    assert watch.wait(10) == 0
    reader.join(5)
    wicket.run("remove", token)
    assert keeper.stop() == 0


def test_watch_ends_with_its_reader(lab, production, wicket):
    """As in `wicket status --watch | head -1`."""
    ended = lab.host.run("sh", "-c", "{ wicket status --watch; echo $? >&2; } | head -n 1")
    assert ended.stdout.startswith("SHUT: ")
    assert ended.stderr == "0\n"


def test_watch_is_not_for_programs(lab, wicket):
    refused = wicket.run("status", "--watch", "--json", check=False)
    assert refused.returncode == 64
    assert len(refused.stderr.splitlines()) == 1
