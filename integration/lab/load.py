# SPDX-License-Identifier: GPL-2.0-or-later
"""Visitors as fast as they can be served (load.c), through an open window."""

import json
import shutil
from collections import Counter

from . import network, programs
from .lab import HOST4, HOST6, VISITORS4, VISITORS6
from .production import PAGE
from .under_storm import Tally, make_production
from .wicket import Wicket

KINDS = ("server-closes", "closes-first")
ROUTES = {"IPv4": (HOST4, VISITORS4), "IPv6": (HOST6, VISITORS6)}


class Load:
    """The load generator, in the lab's host `outside`."""

    def __init__(self, lab):
        self._lab = lab
        shutil.copy(programs.build_directory() / "integration" / "load", lab.directory)
        # Visitors close first: the more ports, the longer until one comes around again.
        lab.outside.sysctl("net/ipv4/ip_local_port_range", "1024 65535")

    def run(self, who, seconds, families=tuple(ROUTES), parallel=32, rate=0):
        """{family: result}, both families at once; `rate` a second for each of them."""
        running = {}
        for family in families:
            target, sources = ROUTES[family]
            running[family] = self._lab.outside.start(
                *("/mnt/load", who, seconds, parallel, rate, target, PAGE, *sources), name="load"
            )
        results = {}
        for family, process in running.items():
            assert process.wait_output(seconds + 60) == 0, process.output.text()
            results[family] = json.loads(process.output.text())
        return results


def judge(production, start, results, wrong):
    """Failures, and lines of the log that have no visitor's address. Returns how many lines."""
    for family, result in results.items():
        for kind, count in result["failures"].items():
            wrong[f"{family} {kind}"] += count
    requests = production.requests(start)
    visitors = {*VISITORS4, *VISITORS6}
    for request in requests:
        if request.address not in visitors:
            wrong.note("a line of the log without a visitor's address", request)
    return len(requests)


def run(lab, kind, seconds, rate=0):
    """
    So many seconds in one window, half of them for each of KINDS. Returns the record, whose
    "wrong" is empty if all is well.
    """
    wrong = Tally()
    production = make_production(lab, kind)
    wicket = Wicket(lab)
    load = Load(lab)
    wicket.run("open", "--for", f"{seconds + 120}s")
    assert network.get(lab.outside, HOST4, source=VISITORS4[0]).server == "production"
    rows, lines = [], 0
    for who in KINDS:
        start = len(production.requests())
        results = load.run(who, max(seconds // 2, 1), rate=rate)
        lines += judge(production, start, results, wrong)
        rows += [{"who": who, "family": family, **result} for family, result in results.items()]
    counters = wicket.status()["counters"]
    wicket.run("close")
    wicket.wait_gone()
    answers = sum(row["answers"] for row in rows)
    if lines < answers:
        wrong.note("answers that production never logged", f"{lines} lines for {answers}")
    return {
        "production": kind,
        "seconds": seconds,
        "rows": rows,
        "log_lines": lines,
        "passed": counters.get("passed"),
        "wrong": dict(Counter(wrong)),
        "examples": wrong.examples,
    }


def describe(record):
    """The record as a table, in lines."""
    lines = [
        f"{record['production']}: one window, {record['passed']} connections passed,"
        f" {record['log_lines']} lines of the log checked",
        f"{'':<22}{'answers':>9}{'failed':>8}{'a second':>10}{'median':>11}{'99 of 100':>11}"
        f"{'slowest':>11}",
    ]
    for row in record["rows"]:
        times = "".join(f"{row['latency_ms'][percent]:>8.1f} ms" for percent in ("50", "99", "100"))
        lines.append(
            f"{row['who'] + ' ' + row['family']:<22}{row['answers']:>9}{row['failed']:>8}"
            f"{row['per_second']:>10.0f}{times}"
        )
    lines += [f"WRONG {count} x {what}" for what, count in record["wrong"].items()]
    lines += [f"  {example}" for example in record["examples"]]
    return lines
