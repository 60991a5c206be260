# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables of a part: what is in them, and how they look on a terminal."""

import textwrap
from dataclasses import dataclass

WIDTH = 120
GAP = "  "


@dataclass
class Table:
    """
    `groups`: columns that belong together, such as a number and its ratio. A column is a list of
    cells: two lines of heading, then a row each, as in `names`, whose heading is `what`.
    """

    title: str
    names: list
    groups: list
    what: str = ""


# ---- cells ----


def number(value, digits):
    return f"{value:,.{digits}f}"


def ratio_number(value):
    """With as many digits as tell something."""
    if value < 0.1:
        return f"{value:.2g}"
    return number(value, 2 if value < 10 else 1 if value < 100 else 0)


def spread(entry, form):
    """The spread only where there is one."""
    median, least, most = (form(entry[key]) for key in ("median", "min", "max"))
    return median if least == most else f"{median} ({least}–{most})"


# ---- a part's tables ----


def _group(part, metric, entries, names):
    """A metric's columns."""

    def digits(value):
        return number(value, metric.digits)

    def value(entry):
        return digits(entry["median"]) if metric.compared else spread(entry, digits)

    def column(heading, unit, cell):
        return [heading, unit, *(cell(name) if name in entries else "-" for name in names)]

    columns = [column(metric.label, metric.unit, lambda name: value(entries[name]))]
    if metric.compared:

        def times(name):
            if name == part.ours:
                return "1"
            entry = entries[name].get("ratio")
            return spread(entry, ratio_number) if entry else "-"

        columns.append(column("", "× ours", times))
    if any("added" in entry for entry in entries.values()):

        def added(name):
            entry = entries[name].get("added")
            return digits(entry["median"]) if entry else "-"

        columns.append(column("", f"+ {part.baseline}", added))
    return columns


def rounds(count):
    return f"{count} round{'' if count == 1 else 's'}"


def _title(part, measure, options):
    count = measure.rounds(options.rounds)
    fewer = f"; {rounds(count)}" if count < part.rounds(options.rounds) else ""
    return measure.describe(options) + fewer


def tables(part, record, options):
    """A table a measure, a row a contender; who was not measured has none."""
    made = []
    for measure in part.measures:
        found = [
            (metric, record["results"][metric.name]["contenders"])
            for metric in measure.metrics
            if metric.name in record["results"]
        ]
        names = [
            name for name in record["contenders"] if any(name in entries for _, entries in found)
        ]
        groups = [_group(part, metric, entries, names) for metric, entries in found]
        if groups:
            made.append(Table(_title(part, measure, options), names, groups))
    return made


# ---- on a terminal ----


def align(rows):
    """Lines: the first column to the left, the rest to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        GAP.join(
            f"{cell:<{width}}" if i == 0 else f"{cell:>{width}}"
            for i, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]


def _width(group):
    return sum(len(GAP) + max(len(cell) for cell in column) for column in group)


def _blocks(table, first):
    """Groups that fit beside the first column together."""
    room = WIDTH - max(len(cell) for cell in first)
    blocks = []
    left = 0
    for group in table.groups:
        if _width(group) > left:
            blocks.append([])
            left = room
        blocks[-1] += group
        left -= _width(group)
    return blocks


def lines(table):
    """One block below the other, if it is too wide; rows without anything are left out."""
    first = ["", f"{GAP}{table.what}", *(f"{GAP}{name}" for name in table.names)]
    found = textwrap.wrap(table.title, WIDTH)
    for columns in _blocks(table, first):
        rows = list(zip(first, *columns))
        headings = [row for row in rows[:2] if any(cell.strip() for cell in row)]
        found += align(headings + [row for row in rows[2:] if set(row[1:]) != {"-"}])
    return found


def described(contenders):
    """Lines: who is who."""
    room = max((len(name) for name in contenders), default=0) + 2 * len(GAP)
    found = []
    for name, what in contenders.items():
        begin = f"{GAP}{name}".ljust(room)
        found += textwrap.wrap(begin + what, WIDTH, subsequent_indent=" " * room) or [begin]
    return found
