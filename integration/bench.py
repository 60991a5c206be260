# SPDX-License-Identifier: GPL-2.0-or-later
"""
Measures acme-wicket beside what people would use instead, in the lab: in rounds, one contender
right after the other, servers and load on cores of their own. Prints a table; a ratio is the other
contender's number divided by ours of the same round, as the median of the rounds with the least and
the most. Started by bench and by `meson test --benchmark`. Exit status 0: every answer was right.
Nothing is too slow for it.
"""

import argparse
import os
import signal
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

from benchmark import chart, machine, page, records, rounds, tables
from benchmark.cores import Cores
from benchmark.parts import PARTS
from benchmark.progress import Progress
from benchmark.wrong import Wrong


def names(parts, of):
    """Without repetition, in order."""
    return list(dict.fromkeys(name for part in parts for name in of(part)))


def parse():
    contenders = names(PARTS, lambda part: [kind.name for kind in part.contenders])
    measures = names(PARTS, lambda part: [measure.key for measure in part.measures])
    parser = argparse.ArgumentParser(prog="integration/bench", description=__doc__)
    parser.add_argument(
        "part",
        nargs="*",
        metavar="PART",
        help=f"{', '.join(part.key for part in PARTS)}; default: all of them",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the record there too")
    parser.add_argument(
        "--from",
        dest="sources",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="measure nothing: these records are shown, of several the range of their medians",
    )
    parser.add_argument("--page", type=Path, metavar="FILE", help="write it all in Markdown")
    parser.add_argument(
        "--svg", type=Path, metavar="DIRECTORY", help="draw the growth there, a file a chart"
    )
    parser.add_argument("-r", "--rounds", type=int, default=5, metavar="N", help="default: 5")
    parser.add_argument(
        *("-s", "--seconds"), type=int, default=2, metavar="S", help="of each load; default: 2"
    )
    parser.add_argument(
        "--fresh-rate", type=int, default=1000, metavar="N", help="for the latency; default: 1000"
    )
    parser.add_argument(
        "--kept-rate", type=int, default=2000, metavar="N", help="for the latency; default: 2000"
    )
    parser.add_argument(
        "--windows", type=int, default=1000, metavar="N", help="in a row; default: 1000"
    )
    parser.add_argument(
        "--contender",
        action="append",
        metavar="NAME",
        choices=contenders,
        help=f"only this one, and others named so: {', '.join(contenders)}",
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="MEASURE",
        choices=measures,
        help=f"only this measure, and others named so: {', '.join(measures)}",
    )
    options = parser.parse_args()
    for name in ("rounds", "seconds", "fresh_rate", "kept_rate", "windows"):
        if getattr(options, name) < 1:
            parser.error(f"--{name.replace('_', '-')}: at least 1")
    unknown = set(options.part) - {part.key for part in PARTS}
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    options.parts = [part for part in PARTS if not options.part or part.key in options.part]
    return options


def print_head(record):
    about = record["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    text = [
        f"{about['processor']}, Linux {about['kernel']}; {packages}",
        f"servers on core {about['servers_on']}, load on core {about['visitors_on']};"
        f" loads of {record['seconds']} s: median, and its ratio to ours (least–most)",
    ]
    for line in text:
        print(*textwrap.wrap(line, tables.WIDTH), sep="\n")


def print_part(part, record):
    found = record["parts"][part.key]
    busy = found["busy_by_others"]
    print(f"\n== {part.title}")
    rounds_each = tables.rounds(part.rounds(record["rounds"]))
    if "runs" in found:
        print(f"{found['runs']} runs of {rounds_each}: the median, least and most of their medians")
    else:
        print(f"{rounds_each}, in {found['took_s']:.0f} s")
    print(
        f"in use by others before a round: {busy['median']:.0%} of all cores,"
        f" {busy['max']:.0%} at most\n",
        *tables.described(found["contenders"]),
        sep="\n",
    )
    if part.charts:
        made = [one for _, one in chart.tables(part, found)]
    else:
        made = tables.tables(part, found, SimpleNamespace(**record))
    for one in made:
        print("", *tables.lines(one), sep="\n")
    sys.stdout.flush()


def shown(options):
    """The record of earlier runs."""
    record = records.merge([records.read(path) for path in options.sources])
    print_head(record)
    for part in options.parts:
        if part.key in record["parts"]:
            print_part(part, record)
    return record


def measured(options):
    """The record of this run; what is finished of it is written and printed at once."""
    cores = Cores()
    cores.take_visitors()
    record = {
        "machine": machine.describe(cores),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "fresh_rate": options.fresh_rate,
        "kept_rate": options.kept_rate,
        "windows": options.windows,
        "parts": {},
    }
    print_head(record)
    progress = Progress()
    with rounds.workplace() as place:
        for part in options.parts:
            record["parts"][part.key] = rounds.run(part, place, cores, options, progress)
            print_part(part, record)
            if options.json:
                records.write(options.json, record)
    return record


def main():
    options = parse()
    if not options.sources and os.geteuid() != 0:
        print("integration/bench: root is needed: the lab has namespaces", file=sys.stderr)
        return 77
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _: sys.exit(128 + got))
    try:
        record = shown(options) if options.sources else measured(options)
        if options.svg:
            for part in options.parts:
                if part.key in record["parts"]:
                    chart.draw(part, record["parts"][part.key], options.svg)
        if options.page:
            options.page.write_text(page.text(options.parts, record, options.page, options.svg))
    except (Wrong, AssertionError) as wrong:  # the lab asserts
        print(f"bench: {wrong}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
