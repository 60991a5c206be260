# SPDX-License-Identifier: GPL-2.0-or-later
"""
From the rounds to a record. A ratio or a difference is taken within a round, where both
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
