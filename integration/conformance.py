# SPDX-License-Identifier: GPL-2.0-or-later
"""
Does the responder speak HTTP? Started by conformance.

    integration/conformance [--only TEXT] [--json]

sends every case of integration/lab/conformance_cases.py, raw bytes and what may come of them with
the clause of RFC 9110 or RFC 9112 it follows from, and prints a line for each:

    responder  it answers everybody (other_requests: not-found)
    passing    in front of production: it answers who asks for the registered token; everything
               else has to reach production byte for byte, from the visitor's own address, and
               nobody may get both
    nginx, apache
               Debian's, with the key authorization as a file, for comparison: another server may
               well do otherwise

"good" is what is asked for: a status, and whether it is the responder that answers in front of
production. Also looked at, for every answer of the responder's: that it is one and no more, syntax,
Date, Content-Length, Connection: close, Allow, the body to the byte, none for HEAD, and that the
connection ends without a reset. A * marks what is not good.

Exit status 0: nothing of the responder's is marked.
"""

import argparse
import json
import signal
import sys
import tempfile
from pathlib import Path

from lab import conformance, programs
from lab.conformance_cases import CASES
from lab.lab import Lab

TARGETS = (
    conformance.Strict,
    conformance.Passing,
    lambda lab: conformance.Other(lab, "nginx"),
    lambda lab: conformance.Other(lab, "apache"),
)


def as_record(case, columns):
    return {
        "case": conformance.title(case),
        "clause": case.clause,
        "request": case.request.decode("latin-1"),
        "good": sorted(case.status),
        "answered": case.answered,
        "outcomes": {
            name: {"outcome": outcomes[case].label, "wrong": outcomes[case].wrong}
            for name, outcomes in columns
        },
    }


def main():
    parser = argparse.ArgumentParser(
        prog="integration/conformance",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", metavar="TEXT", default="", help="cases with TEXT in their name")
    parser.add_argument("--json", action="store_true", help="print the records as JSON instead")
    options = parser.parse_args()
    cases = [case for case in CASES if options.only in conformance.title(case)]
    if not cases:
        parser.error(f"no case has {options.only} in its name")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    programs.WORK.mkdir(parents=True, exist_ok=True)
    columns = []
    with tempfile.TemporaryDirectory(prefix="conformance-", dir=programs.WORK) as work:
        Path(work).chmod(0o755)
        prefix = programs.install(Path(work) / "programs")
        for make in TARGETS:
            lab = Lab(prefix, work)
            try:
                target = make(lab)
                columns.append((target.name, conformance.run(target, cases)))
            finally:
                lab.destroy()
    ours = columns[:2]
    wrong = [line for name, outcomes in ours for line in conformance.violations(name, outcomes)]
    if options.json:
        print(json.dumps([as_record(case, columns) for case in cases], indent=2))
    else:
        print(*conformance.describe(columns, cases), "", *wrong, sep="\n")
        for name, outcomes in columns:
            marked = sum(bool(outcome.wrong) for outcome in outcomes.values())
            what = "violations" if (name, outcomes) in ours else "otherwise"
            print(f"{name}: {len(cases)} cases, {marked} {what}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
