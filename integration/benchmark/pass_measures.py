# SPDX-License-Identifier: GPL-2.0-or-later
"""
What is measured of the pass. A measure puts one load on one contender for some seconds, after a
warm-up. Production's answers are checked, every one of them.
"""

import re

from lab.lab import HOST4

from .course import PATIENCE_S, WARM_UP_S
from .part import Measure, Metric, Part
from .pass_contenders import CONTENDERS
from .server import UPLOADS
from .wrong import Wrong

WRK_CONNECTIONS = 64


def of_proxy(contender, name, value):
    """The straight way has nobody in between."""
    return {name: value} if contender.pids() else {}


class Latency(Measure):
    """At a rate that all can serve, so that nobody queues: what a visitor waits."""

    def __init__(self, keep_alive):
        self.keep_alive = keep_alive
        self.key = "kept" if keep_alive else "fresh"
        self.title = f"latency over {'kept' if keep_alive else 'fresh'} connections"
        self.metrics = [
            Metric(f"{self.key}_latency_{short}", short, "µs", 0, added=True)
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
        result, _ = course.warmed_up(contender, *arguments, *spin, expect=course.server.page)
        found = result["latency_us"]
        return {metric.name: found[metric.name.rsplit("_", 1)[1]] for metric in self.metrics}


class Fresh(Measure):
    """As many as are served, 64 at a time, each over a connection of its own."""

    key = "fresh_rate"
    title = "fresh connections, as many as go"
    metrics = [
        Metric("fresh_requests", "requests", "1/s"),
        Metric("fresh_proxy_cpu", "CPU of the proxy", "µs", 1),
        Metric("fresh_production_cpu", "CPU of production", "µs", 1),
    ]

    def describe(self, _options):
        return "fresh connections, 64 at a time, as many as go"

    def run(self, course, contender):
        result, cost = course.warmed_up(
            contender, "--connections", 64, expect=course.server.page
        )
        requests = result["requests"]
        return {
            "fresh_requests": requests / result["seconds"],
            **of_proxy(contender, "fresh_proxy_cpu", cost.contender * 1e6 / requests),
            "fresh_production_cpu": cost.production * 1e6 / requests,
        }


class Kept(Measure):
    """wrk over 64 connections. It knows a wrong status only; the warm-up looks at every byte."""

    key = "kept_rate"
    title = "kept connections, as many as go"
    metrics = [
        Metric("kept_requests", "requests", "1/s"),
        Metric("kept_proxy_cpu", "CPU of the proxy", "µs", 1),
        Metric("kept_production_cpu", "CPU of production", "µs", 1),
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
        text, cost = course.counting(contender, lambda: self._wrk(course, contender))
        requests = int(re.search(r"(\d+) requests in", text)[1])
        if requests == 0 or re.search(r"Non-2xx|Socket errors", text):
            raise Wrong(f"{contender.name}: wrk: {' '.join(text.split())}")
        return {
            "kept_requests": float(re.search(r"Requests/sec:\s*([\d.]+)", text)[1]),
            **of_proxy(contender, "kept_proxy_cpu", cost.contender * 1e6 / requests),
            "kept_production_cpu": cost.production * 1e6 / requests,
        }

    @staticmethod
    def _wrk(course, contender):
        seconds = course.options.seconds
        return course.lab.outside.run(
            *("wrk", "-t", 1, "-c", WRK_CONNECTIONS, "-d", f"{seconds}s", "--timeout", "10s"),
            f"http://{HOST4}:{contender.port}/",
            timeout=seconds + PATIENCE_S,
        ).stdout


class Bulk(Measure):
    """A large file again and again, over one connection or several."""

    def __init__(self, direction, streams):
        self.direction = direction
        self.streams = streams
        self.key = f"{direction}_{streams}"
        self.title = f"{direction} of a large file, {streams} at a time"
        self.metrics = [
            Metric(f"{self.key}_throughput", "throughput", "MB/s"),
            Metric(f"{self.key}_proxy_cpu", "CPU of the proxy", "s/GB", 3),
            Metric(f"{self.key}_production_cpu", "CPU of production", "s/GB", 3),
        ]

    def run(self, course, contender):
        arguments = ["--keep-alive", "--connections", self.streams]
        server = course.server
        if self.direction == "upload":
            path = f"{UPLOADS.removeprefix('/run')}/large.bin"
            server.forget_upload()
            result, cost = course.warmed_up(
                contender,
                *(*arguments, "--put", server.large),
                path=path,
                port=contender.bulk_port,
            )
            server.check_upload(contender.name)
            moved = result["bytes_sent"]
        else:
            result, cost = course.warmed_up(
                contender,
                *arguments,
                path="/large.bin",
                port=contender.bulk_port,
                expect=server.large,
            )
            moved = result["bytes_received"]
        return {
            f"{self.key}_throughput": moved / 1e6 / result["seconds"],
            **of_proxy(contender, f"{self.key}_proxy_cpu", cost.contender * 1e9 / moved),
            f"{self.key}_production_cpu": cost.production * 1e9 / moved,
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

PART = Part(
    key="pass",
    title="Pass: visitors to production, straight, through a window and through a proxy",
    ours="pass",
    baseline="direct",
    contenders=CONTENDERS,
    measures=MEASURES,
)
