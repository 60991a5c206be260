# SPDX-License-Identifier: GPL-2.0-or-later
"""
Strikes faults at renewals in the lab, in every step of them, half of them evenly over all calls of
the programs, half at random: the keeper, the responder, the hook and the client are killed, stopped
and starved; half of those at random from outside, the programs being as installed. After each, every promise has to hold: port 80 is back with production in the time of
README.md's table, nothing is left, no token is served after its end, nobody who was with production
was disturbed, and the next renewal works. Started by faults.

    integration/faults [--faults 2000] [--seed N] [--jobs N]
    integration/faults --seed N --only NUMBER...

The seed is printed; with it, a run strikes the same faults again, and --only some of these. Exit
status 0: nothing was violated.
"""

import argparse
import json
import os
import random
import signal
import sys

from lab.faults import report, workers

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def progress(count):
    """One line on a terminal, nothing elsewhere."""

    def tell(struck, violations):
        print(
            f"\r\033[K{struck} of {count} faults, {violations} violations",
            end="\n" if struck >= count else "",
            file=sys.stderr,
            flush=True,
        )

    return tell if sys.stderr.isatty() else lambda *_: None


def leave(number, _):
    """The workers are told, and waited for; a second signal does not hurry them."""
    for other in ENDS:
        signal.signal(other, signal.SIG_IGN)
    print(f"integration/faults: ended by signal {number}", file=sys.stderr)
    sys.exit(128 + number)


def main():
    parser = argparse.ArgumentParser(
        prog="integration/faults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--faults", type=int, default=2000, metavar="N", help="default: 2000")
    parser.add_argument("--seed", type=int, metavar="N", help="by default one at random")
    parser.add_argument("--jobs", type=int, default=6, metavar="N", help="labs at a time; 6")
    parser.add_argument("--only", type=int, nargs="+", metavar="NUMBER", help="of the seed's faults")
    parser.add_argument("--json", action="store_true", help="print the record as JSON instead")
    options = parser.parse_args()
    if options.faults < 1 or options.jobs < 1:
        parser.error("at least one fault, and one job")
    if os.geteuid() != 0:
        print("integration/faults: root is needed: the lab has namespaces", file=sys.stderr)
        return 77
    for number in ENDS:
        signal.signal(number, leave)
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    print(f"seed {seed}", file=sys.stderr, flush=True)
    record = workers.run(
        options.faults, seed, options.jobs, only=options.only, tell=progress(options.faults)
    )
    print(json.dumps(record, indent=2) if options.json else "\n".join(report.table(record)))
    return 1 if record["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
