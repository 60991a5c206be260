# SPDX-License-Identifier: GPL-2.0-or-later
"""
What is measured. A measure puts one load on one contender for some seconds, after a warm-up, and
returns its metrics. Production's answers are checked, every one of them.
"""

import json
import re
from dataclasses import dataclass

from lab import programs
from lab.lab import HOST4

from .cores import cpu_seconds
from .server import UPLOADS
from .wrong import Wrong

WARM_UP_S = 0.3
PATIENCE_S = 60  # beyond the seconds that a load is to last
WRK_CONNECTIONS = 64


@dataclass
class Metric:
    """`of_proxy`: of the processes in between, so that the direct way has none."""

    name: str
    label: str
    unit: str
    digits: int = 0
    of_proxy: bool = False
    added: bool = False  # what a contender adds to the direct way is worth a row


class Course:
    """Where the measures are run: the lab, production, and the options."""

    def __init__(self, lab, cores, server, options):
        self.lab = lab
        self.cores = cores
        self.server = server
        self.options = options

    def load(self, contender, seconds, *arguments, path="/", port=None, expect=None):
        """tests/benchmark/load; returns what it has printed."""
        command = [programs.build_directory() / "tests/benchmark/load"]
        for source in contender.sources:
            command += ["--from", source]
        if expect:
            command += ["--expect", expect]
        command += ["--seconds", seconds, *arguments, HOST4, port or contender.port, path]
        result = self.lab.outside.run(*command, check=False, timeout=seconds + PATIENCE_S)
        if result.returncode != 0:
            raise Wrong(f"{contender.name}: {path}: {result.stderr.strip()}")
        return json.loads(result.stdout)

    def warmed_up(self, contender, *arguments, **more):
        """A load after a short one whose answers are compared byte by byte; and the CPU it took."""
        self.load(contender, WARM_UP_S, "--compare-all", *arguments, **more)
        return self.counting(
            contender, lambda: self.load(contender, self.options.seconds, *arguments, **more)
        )

    def counting(self, contender, run):
        """What `run` returns, and what it cost in CPU: of the contender, and of production."""
        pids, production = contender.pids(), self.server.pids()
        before = cpu_seconds(pids), cpu_seconds(production)
        result = run()
        after = cpu_seconds(pids), cpu_seconds(production)
        return result, after[0] - before[0], after[1] - before[1]


class Latency:
    """At a rate that all can serve, so that nobody queues: what a visitor waits."""

    def __init__(self, keep_alive):
        self.keep_alive = keep_alive
        self.key = "kept" if keep_alive else "fresh"
        self.title = f"latency over {'kept' if keep_alive else 'fresh'} connections"
        self.metrics = [
            Metric(f"{self.key}_latency_{short}", f"latency {short}", "µs", 0, added=True)
            for short in ("p50", "p99", "p99.9")
        ]

    def describe(self, options):
        rate = options.kept_rate if self.keep_alive else options.fresh_rate
        kind = "kept connections, 16" if self.keep_alive else "fresh connections"
        return f"{kind}, {rate} requests a second"

    def run(self, course, contender):
        options = course.options
        arguments = (
            ("--keep-alive", "--connections", 16, "--rate", options.kept_rate)
            if self.keep_alive
            else ("--connections", 1024, "--rate", options.fresh_rate)
        )
        # Waking up from a wait would be a large part of what is measured.
        spin = ["--spin"] if course.cores.separate else []
        result, _, _ = course.warmed_up(contender, *arguments, *spin, expect=course.server.page)
        found = result["latency_us"]
        return {metric.name: found[metric.name.rsplit("_", 1)[1]] for metric in self.metrics}


