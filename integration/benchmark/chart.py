# SPDX-License-Identifier: GPL-2.0-or-later
"""How a cost grows with a size: as a table, and drawn by gnuplot."""

import subprocess
from dataclasses import dataclass

from .part import Measure, Metric
from .tables import Table, number, spread


@dataclass
class Chart:
    """`key` begins the names of its metrics; `logarithmic`: the axes that are."""

    key: str
    title: str
    size: str  # what grows
    label: str
    unit: str
    digits: int = 0
    logarithmic: str = ""

    def metric(self, size):
        return Metric(f"{self.key}_{size}", f"{self.size} {size}", self.unit, self.digits)


class Sized(Measure):
    """A measure at one size or several. `run` returns metrics of its charts."""

    charts = ()
    most_rounds = 1  # there are many sizes; several runs have their spread

    def __init__(self, sizes):
        self.sizes = sizes
        self.metrics = [chart.metric(size) for chart in self.charts for size in sizes]


def points(chart, part, results):
    """{contender: [(size, entry)]}, sizes in order."""
    found = {}
    sizes = sorted({size for one in part.measures if chart in one.charts for size in one.sizes})
    for size in sizes:
        entries = results.get(chart.metric(size).name, {}).get("contenders", {})
        for name, entry in entries.items():
            found.setdefault(name, []).append((size, entry))
    return found


def tables(part, record):
    """A table a chart, a row a size, a column a contender."""
    made = []
    for chart in part.charts:
        found = points(chart, part, record["results"])
        if not found:
            continue
        cells = {name: dict(entries) for name, entries in found.items()}
        sizes = sorted({size for entries in cells.values() for size in entries})
        groups = [
            [
                [
                    *("", name),
                    *(
                        spread(entries[size], lambda value: number(value, chart.digits))
                        if size in entries
                        else "-"
                        for size in sizes
                    ),
                ]
            ]
            for name, entries in cells.items()
        ]
        title = f"{chart.title}: {chart.label}, {chart.unit}, by {chart.size}"
        made.append((chart, Table(title, [f"{size:,}" for size in sizes], groups, chart.size)))
    return made


def _quoted(text):
    """For gnuplot, where an apostrophe is doubled."""
    return "'" + text.replace("'", "''") + "'"


def script(chart, found, path):
    """What gnuplot is told, data and all: medians, with the least and the most."""
    data = "".join(
        f"${number} << END\n"
        + "".join(
            f"{size} {entry['median']} {entry['min']} {entry['max']}\n" for size, entry in entries
        )
        + "END\n"
        for number, entries in (
            (f"series{index}", entries) for index, entries in enumerate(found.values())
        )
    )
    lines = ", ".join(
        f"$series{index} using 1:2:3:4 with yerrorlines linewidth 2 title {_quoted(name)}"
        for index, name in enumerate(found)
    )
    scale = f"set logscale {chart.logarithmic}\n" if chart.logarithmic else ""
    if "y" not in chart.logarithmic:
        scale += "set yrange [0:*]\n"
    return (
        "set terminal svg size 900,540 font 'sans,14' background '#ffffff' noenhanced\n"
        f"set output {_quoted(str(path))}\n"
        f"set title {_quoted(chart.title)}\n"
        f"set xlabel {_quoted(chart.size)}\n"
        f"set ylabel {_quoted(f'{chart.label}, {chart.unit}')}\n"
        "set key outside right\nset grid\n"
        f"{scale}{data}plot {lines}\n"
    )


def draw(part, record, directory):
    """An SVG file a chart; returns their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    drawn = []
    for chart in part.charts:
        found = points(chart, part, record["results"])
        if found:
            path = directory / f"{chart.key}.svg"
            subprocess.run(["gnuplot"], input=script(chart, found, path), text=True, check=True)
            drawn.append(path)
    return drawn
