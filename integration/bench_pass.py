# SPDX-License-Identifier: GPL-2.0-or-later
"""
Measures what the pass costs: latency, requests a second, throughput and CPU of visitors who go
straight to production, through an open window, and through HAProxy in TCP mode on a port of its
own. In the lab, round by round, measure by measure, one contender right after the other. Started by
bench-pass and by `meson test --benchmark`. Exit status 0: every answer was right. Nothing is too
slow for it.
"""

import argparse
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmark import contenders, report
from benchmark.cores import Cores, busy_by_others
from benchmark.measures import MEASURES, Course
from benchmark.server import Server
from benchmark.wrong import Wrong
from lab import programs
from lab.lab import Lab


class Progress:
    """One line on a terminal, nothing elsewhere."""

    def __init__(self):
        self._shown = sys.stderr.isatty()

    def tell(self, text):
        if self._shown:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    def end(self):
        self.tell("")


def version(*command):
    """The version that a program names."""
    result = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return re.search(r"\d+(\.\d+)+\S*", result.stdout)[0]


def processor():
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def machine(cores):
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "servers_on": cores.servers,
        "visitors_on": cores.visitors,
        "nginx": version("nginx", "-v"),
        "haproxy": version("haproxy", "-v"),
    }


def prepare(lab):
    """What in the lab would be measured along, or run out."""
    # Its validators' addresses need connection tracking, for which visitors would pay.
    lab.outside.nft("delete table inet validators\n")
    lab.outside.sysctl("net/ipv4/ip_local_port_range", "1024 65535")


def measure_all(course, entered, options, progress):
    """[metric][contender] = one value a round; and how busy others were, before each."""
    values = {}
    others = []
    chosen = [measure for measure in MEASURES if not options.only or measure.key in options.only]
    for number in range(options.rounds):
        # Each begins as often as any other.
        first = number % len(entered)
        order = entered[first:] + entered[:first]
        others.append(busy_by_others())
        for measure in chosen:
            for contender in order:
                progress.tell(
                    f"round {number + 1} of {options.rounds}: {contender.name}: {measure.title}"
                )
                try:
                    contender.start()
                    found = measure.run(course, contender)
                finally:
                    contender.stop()
                for name, value in found.items():
                    values.setdefault(name, {}).setdefault(contender.name, []).append(value)
    return values, others


def remove_left():
    """The files of a run that was killed. Of a lab, these alone outlive that."""
    for path in programs.WORK.glob("benchmark-*"):
        if not Path(f"/proc/{path.name.split('-')[1]}").exists():
            shutil.rmtree(path)


def benchmark(options, cores, progress):
    """The results, and how busy others were, in a lab that ends with it."""
    programs.WORK.mkdir(parents=True, exist_ok=True)
    remove_left()
    own = f"benchmark-{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=own, dir=programs.WORK) as work:
        Path(work).chmod(0o755)
        progress.tell("preparing the lab")
        lab = Lab(programs.install(Path(work) / "programs"), work)
        try:
            prepare(lab)
            course = Course(lab, cores, Server(lab, cores), options)
            entered = contenders.make(lab, cores, options.contender)
            values, others = measure_all(course, entered, options, progress)
            return report.summarize(values), report.summary(others)
        finally:
            progress.end()
            lab.destroy()


def parse():
    names = [kind.name for kind in contenders.CONTENDERS]
    parser = argparse.ArgumentParser(prog="integration/bench-pass", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the record as JSON instead")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default: 5")
    parser.add_argument(
        "--seconds", type=int, default=2, metavar="S", help="of each measurement; default: 2"
    )
    parser.add_argument(
        "--fresh-rate", type=int, default=1000, metavar="N", help="for the latency; default: 1000"
    )
    parser.add_argument(
        "--kept-rate", type=int, default=2000, metavar="N", help="for the latency; default: 2000"
    )
    parser.add_argument(
        "--contender", action="append", choices=names, help="only this one, and others named so"
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=[measure.key for measure in MEASURES],
        help="only this measure, and others named so",
    )
    options = parser.parse_args()
    for name in ("rounds", "seconds", "fresh_rate", "kept_rate"):
        if getattr(options, name) < 1:
            parser.error(f"--{name.replace('_', '-')}: at least 1")
    options.contender = [name for name in names if name in (options.contender or names)]
    return options


def main():
    options = parse()
    if os.geteuid() != 0:
        print("integration/bench-pass: root is needed: the lab has namespaces", file=sys.stderr)
        return 77
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _: sys.exit(128 + got))
    cores = Cores()
    cores.take_visitors()
    record = {
        "machine": machine(cores),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "fresh_rate": options.fresh_rate,
        "kept_rate": options.kept_rate,
    }
    try:
        record["results"], record["busy_by_others"] = benchmark(options, cores, Progress())
    except (Wrong, AssertionError) as wrong:  # the lab asserts
        print(f"bench-pass: {wrong}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(record, indent=2))
        return 0
    about = record["machine"]
    print(
        f"{about['processor']}, Linux {about['kernel']}, nginx {about['nginx']},"
        f" HAProxy {about['haproxy']}\n"
        f"servers on core {about['servers_on']}, visitors on core {about['visitors_on']};"
        f" {options.rounds} rounds of {options.seconds} s: median (least–most)\n"
        f"in use by others before a round: {record['busy_by_others']['median']:.0%} of all cores,"
        f" {record['busy_by_others']['max']:.0%} at most\n"
    )
    print(*report.table(record["results"], options, options.contender), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
