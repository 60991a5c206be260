# SPDX-License-Identifier: GPL-2.0-or-later
"""Only the listed sources are redirected; everybody else is with production, untouched."""

import os
import signal
import time
from pathlib import Path

import pytest
from lab import network
from lab.lab import HOST4, HOST6, VALIDATORS4, VALIDATORS6, VISITORS4, VISITORS6
from lab.network import KeepAlive
from lab.visitors import Visitors
from lab.wicket import PREFIX, new_challenge

FILE = "/mnt/sources/list"


@pytest.fixture
def sources(lab, wicket):
    """Writes the file as an editor does, another in its place; configured."""
    directory = lab.directory / "sources"
    directory.mkdir()

    def write(text):
        fresh = directory / ".list.new"
        fresh.write_text(text)
        fresh.rename(directory / "list")

    wicket.configure(f"other_requests: not-found\nredirect: {{sources_file: {FILE}}}\n")
    return write


def asked(lab, source):
    address = HOST6 if ":" in source else HOST4
    return network.get(lab.outside, address, source=source).server


def assert_redirected(lab, inside, outside):
    for source in inside:
        assert asked(lab, source) == "responder", source
    for source in outside:
        assert asked(lab, source) == "production", source


def change(keeper, write, text, expected="sources in force"):
    start = len(keeper.output)
    write(text)
    keeper.output.wait_for(expected, start)


def test_both_families(lab, production, wicket, sources):
    """The file changes under an open window, in every way that files change."""
    sources(f"# the CA's\n{VALIDATORS4[0]}\n{VALIDATORS6[0]} # over IPv6\n")
    keeper = wicket.serve()
    token, key_authorization = wicket.add()
    kept = KeepAlive(lab.outside, HOST4, source=VISITORS4[0])
    assert_redirected(
        lab, [VALIDATORS4[0], VALIDATORS6[0]], [VISITORS4[0], VISITORS6[0], VALIDATORS4[1]]
    )
    for address, source in ((HOST4, VALIDATORS4[0]), (HOST6, VALIDATORS6[0])):
        answer = network.get(lab.outside, address, PREFIX + token, source=source)
        assert answer.body == key_authorization.encode()

    # Renamed into place; networks instead of addresses, which overlap.
    change(keeper, sources, "10.99.1.8/29\n10.99.1.0/27\nfd99:0:0:1::/123\n")
    assert_redirected(lab, [*VALIDATORS4, *VALIDATORS6], [VISITORS4[0], VISITORS6[0]])
    # Written in place; one family only.
    path = lab.directory / "sources" / "list"
    change(keeper, path.write_text, f"{VISITORS4[1]}\n")
    assert_redirected(lab, [VISITORS4[1]], [VALIDATORS4[0], VALIDATORS6[0], VISITORS6[1]])
    # A link to another, and what it leads to exchanged.
    (lab.directory / "sources" / "one").write_text(f"{VISITORS4[2]}\n")

    def link(_):
        path.unlink()
        path.symlink_to("one")

    change(keeper, link, "")
    assert_redirected(lab, [VISITORS4[2]], [VISITORS4[1]])
    change(keeper, (lab.directory / "sources" / "one").write_text, f"{VISITORS4[3]}\n")
    assert_redirected(lab, [VISITORS4[3]], [VISITORS4[2]])
    assert wicket.status()["sources"] == {"count": 1, "file": FILE, "refused": None}
    # Nobody: never everybody.
    change(keeper, sources, "# none at present\n", "sources in force: 0; nobody is redirected")
    assert_redirected(lab, [], [*VISITORS4[:4], VALIDATORS4[0], VISITORS6[0]])
    assert "sources: none: nobody is redirected" in wicket.run("status").stdout
    refused = wicket.run("add", new_challenge()[1], check=False)
    assert refused.returncode == 78
    assert f"{FILE} has no source, so that nobody is redirected" in refused.stderr
    assert f"{FILE} has no source" in wicket.run("open", "--for", "1s").stderr
    change(keeper, sources, "::/0\n0.0.0.0/0\n")
    assert_redirected(lab, [VISITORS4[0], VISITORS6[0]], [])
    assert kept.ask().server == "production"
    kept.close()
    wicket.leave(keeper)


