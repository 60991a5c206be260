# SPDX-License-Identifier: GPL-2.0-or-later
"""What it takes to be there: memory, wake-ups, the size of the programs, and the time to begin."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from lab import network
from lab.lab import HOST4
from lab.production import PAGE

from . import pass_contenders
from .part import Measure, Metric, Part, Setting
from .responders import PROGRAMS, Window
from .rivals import RIVALS, Answerer
from .strangers import make_room
from .wrong import Wrong

PASSED = 4000
SPAN_S = 6  # of counting wake-ups
PATIENCE_S = 30


# ---- what /proc tells ----


def memory(pids):
    """(Private_Dirty, PSS) in kB."""
    private = proportional = 0
    for pid in pids:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        private += int(re.search(r"^Private_Dirty: +(\d+) kB", rollup, re.MULTILINE)[1])
        proportional += int(re.search(r"^Pss: +(\d+) kB", rollup, re.MULTILINE)[1])
    return private, proportional


def switches(pids):
    """How often their threads were put on a processor so far."""
    count = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            status = (task / "status").read_text()
            count += sum(int(n) for n in re.findall(r"ctxt_switches:\s*(\d+)", status))
    return count


def switches_a_minute(pids):
    before, began = switches(pids), time.monotonic()
    threading.Event().wait(SPAN_S)  # a span that is measured has to pass
    return (switches(pids) - before) * 60 / (time.monotonic() - began)


def executables(pids):
    """One path each; the processes may see another file system than this one."""
    return list(
        {os.readlink(f"/proc/{pid}/exe"): Path(f"/proc/{pid}/exe") for pid in pids}.values()
    )


def mapped(pids):
    """
    The files with code of theirs, the programs themselves too: bytes of each. They are reached
    through the mapping, as the root of a process may be an empty directory.
    """
    found = {}
    for pid in pids:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            fields = line.split(maxsplit=5)
            if len(fields) == 6 and "x" in fields[1] and fields[5].startswith("/"):
                # The kernel writes the two addresses with zeros in front here, and not there.
                area = "-".join(f"{int(end, 16):x}" for end in fields[0].split("-"))
                found[fields[5]] = Path(f"/proc/{pid}/map_files/{area}").stat().st_size
    return found


def stripped_size(path):
    """Of a program without its symbols, in bytes; Debian's have none."""
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "copy"
        shutil.copyfile(path, copy)
        subprocess.run(["strip", copy], check=True)
        return copy.stat().st_size


# ---- measures ----


class Memory(Measure):
    """With what `setting` says. Ours is of all its programs, and of each."""

    def __init__(self, key, title, setting=Setting()):
        self.key = key
        self.title = title
        self.setting = setting
        if setting.tokens > 1:
            self.most_rounds = 1
        self.metrics = [
            Metric(f"{key}_private", "Private_Dirty", "kB"),
            Metric(f"{key}_pss", "PSS", "kB"),
            *(
                Metric(f"{key}_{name}", f"dirty of {name.split('-')[1]}", "kB", compared=False)
                for name in PROGRAMS
            ),
        ]

    def takes(self, contender):
        return getattr(contender, "tokens_max", 0) >= self.setting.tokens

    def run(self, course, contender):
        private, proportional = memory(contender.pids())
        found = {f"{self.key}_private": private, f"{self.key}_pss": proportional}
        if contender.name == Window.name:
            for name in PROGRAMS:
                found[f"{self.key}_{name}"] = memory(course.lab.host.pids_of(name))[0]
        return found


@contextlib.contextmanager
def visitors(contender, count):
    """Who have production's page, and stay."""
    make_room(count)
    request = network.request_bytes("/", HOST4, keep_alive=True)
    with contextlib.ExitStack() as stack:
        there = []
        with contender.lab.outside.network():
            for number in range(count):
                source = contender.sources[number % len(contender.sources)]
                one = socket.create_connection((HOST4, contender.port), 10, (source, 0))
                there.append(stack.enter_context(one))
                one.sendall(request)
        for one in there:
            with one.makefile("rb") as stream:
                answer = network.read_answer(stream)
            if answer.body != PAGE.encode():
                raise Wrong(f"{contender.name}: the page is not production's")
        yield


