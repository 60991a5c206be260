# SPDX-License-Identifier: GPL-2.0-or-later
"""How long port 80 takes to change hands, there and back, and what it costs to keep it."""

import json
import os
import shlex
import statistics
import time
from pathlib import Path

from lab import programs
from lab.control import Control
from lab.lab import HOST4
from lab.process import wait_for_end

from .challenges import key_authorization, token
from .openers import OPENERS, Commands
from .part import Measure, Metric, Part
from .wrong import Wrong

TIMES = 10  # that one is opened and shut in a round
MESSAGES = 200
REARM_LEASE_S, SELDOM_LEASE_S = 1, 60
REARMS_IN_A_LEASE = 3
LONG_S = 600


def turn(course, contender, what, command):
    """
    tests/benchmark/turn: (ms until visitors are answered otherwise, ms until it returned, how many
    visitors had no answer).
    """
    lab, cores = course.lab, course.cores
    namespace = os.open(f"/proc/{lab.outside.init_pid}/ns/net", os.O_RDONLY)
    try:
        result = lab.host.run(
            programs.build_directory() / "tests/benchmark/turn",
            *(namespace, cores.visitors, HOST4, 80, contender.challenges.path),
            *(contender.challenges.body.decode(), what, *command),
            **{"check": False, "prefix": cores.prefix, "pass_fds": [namespace]},
        )
    finally:
        os.close(namespace)
    if result.returncode != 0:
        raise Wrong(f"{contender.name}: {' '.join(result.stderr.split())}")
    found = json.loads(result.stdout.splitlines()[-1])  # after what the command said
    return found["turned_ms"], found["returned_ms"], found["unanswered"]


class Turns(Measure):
    """
    Windows with pauses between them. A visitor whom the change has caught is not waited for, but
    counted.
    """

    key = "turns"
    title = (
        f"one window, from the start of the command; of {TIMES} each round the median;"
        " stalled: visitors in all of these who had no answer in 20 ms"
    )
    metrics = [
        Metric("open", "in force", "ms", 2),
        Metric("open_returned", "returned", "ms", 2),
        Metric("open_stalled", "stalled", "", compared=False),
        Metric("shut", "gone", "ms", 2),
        Metric("shut_returned", "returned", "ms", 2),
        Metric("shut_stalled", "stalled", "", compared=False),
    ]

    def run(self, course, contender):
        rows = []
        for _ in range(TIMES):
            rows.append(
                turn(course, contender, "here", contender.open_command())
                + turn(course, contender, "gone", contender.shut_command())
            )
            contender.forget()
        values = [
            (sum if metric.name.endswith("stalled") else statistics.median)(column)
            for metric, column in zip(self.metrics, zip(*rows))
        ]
        return {metric.name: value for metric, value in zip(self.metrics, values)}


class InARow(Measure):
    """As fast as the commands come back, from a shell that does nothing else."""

    key = "in_a_row"
    title = "windows in a row, by commands"
    metrics = [Metric("in_a_row", "each", "ms", 2)]
    most_rounds = 1

    def describe(self, options):
        return f"{options.windows:,} windows in a row, by commands: opened and shut"

    def takes(self, contender):
        return contender.in_a_row

    def run(self, course, contender):
        count = course.options.windows
        commands = [shlex.join(command) for command in contender.row_commands()]
        began = time.monotonic()
        course.lab.host.run(
            *("sh", "-ec"),
            f"i=0; while [ $i -lt {count} ]; do {'; '.join(commands)}; i=$((i + 1)); done",
            **{"timeout": LONG_S, "prefix": course.cores.prefix},
        )
        return {"in_a_row": 1000 * (time.monotonic() - began) / count}


def percentile(values, part):
    return sorted(values)[min(int(part * len(values)), len(values) - 1)]


def by_messages(contender, count):
    """
    Opens and shuts windows over one connection. Returns the times of both, in µs, from the message
    to its result: when that comes, the kernel has acknowledged the change.
    """
    control = Control(contender.lab.host)
    opened, shut = [], []
    try:
        for number in range(count):
            name = token(number)
            began = time.perf_counter()
            code, text = control.add(key_authorization(name), "benchmark")
            opened.append(1e6 * (time.perf_counter() - began))
            if code != 0:
                raise Wrong(f"{contender.name}: {text}")
            began = time.perf_counter()
            code, text = control.remove(name)
            shut.append(1e6 * (time.perf_counter() - began))
            if code != 0:
                raise Wrong(f"{contender.name}: {text}")
    finally:
        control.close()
    return opened, shut


class Messages(Measure):
    """The keeper's own share: without a command that has to be executed first."""

    key = "messages"
    title = "the keeper's own share, from message to result, over one connection"
    metrics = [
        Metric("message_open", "opened, p50", "µs", compared=False),
        Metric("message_open_p99", "p99", "µs", compared=False),
        Metric("message_shut", "shut, p50", "µs", compared=False),
        Metric("message_shut_p99", "p99", "µs", compared=False),
    ]

    def takes(self, contender):
        return contender.name == Commands.name

    def describe(self, options):
        return f"{self.title}, {options.windows:,} windows"

    def run(self, course, contender):
        opened, shut = by_messages(contender, course.options.windows)
        values = [percentile(times, part) for times in (opened, shut) for part in (0.5, 0.99)]
        return {metric.name: value for metric, value in zip(self.metrics, values)}


def run_ns(pids):
    """Time on a processor, of all threads, finer than in ticks."""
    return sum(
        int((task / "schedstat").read_text().split()[0])
        for pid in pids
        for task in Path(f"/proc/{pid}/task").iterdir()
    )


class Rearm(Measure):
    """
    What an open window costs with a lease that is renewed often, less what it costs with one that is
    renewed hardly ever, by the renewals.
    """

    key = "rearm"
    title = f"a re-arm of the lease, in keeper and responder together, from a lease of {REARM_LEASE_S} s"
    metrics = [Metric("rearm", "CPU", "µs", compared=False)]
    starts = True
    span_s = 3

    def takes(self, contender):
        return contender.name == Commands.name

    def _spent(self, course, contender, lease_s):
        contender.configuration = f"window:\n  lease: {lease_s}s\n"
        try:
            contender.start()
            course.lab.host.run(*contender.open_command())
            pids = contender.pids()
            before = run_ns(pids)
            # The span that is measured has to pass; the keeper would end before only if it failed.
            if wait_for_end(pids[0], self.span_s):
                raise Wrong(f"{contender.name}: ended under an open window")
            return run_ns(pids) - before
        finally:
            contender.stop()
            del contender.configuration

    def run(self, course, contender):
        often = self._spent(course, contender, REARM_LEASE_S)
        seldom = self._spent(course, contender, SELDOM_LEASE_S)
        rearms = self.span_s * REARMS_IN_A_LEASE / REARM_LEASE_S
        return {"rearm": (often - seldom) / 1000 / rearms}


MEASURES = [Turns(), InARow(), Messages(), Rearm()]

PART = Part(
    key="window",
    title="Window: port 80 changes hands",
    ours="wicket",
    contenders=OPENERS,
    measures=MEASURES,
)
