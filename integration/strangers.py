# SPDX-License-Identifier: GPL-2.0-or-later
"""
Can strangers keep a validator out? Started by strangers.

    integration/strangers [--seconds 60] [--only KIND]... [--mode not-found|pass]... [--json]

opens a window for each kind of them, with other_requests not-found and with pass, and lets them
come from 200 addresses, half of them IPv6, to both families:

    slow       3,000 connections, each with a request of one byte a second
    idle       4,000 connections that say nothing
    fresh      a flood of pages, a connection each
    unknown    a flood of tokens that nobody registered
    malformed  a flood of what is no request
    reset      a flood of connections that are reset at once

All the while a validator asks for the registered token twice a second over each family, a new
connection each time, and must be answered within one second, always. The memory (Private_Dirty),
descriptors and processor time of responder and keeper are watched: memory has a bound of 64 MiB
each, and when the strangers are gone, descriptors and memory are as they were. Nor may the window
shut, or either program end.

The table is for reading, --json is for programs. Exit status 0: nothing was wrong.
"""

import argparse
import json
import signal
import sys
import tempfile
from pathlib import Path

from lab import programs, strangers
from lab.lab import Lab


def main():
    parser = argparse.ArgumentParser(
        prog="integration/strangers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=int, default=60, metavar="N", help="for each kind")
    parser.add_argument("--only", action="append", choices=strangers.KINDS, metavar="KIND")
    parser.add_argument("--mode", action="append", choices=strangers.MODES)
    parser.add_argument("--json", action="store_true", help="print the records as JSON instead")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    programs.WORK.mkdir(parents=True, exist_ok=True)
    records = []
    with tempfile.TemporaryDirectory(prefix="strangers-", dir=programs.WORK) as work:
        Path(work).chmod(0o755)
        prefix = programs.install(Path(work) / "programs")
        if not options.json:
            print(strangers.HEAD, flush=True)
        for mode in options.mode or strangers.MODES:
            for kind in options.only or strangers.KINDS:
                lab = Lab(prefix, work)
                try:
                    records.append(strangers.run(lab, mode, kind, options.seconds))
                finally:
                    lab.destroy()
                if not options.json:
                    print(*strangers.describe(records[-1]), sep="\n", flush=True)
    if options.json:
        print(json.dumps(records, indent=2))
    wrong = sum(len(record["wrong"]) for record in records)
    if not options.json:
        print(f"\n{len(records)} kinds of strangers, {wrong} violations")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