class Passed(Memory):
    """The same, with so many connections passed to production."""

    def __init__(self, key, title, count):
        super().__init__(key, title)
        self.count = count

    def takes(self, contender):
        return contender.passes

    def run(self, course, contender):
        with visitors(contender, self.count):
            return super().run(course, contender)


class WakeUps(Measure):
    key = "wake_ups"
    title = f"wake-ups of all threads while nobody comes, from {SPAN_S} s; ours has a window open"
    metrics = [Metric("wake_ups", "wake-ups", "1/min")]
    most_rounds = 1

    def run(self, course, contender):
        return {"wake_ups": switches_a_minute(contender.pids())}


class ArmedWakeUps(Measure):
    """A keeper that was started by hand, and no window."""

    key = "wake_ups_armed"
    title = f"wake-ups with no window open, from {SPAN_S} s"
    metrics = [Metric("wake_ups_armed", "wake-ups", "1/min", compared=False)]
    most_rounds = 1
    starts = True

    def takes(self, contender):
        return contender.name == Window.name

    def run(self, course, contender):
        contender.serve()
        return {"wake_ups_armed": switches_a_minute(contender.pids())}


class Nothing(Measure):
    """Between renewals, when the keeper was started by whoever needed it."""

    key = "nothing"
    title = "processes between renewals"
    metrics = [Metric("nothing", "processes", "", compared=False)]
    starts = True

    def takes(self, contender):
        return contender.name == Window.name

    def run(self, course, contender):
        contender.begin(self.setting)
        contender.stop()
        return {"nothing": len(contender.pids())}


class Size(Measure):
    key = "size"
    most_rounds = 1
    title = (
        "size of the programs that run, without symbols, and with the libraries they have mapped"
    )
    metrics = [
        Metric("size", "programs", "kB"),
        Metric("size_mapped", "with libraries", "kB"),
    ]

    def run(self, course, contender):
        pids = contender.pids()
        programs = executables(pids)
        sizes = [stripped_size(path) for path in programs]
        own = {os.readlink(path) for path in programs}
        libraries = sum(size for name, size in mapped(pids).items() if name not in own)
        return {"size": sum(sizes) / 1000, "size_mapped": (sum(sizes) + libraries) / 1000}


class FirstAnswer(Measure):
    """Nobody tells of it, so a visitor asks again and again, as soon as the last one was told no."""

    key = "first_answer"
    title = "from the start of the command, with nothing running, to the first right answer"
    metrics = [Metric("first_answer", "time", "ms", 1)]
    starts = True

    def takes(self, contender):
        return isinstance(contender, Answerer)

    def run(self, course, contender):
        began = time.monotonic()
        contender.begin(self.setting)
        while not contender.answers():
            if time.monotonic() - began > PATIENCE_S:
                raise Wrong(f"{contender.name}: no answer in {PATIENCE_S} s; {contender.said()}")
        return {"first_answer": 1000 * (time.monotonic() - began)}


class HAProxyTCP(pass_contenders.HAProxy):
    """For what it takes to pass visitors."""

    name = "haproxy-tcp"


MEASURES = [
    Memory("idle", "memory, idle, one token"),
    Memory("tokens_100000", "memory with 100,000 tokens", Setting(tokens=100000)),
    Passed("passed", f"memory with {PASSED:,} passed connections", PASSED),
    WakeUps(),
    ArmedWakeUps(),
    Nothing(),
    Size(),
    FirstAnswer(),
]

PART = Part(
    key="footprint",
    title="Footprint: what it takes to be there",
    ours="window",
    contenders=[Window, *RIVALS, HAProxyTCP],
    measures=MEASURES,
)
