# SPDX-License-Identifier: GPL-2.0-or-later
"""
Who answers a challenge fastest: over a fresh connection each, as validators do it, and over kept
ones; with many tokens, and beside strangers who say nothing.
"""

from .part import Measure, Metric, Part, Setting
from .responders import OURS
from .rivals import RIVALS
from .strangers import connected

AT_A_TIME = 64


def words(setting):
    parts = [f"{setting.tokens:,} token{'s' if setting.tokens > 1 else ''}"]
    if setting.strangers:
        parts.append(f"{setting.strangers:,} idle strangers")
    return ", ".join(parts)


class Answering(Measure):
    """`setting` is in its key where it is not the plain one."""

    kind = ""

    def __init__(self, setting=Setting()):
        self.setting = setting
        tokens = f"_{setting.tokens}" if setting.tokens > 1 else ""
        strangers = f"_{setting.strangers}_strangers" if setting.strangers else ""
        self.key = f"{self.kind}{tokens}{strangers}"
        if setting.strangers:
            self.most_rounds = 1

    def takes(self, contender):
        return contender.tokens_max >= self.setting.tokens and (
            contender.holds_strangers or not self.setting.strangers
        )

    def load(self, course, contender, *arguments):
        """What was measured, and its cost. Every answer has the right body."""
        expect = course.lab.directory / "expected"
        expect.write_bytes(contender.challenges.body)
        with connected(contender, self.setting.strangers):
            return course.warmed_up(
                contender, *arguments, path=contender.challenges.path, expect=expect
            )


class Requests(Answering):
    """
    As many as go. Where the load's core is busy all the time, that is as many as it can ask for, and
    what one costs the servers' core says more.
    """

    def __init__(self, setting=Setting()):
        super().__init__(setting)
        self.title = f"{self.words}, {AT_A_TIME} at a time, as many as go; {words(setting)}"
        self.metrics = [
            Metric(f"{self.key}_requests", "requests", "1/s"),
            Metric(f"{self.key}_core", "their core, each", "µs", 1),
            Metric(f"{self.key}_cpu", "CPU each", "µs", 1),
            Metric(f"{self.key}_load", "load's core busy", "%", compared=False),
        ]

    def run(self, course, contender):
        result, cost = self.load(course, contender, "--connections", AT_A_TIME, *self.arguments)
        requests = result["requests"]
        core = {f"{self.key}_core": cost.core * 1e6 / requests} if course.cores.separate else {}
        return {
            **core,
            f"{self.key}_requests": requests / result["seconds"],
            f"{self.key}_cpu": cost.contender * 1e6 / requests,
            f"{self.key}_load": 100 * result["cpu_seconds"] / result["seconds"],
        }


class Fresh(Requests):
    kind = "fresh"
    words = "fresh connections"
    arguments = ()


class Kept(Requests):
    kind = "kept"
    words = "kept connections, if they are kept"
    arguments = ("--keep-alive", "--or-close")


class Latency(Answering):
    """At a rate that all can serve, so that nobody queues: what a validator waits."""

    def __init__(self, setting=Setting()):
        super().__init__(setting)
        self.title = f"{self.words}, latency at a fixed rate; {words(setting)}"
        self.metrics = [
            Metric(f"{self.key}_{short}", short, "µs") for short in ("p50", "p99", "p99.9")
        ]

    def describe(self, options):
        return f"{self.words}, {self.rate(options)} requests a second; {words(self.setting)}"

    def run(self, course, contender):
        # Waking up from a wait would be a large part of what is measured.
        spin = ["--spin"] if course.cores.separate else []
        rate = self.rate(course.options)
        result, _ = self.load(course, contender, "--rate", rate, *self.arguments, *spin)
        found = result["latency_us"]
        return {metric.name: found[metric.label] for metric in self.metrics}


class FreshLatency(Latency):
    kind = "fresh_latency"
    words = "fresh connections"
    arguments = ("--connections", 1024)

    @staticmethod
    def rate(options):
        return options.fresh_rate


class KeptLatency(Latency):
    kind = "kept_latency"
    words = "kept connections, 16, if they are kept"
    arguments = ("--keep-alive", "--or-close", "--connections", 16)

    @staticmethod
    def rate(options):
        return options.kept_rate


class Both(Measure):
    """Of one start, as that takes long with many tokens."""

    most_rounds = 1

    def __init__(self, setting):
        self.setting = setting
        self.measures = [Fresh(setting), FreshLatency(setting)]
        self.key = self.measures[0].key
        self.metrics = [metric for measure in self.measures for metric in measure.metrics]
        self.title = (
            f"fresh connections, {AT_A_TIME} at a time, as many as go, and their latency at a fixed"
            f" rate; {words(setting)}"
        )

    def takes(self, contender):
        return self.measures[0].takes(contender)

    def run(self, course, contender):
        found = {}
        for measure in self.measures:
            found |= measure.run(course, contender)
        return found


KEEP = Setting(keep=True)
STRANGERS = Setting(strangers=1000)
MEASURES = [
    *(Fresh(), Kept(KEEP), FreshLatency(), KeptLatency(KEEP)),
    *(Both(Setting(tokens=count)) for count in (1000, 100000)),
    *(Fresh(STRANGERS), FreshLatency(STRANGERS)),
]

PART = Part(
    key="answering",
    title="Answering: one challenge, asked for again and again",
    ours="responder",
    contenders=[*OURS, *RIVALS],
    measures=MEASURES,
)