def test_a_bad_file(lab, production, wicket, sources):
    """It is refused with the line, those before stay in force, and status says so."""
    sources(f"{VISITORS4[0]}\n")
    keeper = wicket.serve()
    wicket.add()
    bad = f"{VISITORS4[1]}\n10.0.0.1/8\n"
    change(keeper, sources, bad, "refused, the previous sources stay in force")
    reason = f'{FILE}:2: "10.0.0.1/8" is not a network'
    keeper.output.wait_for(reason)
    assert_redirected(lab, [VISITORS4[0]], [VISITORS4[1]])
    assert wicket.status()["sources"]["refused"].startswith(reason)
    assert "TROUBLE: the sources before stay in force: " + FILE in wicket.run("status").stdout
    # So is one that is gone.
    change(keeper, lambda _: (lab.directory / "sources" / "list").unlink(), "", "No such file")
    assert_redirected(lab, [VISITORS4[0]], [VISITORS4[1]])
    change(keeper, sources, f"{VISITORS4[1]}\n")
    assert_redirected(lab, [VISITORS4[1]], [VISITORS4[0]])
    assert wicket.status()["sources"]["refused"] is None
    wicket.leave(keeper)
    # At the start nothing starts.
    sources(bad)
    refused = wicket.run("add", "token." + "A" * 43, check=False)
    assert refused.returncode == 78
    assert reason in refused.stderr
    assert wicket.run("ruleset", check=False).returncode == 78


def test_wicket_yaml_waits(lab, production, wicket, sources):
    """What is new in wicket.yaml is not in force because the sources are."""
    sources(f"{VISITORS4[0]}\n")
    keeper = wicket.serve()
    wicket.add()
    text = f"redirect: {{sources_file: {FILE}, sources: ['{VISITORS6[0]}']}}\n"
    wicket.configure("other_requests: https\n" + text)
    change(keeper, sources, f"{VISITORS4[1]}\n")
    assert network.get(lab.outside, HOST4, source=VISITORS4[1]).status == 404
    assert asked(lab, VISITORS6[0]) == "production"
    start = len(keeper.output)
    keeper.signal(signal.SIGHUP)
    keeper.output.wait_for("wicket.yaml: in force", start)
    assert network.get(lab.outside, HOST4, source=VISITORS4[1]).status == 308
    # Merged: what wicket.yaml lists stays, whatever the file has.
    change(keeper, sources, f"{VISITORS4[2]}\n")
    assert_redirected(lab, [VISITORS6[0], VISITORS4[2]], [VISITORS4[1]])
    # Another file, in another directory.
    other = lab.directory / "other"
    other.write_text(f"{VISITORS4[3]}\n")
    wicket.configure("redirect: {sources_file: /mnt/other}\nother_requests: not-found\n")
    start = len(keeper.output)
    keeper.signal(signal.SIGHUP)
    keeper.output.wait_for("wicket.yaml: in force", start)
    assert_redirected(lab, [VISITORS4[3]], [VISITORS4[2], VISITORS6[0]])
    change(keeper, other.write_text, f"{VISITORS4[4]}\n")
    assert_redirected(lab, [VISITORS4[4]], [VISITORS4[3]])
    wicket.leave(keeper)


def test_another_directory(lab, production, wicket, sources):
    """The directory is replaced, at once or after a while, and so is one above it."""
    sources(f"{VISITORS4[0]}\n")
    keeper = wicket.serve()
    token, _ = wicket.add()
    directory = lab.directory / "sources"

    def replace(text):
        fresh = lab.directory / "fresh"
        fresh.mkdir()
        (fresh / "list").write_text(text)
        directory.rename(lab.directory / f"old{text[-3:-1]}")
        fresh.rename(directory)

    change(keeper, replace, f"{VISITORS4[1]}\n")
    assert_redirected(lab, [VISITORS4[1]], [VISITORS4[0]])
    change(keeper, sources, f"{VISITORS4[2]}\n")
    assert_redirected(lab, [VISITORS4[2]], [VISITORS4[1]])
    # Gone, then there again: it is looked for until it is.
    aside = lab.directory / "aside"
    change(keeper, lambda _: directory.rename(aside), "", "the previous sources stay in force")
    change(keeper, lambda _: aside.rename(directory), "")
    change(keeper, sources, f"{VISITORS4[3]}\n")
    assert_redirected(lab, [VISITORS4[3]], [VISITORS4[2]])
    wicket.leave(keeper)


