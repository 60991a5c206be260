# SPDX-License-Identifier: GPL-2.0-or-later
"""
From the rounds to a record and a table. A ratio or a difference is taken within a round, where both
were measured one right after the other; then the rounds are summed up as a median with its spread.
"""

import statistics


def summary(values):
    return {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
        "rounds": values,
    }


def ratio(values, ours):
    """{round: value} to ours; nothing where ours was nothing, or was not measured."""
    pairs = [values[n] / ours[n] for n in sorted(values) if ours.get(n)]
    return summary(pairs) if pairs else None


def difference(values, baseline):
    pairs = [values[n] - baseline[n] for n in sorted(values) if n in baseline]
    return summary(pairs) if pairs else None


def _contender(part, metric, found, name):
    values = found[name]
    entry = summary([values[n] for n in sorted(values)])
    if name != part.ours and metric.compared:
        compared = ratio(values, found.get(part.ours, {}))
        if compared:
            entry["ratio"] = compared
    if metric.added and name != part.baseline:
        added = difference(values, found.get(part.baseline, {}))
        if added:
            entry["added"] = added
    return entry


def summarize(part, values):
    """`values`: [metric][contender][round]."""
    record = {}
    for measure in part.measures:
        for metric in measure.metrics:
            found = values.get(metric.name)
            if found:
                record[metric.name] = {
                    "measure": measure.title,
                    "label": metric.label,
                    "unit": metric.unit,
                    "contenders": {name: _contender(part, metric, found, name) for name in found},
                }
    return record


# ---- for people ----


def spread(entry, digits):
    median, least, most = (f"{entry[key]:,.{digits}f}" for key in ("median", "min", "max"))
    return f"{median} ({least}–{most})"


def _columns(part, measure, results):
    """(heading, cell of an entry) for each column of a measure."""
    columns = []
    for metric in measure.metrics:
        entries = results.get(metric.name, {}).get("contenders", {})
        if not entries:
            continue

        def get(name, entries=entries):
            return entries.get(name, {})

        def value(name, get=get, digits=metric.digits):
            entry = get(name)
            return f"{entry['median']:,.{digits}f}" if entry else "-"

        def times(name, get=get):
            if name == part.ours:
                return "1" if get(name) else "-"
            entry = get(name).get("ratio")
            return spread(entry, 2) if entry else "-"

        def added(name, get=get, digits=metric.digits):
            entry = get(name).get("added")
            return spread(entry, digits) if entry else "-"

        columns.append((f"{metric.label}, {metric.unit}", value))
        if metric.compared:
            columns.append(("x ours", times))
        if any("added" in entry for entry in entries.values()):
            columns.append((f"more than {part.baseline}", added))
    return columns


def align(rows):
    """Lines: the first column to the left, the rest to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            f"{cell:<{width}}" if i == 0 else f"{cell:>{width}}"
            for i, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]


def table(part, record, options):
    """Lines: a block a measure, a line a contender."""
    lines = []
    results = record["results"]
    for measure in part.measures:
        columns = _columns(part, measure, results)
        if not columns:
            continue
        rows = [("", *(heading for heading, _ in columns))]
        for name in record["contenders"]:
            cells = [cell(name) for _, cell in columns]
            if set(cells) != {"-"}:
                rows.append((f"  {name}", *cells))
        lines += ["", measure.describe(options), *align(rows)]
    return lines
