# SPDX-License-Identifier: GPL-2.0-or-later
"""
From the rounds to a record and a table. A ratio or a difference is taken within a round, where both
were measured one right after the other; then the rounds are summed up as a median with its spread.
"""

import statistics

from .measures import MEASURES


def summary(values):
    return {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
        "rounds": values,
    }


def _pairs(values, one, other, combine):
    """Over the rounds; nothing when one of the two was not measured."""
    if one not in values or other not in values:
        return None
    pairs = zip(values[one], values[other])
    return summary([combine(a, b) for a, b in pairs])


def _divide(a, b):
    """CPU times come in ticks: a short run may have none."""
    return a / b if b else float("inf") if a else 1.0


def summarize(values):
    """`values`: [metric][contender] = one value a round."""
    record = {}
    for measure in MEASURES:
        for metric in measure.metrics:
            found = {
                name: numbers
                for name, numbers in values.get(metric.name, {}).items()
                if not (metric.of_proxy and name == "direct")
            }
            if not found:
                continue
            entry = {
                "measure": measure.title,
                "unit": metric.unit,
                **{name: summary(numbers) for name, numbers in found.items()},
            }
            ratio = _pairs(found, "pass", "haproxy", _divide)
            if ratio:
                entry["pass/haproxy"] = ratio
            for name in ("pass", "haproxy") if metric.added else ():
                added = _pairs(found, name, "direct", lambda a, b: a - b)
                if added:
                    entry[f"{name}-direct"] = added
            record[metric.name] = entry
    return record


def _cell(entry, key, digits):
    found = entry.get(key)
    if not found:
        return "-"
    numbers = (found["median"], found["min"], found["max"])
    median, least, most = (f"{number:,.{digits}f}" for number in numbers)
    return f"{median} ({least}–{most})"


def table(results, options, names):
    """Lines for people."""
    columns = [*names, *(["pass/haproxy"] if {"pass", "haproxy"} <= set(names) else [])]
    rows = [("", columns)]
    for measure in MEASURES:
        if not any(metric.name in results for metric in measure.metrics):
            continue
        rows.append((measure.describe(options), None))
        for metric in measure.metrics:
            entry = results.get(metric.name)
            if not entry:
                continue
            cells = [
                _cell(entry, column, 2 if column == "pass/haproxy" else metric.digits)
                for column in columns
            ]
            rows.append((f"  {metric.label}, {metric.unit}", cells))
            if any(f"{name}-direct" in entry for name in names):
                cells = [_cell(entry, f"{column}-direct", metric.digits) for column in columns]
                rows.append(("    more than direct", cells))
    first = max(len(label) for label, cells in rows if cells is not None)
    widths = [
        max(len(cells[i]) for _, cells in rows if cells is not None) for i in range(len(columns))
    ]
    lines = []
    for label, cells in rows:
        if cells is None:
            lines += ["", label]
        else:
            padded = [f"{cell:>{width}}" for cell, width in zip(cells, widths)]
            lines.append("  ".join([f"{label:<{first}}", *padded]).rstrip())
    return lines