def test_another_directory_above(lab, production, wicket):
    """Nothing tells of that: the next window looks."""
    above = lab.directory / "above"

    def make(text):
        (above / "sources").mkdir(parents=True)
        (above / "sources" / "list").write_text(text)

    make(f"{VISITORS4[0]}\n")
    wicket.configure(
        "other_requests: not-found\nredirect: {sources_file: /mnt/above/sources/list}\n"
    )
    keeper = wicket.serve()
    above.rename(lab.directory / "before")
    make(f"{VISITORS4[1]}\n")
    start = len(keeper.output)
    wicket.add()
    keeper.output.wait_for("sources in force", start)
    assert_redirected(lab, [VISITORS4[1]], [VISITORS4[0]])
    wicket.leave(keeper)


def test_more_events_than_fit(lab, production, wicket, sources):
    """The change is among those that the kernel dropped."""
    sources(f"{VISITORS4[0]}\n")
    keeper = wicket.serve()
    wicket.add()
    (pid,) = wicket.keepers()
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    start = len(keeper.output)
    os.kill(pid, signal.SIGSTOP)
    try:
        for number in range(most // 2 + 1):  # one that is made and closed is two at least
            (lab.directory / "sources" / f"other{number % 2}").write_text("")
            (lab.directory / "sources" / f"other{number % 2}").unlink()
        sources(f"{VISITORS4[1]}\n")
    finally:
        os.kill(pid, signal.SIGCONT)
    keeper.output.wait_for("sources in force", start)
    assert_redirected(lab, [VISITORS4[1]], [VISITORS4[0]])
    wicket.leave(keeper)


def test_thousands(lab, production, wicket, sources, tell):
    """20,000 networks of both families, exchanged under visitors: no other is redirected."""
    many = [f"172.{16 + n // 4096}.{n // 16 % 256}.{n % 16 * 16}/30" for n in range(10000)]
    many += [f"2001:db8:{n:x}::/56" for n in range(10000)]
    sources("\n".join([*many, VISITORS4[0], VISITORS6[0]]) + "\n")
    keeper = wicket.serve()
    wicket.add()
    assert_redirected(lab, [VISITORS4[0], VISITORS6[0]], [VISITORS4[1], VISITORS6[1]])
    routes = [(VISITORS4[0], HOST4), (VISITORS4[1], HOST4), (VISITORS6[1], HOST6)]
    with Visitors(lab.outside, routes) as visitors:
        for number in range(4):
            own = [VISITORS4[0], VISITORS6[number % 2 * 2]]
            change(keeper, sources, "\n".join([*many, *own]) + "\n", "in force: 20002$")
        asked_at = time.monotonic()
        visitors.wait_for(
            lambda v: v.source == VISITORS4[0] and v.answer.server == "responder", since=asked_at
        )
    visits = visitors.visits()
    assert {v.answer.server for v in visits if v.source != VISITORS4[0]} == {"production"}
    # The kernel exchanges so many one by one: meanwhile some who are listed get to production.
    slipped = sum(v.source == VISITORS4[0] and v.answer.server == "production" for v in visits)
    assert {v.answer.server for v in visits} == {"production", "responder"}
    slowest = max(visit.ended - visit.began for visit in visits)
    tell(
        f"{len(visits)} visits while 20,002 sources were exchanged 4 times; {slipped} slipped to"
        f" production, the slowest took {slowest * 1000:.0f} ms"
    )
    assert_redirected(lab, [VISITORS4[0], VISITORS6[2]], [VISITORS4[1], VISITORS6[0]])
    wicket.leave(keeper)
