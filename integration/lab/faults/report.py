# SPDX-License-Identifier: GPL-2.0-or-later
"""The record of a run, and its table."""

from . import rows
from .kinds import KINDS, STEPS


def summarize(seed, seconds, results, violations):
    """Of `results`, the records of trial.run()."""
    faults = []
    for kind in KINDS:
        own = [result for result in results if result["fault"] == kind.name]
        faults.append(
            {
                "fault": kind.name,
                "count": len(own),
                "fenced": sum(one["fenced"] for one in own),
                "cut": sum(one["cut"] for one in own),
                "steps": {step: sum(one["step"] == step for one in own) for step in STEPS},
                "right_ms": _worst(own, "right_s"),
                "right_allowed_ms": _allowed(kind.right),
                "production_ms": _worst(own, "back_s"),
                "production_allowed_ms": _allowed(kind.back),
            }
        )
    return {
        "seed": seed,
        "seconds": round(seconds, 1),
        "count": len(results),
        "fenced": sum(one["fenced"] for one in results),
        "calls": len({(one["fault"], one["step"], one["call"]) for one in results}),
        "faults": faults,
        "violations": violations,
    }


def _worst(results, what):
    return round(1000 * max((one[what] for one in results), default=0))


def _allowed(seconds):
    return round(1000 * (seconds + rows.MARGIN))


def table(record):
    """The record in lines."""
    head = f"{'fault':<36}" + "".join(f"{step:>11}" for step in STEPS)
    lines = [f"{head}{'count':>8}{'fenced':>8}{'cut':>6}{'right':>15}{'production':>15}"]
    for one in record["faults"]:
        counts = "".join(f"{one['steps'][step] or '-':>11}" for step in STEPS)
        right = f"{one['right_ms']} of {one['right_allowed_ms']}"
        back = f"{one['production_ms']} of {one['production_allowed_ms']}"
        numbers = f"{one['count']:>8}{one['fenced'] or '-':>8}{one['cut'] or '-':>6}"
        lines.append(f"{one['fault']:<36}{counts}{numbers}{right:>15}{back:>15}")
    sums = [sum(one["steps"][step] for one in record["faults"]) for step in STEPS]
    sums = "".join(f"{number:>11}" for number in sums)
    lines.append(f"{'':<36}{sums}{record['count']:>8}{record['fenced']:>8}")
    lines += [
        "",
        "Fenced: of these, at programs with their fences, from outside, at a moment of no call.",
        "Cut: visitors who were passed, and whom the fault cost their connection, as README.md says:",
        "the keeper or the responder was killed, or the responder hung and was killed for that.",
        "Right: the worst time, in ms, from the fault until whoever answers at port 80 is right.",
        "Production: until production answers, from the fault, or where the window outlives it from",
        f"the end of its token. The lease is {rows.LEASE:.0f} s; {1000 * rows.MARGIN:.0f} ms of what"
        " is allowed are for asking and for a busy machine.",
        f"{record['count']} faults, {len(record['violations'])} violations, {record['seconds']:.0f} s,"
        f" seed {record['seed']}",
    ]
    for one in record["violations"]:
        lines += ["", f"VIOLATION by fault {one['number']}: {one['fault']}", one["text"]]
    return lines
