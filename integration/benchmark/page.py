# SPDX-License-Identifier: GPL-2.0-or-later
"""A page of a record, in Markdown: every number on it is from there."""

import os
from pathlib import Path
from types import SimpleNamespace

from . import chart, tables

# What people have to say of a part: PART.md there is put below its heading.
NOTES = Path(__file__).with_name("notes")

INTRODUCTION = """\
# Performance

acme-wicket beside what people would use instead. `integration/bench --page` has written this page:
every number and every drawing is from the records of its runs.

Two hosts are network namespaces with a wire between them. The contenders are measured in rounds,
one right after the other, each alone, and each begins a round as often as any other. The servers
share one core, the load has another one, and each host's core does what the host receives. Every
answer is looked at: a wrong one ends the run.

A number is the median of the rounds. *× ours* is the other contender's number divided by ours of
the same round, as the median of the rounds, with the least and the most in parentheses: of a rate,
less than 1 is slower than ours; of a time, of memory or of CPU, more than 1 is more than ours
takes.
"""


def cell(text):
    return text.replace("|", "\\|")


def row(cells):
    return f"| {' | '.join(cells)} |"


def table(made):
    """Lines; a heading is one line here."""
    columns = [column for group in made.groups for column in group]
    headings = [", ".join(part for part in column[:2] if part) for column in columns]
    body = zip(made.names, *(column[2:] for column in columns))
    return [
        row([cell(made.what), *(cell(heading) for heading in headings)]),
        row(["---", *("--:" for _ in headings)]),
        *(row([cell(one) for one in cells]) for cells in body),
    ]


def machine(record):
    about = record["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    return (
        f"Measured on {about['processor']} with {about['cores']} cores, "
        f"Linux {about['kernel']}, Debian's {packages}."
    )


def command(record):
    """That measures the same again."""
    options = "".join(
        f" --{name.replace('_', '-')} {record[name]}"
        for name in ("rounds", "seconds", "fresh_rate", "kept_rate", "windows")
    )
    return (
        f"    integration/bench{options} --json RECORD\n"
        "    integration/bench --from RECORD... --page PERFORMANCE.md --svg doc/performance"
    )


def notes(key):
    path = NOTES / f"{key}.md"
    return [path.read_text().strip(), ""] if path.exists() else []


def _drawn(part, found, page, drawings):
    """Lines: a chart and its table. Drawings are linked as seen from the page."""
    lines = []
    for one, made in chart.tables(part, found):
        lines += [f"### {one.title}", ""]
        if drawings:
            path = os.path.relpath(drawings / f"{one.key}.svg", page.parent)
            lines += [f"![{one.title}: {one.label}, {one.unit}, by {one.size}]({path})", ""]
        lines += [f"{one.label}, {one.unit}:", "", *table(made), ""]
    return lines


def _part(part, record, page, drawings):
    found = record["parts"][part.key]
    lines = [f"## {part.title}", "", *notes(part.key)]
    lines += [f"- `{name}`: {what}" for name, what in found["contenders"].items()] + [""]
    runs, busy = found.get("runs", 1), found["busy_by_others"]
    rounds = tables.rounds(part.rounds(record["rounds"]))
    if runs > 1:
        lines += [
            f"In {runs} runs of {rounds} each: the median of the runs' medians, and their least and"
            " most."
        ]
    else:
        lines += [f"In one run of {rounds}."]
    lines += [
        f"In use by others before a round: {busy['median']:.0%} of all cores, "
        f"{busy['max']:.0%} at most.",
        "",
    ]
    if part.charts:
        return lines + _drawn(part, found, page, drawings)
    for made in tables.tables(part, found, SimpleNamespace(**record)):
        lines += [f"**{made.title}**", "", *table(made), ""]
    return lines


def text(parts, record, page, drawings=None):
    """`page`: where it is to be; `drawings`: the directory that has them, or None."""
    lines = [INTRODUCTION, machine(record), "", "To measure it again:", "", command(record), ""]
    for part in parts:
        if part.key in record["parts"]:
            lines += _part(part, record, page, drawings)
    return "\n".join(lines).rstrip() + "\n"
