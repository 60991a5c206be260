# SPDX-License-Identifier: GPL-2.0-or-later
"""
What many windows leave behind in the keeper and the responder: no memory and no descriptor, and under
valgrind no error. WICKET_WINDOWS says how many windows; a thousand take some minutes.
"""

import os
import re
import shutil
import threading
import time

import pytest
from lab import network, programs
from lab.control import Control
from lab.lab import HOST4, HOST6, VISITORS4, VISITORS6, Lab
from lab.process import wait_for_end
from lab.production import Production
from lab.strangers import usage
from lab.wicket import PREFIX, Wicket, new_challenge

WINDOWS = int(os.environ.get("WICKET_WINDOWS", "50"))
# By then every table, pool and cache has the size it needs.
WARM = 20
# What heaps gain by fragments. One leak of 16 bytes a window is found by it with some thousands of
# windows only; those are valgrind's to find.
GAINED_KB = 64

SOURCES = {HOST4: VISITORS4, HOST6: VISITORS6}

VALGRIND = (
    *("env", "LD_PRELOAD=/mnt/pidfd.so"),
    *("valgrind", "--vgdb=no", "--log-file=/mnt/valgrind/%p", "--leak-check=full"),
    "--errors-for-leak-kinds=definite,indirect,possible",
    *("--trace-children=yes", "--trace-children-skip=/usr/bin/python3*"),
    "--",
)


def windows(lab, wicket, count):
    """
    So many, each for another client: a token, its challenge over both families, a visitor who is
    passed on, a status, and the end. It is the next window's turn only then.
    """
    for _ in range(count):
        token, key_authorization = new_challenge()
        client = Control(lab.host)
        code, text = client.add(key_authorization)
        assert code == 0, text
        for address, sources in SOURCES.items():
            answer = network.get(lab.outside, address, PREFIX + token, source=sources[0])
            assert answer.body == key_authorization.encode(), answer
            answer = network.get(lab.outside, address, "/", source=sources[1])
            assert answer.server == "production", answer
        assert client.status()["window"] is not None
        code, text = client.remove(token)
        assert code == 0, text
        client.close()


def assert_counted(wicket, count):
    counters = wicket.status()["counters"]
    assert counters["windows"] == count
    assert counters["validations"] == counters["passed"] == 2 * count


def settled(pids):
    """
    What each has when it has least, within a second: the ends of the last connections are still on
    their way. {name: usage}
    """
    least = {name: usage(pid) for name, pid in pids.items()}
    deadline = time.monotonic() + 1
    pause = threading.Event()
    while time.monotonic() < deadline:
        pause.wait(0.02)
        for name, pid in pids.items():
            least[name] = min(least[name], usage(pid), key=lambda one: one.descriptors)
    return least


def test_level(lab, wicket, tell):
    """Descriptors and memory after so many windows are those after a few."""
    Production(lab, "nginx")
    wicket.serve()
    pids = {"keeper": wicket.keepers()[0], "responder": wicket.responder()}
    windows(lab, wicket, WARM)
    start = settled(pids)
    windows(lab, wicket, WINDOWS)
    end = settled(pids)
    assert_counted(wicket, WARM + WINDOWS)
    assert pids["responder"] == wicket.responder()
    for name in pids:
        tell(
            f"{WINDOWS} windows, {name}: {start[name].descriptors} descriptors before and"
            f" {end[name].descriptors} after, {start[name].private_kb} kB and"
            f" {end[name].private_kb} kB"
        )
        assert end[name].descriptors == start[name].descriptors
        assert end[name].private_kb <= start[name].private_kb + GAINED_KB


@pytest.fixture
def open_lab(work):
    """Programs without fences: valgrind makes system calls that these forbid."""
    build = programs.build_without_sandbox()
    lab = Lab(programs.install(work / "programs-open", build), work)
    shutil.copy(build / "integration" / "pidfd.so", lab.directory)
    logs = lab.directory / "valgrind"
    logs.mkdir()
    logs.chmod(0o777)  # the responder opens its own, as whoever it is then
    yield lab
    lab.destroy()


def under_valgrind(lab, program):
    """Who runs it: the program is valgrind, its arguments say what it runs."""
    return [
        pid
        for pid, command in lab.host.processes().items()
        if any(word.endswith(b"/" + program.encode()) for word in command[1:])
    ]


def summaries(directory):
    """{program: what valgrind says of it}."""
    found = {}
    for path in directory.iterdir():
        text = path.read_text()
        program = re.search(r"Command: \S*/(\S+)", text)
        if program and "ERROR SUMMARY" in text:
            found[program[1]] = text
    return found


def test_valgrind(open_lab, tell):
    """No error and nothing lost, in the keeper and in the responder, from start to end."""
    lab, wicket = open_lab, Wicket(open_lab)
    Production(lab, "nginx")
    keeper = wicket.serve(prefix=VALGRIND)
    (responder,) = under_valgrind(lab, "wicket-responder")
    windows(lab, wicket, WINDOWS)
    assert_counted(wicket, WINDOWS)
    assert under_valgrind(lab, "wicket-responder") == [responder]
    wicket.leave(keeper)
    assert wait_for_end(responder, 30)
    found = summaries(lab.directory / "valgrind")
    assert found.keys() >= {"wicket-keeper", "wicket-responder"}
    for program, text in sorted(found.items()):
        errors = re.search(r"ERROR SUMMARY: (\d+) errors", text)[1]
        heap = re.search(r"in use at exit: (.*)", text)[1]
        total = re.search(r"total heap usage: (.*)", text)[1]
        tell(f"{WINDOWS} windows, {program}: {errors} errors, {heap} at exit; {total}")
        assert errors == "0", text
