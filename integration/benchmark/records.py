# SPDX-License-Identifier: GPL-2.0-or-later
"""
What a run leaves, as a file: read again, and several runs made one record. An entry of that has the
median of the runs' medians, with the least and the most of these.
"""

import json

from .report import summary
from .wrong import Wrong

# Of numbers that were measured otherwise, no median makes sense.
SAME = ["machine", "rounds", "seconds", "fresh_rate", "kept_rate", "windows"]


def read(path):
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise Wrong(f"{path}: {error}") from None


def write(path, record):
    path.write_text(json.dumps(record, indent=2) + "\n")


def _summary(entries):
    return summary([entry["median"] for entry in entries])


def _merge_entries(entries):
    merged = _summary(entries)
    for kind in ("ratio", "added"):
        there = [entry[kind] for entry in entries if kind in entry]
        if there:
            merged[kind] = _summary(there)
    return merged


def _merge_results(runs):
    merged = {}
    for name in dict.fromkeys(name for run in runs for name in run):
        there = [run[name]["contenders"] for run in runs if name in run]
        first = next(run[name] for run in runs if name in run)
        merged[name] = {
            **first,
            "contenders": {
                who: _merge_entries([entries[who] for entries in there if who in entries])
                for who in dict.fromkeys(who for entries in there for who in entries)
            },
        }
    return merged


def _merge_parts(runs):
    return {
        "runs": len(runs),
        "ours": runs[0]["ours"],
        "contenders": {name: what for run in runs for name, what in run["contenders"].items()},
        "results": _merge_results([run["results"] for run in runs]),
        "busy_by_others": _summary([run["busy_by_others"] for run in runs]),
    }


def merge(records):
    """One run stays as it is, with the spread of its rounds. A run may have some parts only."""
    first = records[0]
    for name in SAME:
        if any(record.get(name) != first.get(name) for record in records):
            raise Wrong(f"the runs are not alike: {name}")
    merged = {name: first[name] for name in SAME if name in first}
    merged["parts"] = {}
    for key in dict.fromkeys(key for record in records for key in record["parts"]):
        runs = [record["parts"][key] for record in records if key in record["parts"]]
        merged["parts"][key] = _merge_parts(runs) if len(runs) > 1 else runs[0]
    return merged