class Fresh:
    """As many as are served, 64 at a time, each over a connection of its own."""

    key = "fresh_rate"
    title = "fresh connections, as many as go"
    metrics = [
        Metric("fresh_requests", "requests", "1/s"),
        Metric("fresh_proxy_cpu", "CPU of the proxy, each", "µs", 1, of_proxy=True),
        Metric("fresh_production_cpu", "CPU of production, each", "µs", 1),
    ]

    def describe(self, _options):
        return "fresh connections, 64 at a time, as many as go"

    def run(self, course, contender):
        result, proxy, production = course.warmed_up(
            contender, "--connections", 64, expect=course.server.page
        )
        requests = result["requests"]
        return {
            "fresh_requests": requests / result["seconds"],
            "fresh_proxy_cpu": proxy * 1e6 / requests,
            "fresh_production_cpu": production * 1e6 / requests,
        }


class Kept:
    """wrk over 64 connections. It knows a wrong status only; the warm-up looks at every byte."""

    key = "kept_rate"
    title = "kept connections, as many as go"
    metrics = [
        Metric("kept_requests", "requests", "1/s"),
        Metric("kept_proxy_cpu", "CPU of the proxy, each", "µs", 1, of_proxy=True),
        Metric("kept_production_cpu", "CPU of production, each", "µs", 1),
    ]

    def describe(self, _options):
        return f"kept connections, {WRK_CONNECTIONS}, as many requests as go (wrk)"

    def run(self, course, contender):
        course.load(
            contender,
            WARM_UP_S,
            *("--compare-all", "--keep-alive", "--connections", WRK_CONNECTIONS),
            expect=course.server.page,
        )
        text, proxy, production = course.counting(
            contender, lambda: self._wrk(course, contender)
        )
        requests = int(re.search(r"(\d+) requests in", text)[1])
        if requests == 0 or re.search(r"Non-2xx|Socket errors", text):
            raise Wrong(f"{contender.name}: wrk: {' '.join(text.split())}")
        return {
            "kept_requests": float(re.search(r"Requests/sec:\s*([\d.]+)", text)[1]),
            "kept_proxy_cpu": proxy * 1e6 / requests,
            "kept_production_cpu": production * 1e6 / requests,
        }

    @staticmethod
    def _wrk(course, contender):
        seconds = course.options.seconds
        return course.lab.outside.run(
            *("wrk", "-t", 1, "-c", WRK_CONNECTIONS, "-d", f"{seconds}s", "--timeout", "10s"),
            f"http://{HOST4}:{contender.port}/",
            timeout=seconds + PATIENCE_S,
        ).stdout


class Bulk:
    """A large file again and again, over one connection or several."""

    def __init__(self, direction, streams):
        self.direction = direction
        self.streams = streams
        self.key = f"{direction}_{streams}"
        self.title = f"{direction} of a large file, {streams} at a time"
        self.metrics = [
            Metric(f"{self.key}_throughput", "throughput", "MB/s"),
            Metric(f"{self.key}_proxy_cpu", "CPU of the proxy", "s/GB", 3, of_proxy=True),
            Metric(f"{self.key}_production_cpu", "CPU of production", "s/GB", 3),
        ]

    def describe(self, _options):
        return self.title

    def run(self, course, contender):
        arguments = ["--keep-alive", "--connections", self.streams]
        server = course.server
        if self.direction == "upload":
            path = f"{UPLOADS.removeprefix('/run')}/large.bin"
            server.forget_upload()
            result, proxy, production = course.warmed_up(
                contender,
                *(*arguments, "--put", server.large),
                path=path,
                port=contender.bulk_port,
            )
            server.check_upload(contender.name)
            moved = result["bytes_sent"]
        else:
            result, proxy, production = course.warmed_up(
                contender,
                *arguments,
                path="/large.bin",
                port=contender.bulk_port,
                expect=server.large,
            )
            moved = result["bytes_received"]
        return {
            f"{self.key}_throughput": moved / 1e6 / result["seconds"],
            f"{self.key}_proxy_cpu": proxy * 1e9 / moved,
            f"{self.key}_production_cpu": production * 1e9 / moved,
        }


MEASURES = [
    Latency(keep_alive=False),
    Latency(keep_alive=True),
    Fresh(),
    Kept(),
    Bulk("download", 1),
    Bulk("download", 8),
    Bulk("upload", 1),
    Bulk("upload", 8),
]
