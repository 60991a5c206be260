# SPDX-License-Identifier: GPL-2.0-or-later
"""
The big test of the pass, for as long as one likes. Started by storm.

    integration/storm [--windows 200] [--certificates 40] [--production nginx|apache|docker]...
    integration/storm --load [--seconds 60] [--production nginx|apache|docker]...
    integration/storm --method tproxy ...
    integration/storm --json ...

opens and shuts so many windows beside each production (all three, unless some are named), while
visitors of every kind over both families come and go, and certificates are issued by a real CA.
Every answer is compared byte by byte, every challenge fetched by validators over both families, and
every line of production's log must carry its visitor's own address.

With --load one window stays open for so long, and visitors come as fast as production and the pass
can take them, a connection for each request: half of the time those who let the server close first,
half of the time those who close first themselves.

With --method tproxy they come in that way (redirect.method).

The tables are for reading, --json is for programs. Exit status 0: nothing was wrong.
"""

import argparse
import json
import signal
import sys
import tempfile
from pathlib import Path

from lab import load, programs, under_storm
from lab.lab import Lab
from lab.methods import METHODS


def main():
    parser = argparse.ArgumentParser(
        prog="integration/storm",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--windows", type=int, default=200, metavar="N")
    parser.add_argument("--certificates", type=int, metavar="N", help="a fifth of the windows")
    parser.add_argument("--production", action="append", choices=under_storm.PRODUCTIONS)
    parser.add_argument("--method", choices=METHODS, default="redirect", help="%(default)s")
    parser.add_argument("--load", action="store_true", help="one window, as fast as can be")
    parser.add_argument("--seconds", type=int, default=60, metavar="N", help="of --load")
    parser.add_argument("--json", action="store_true", help="print the records as JSON instead")
    options = parser.parse_args()
    certificates = options.certificates
    if certificates is None:
        certificates = options.windows // 5
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    def tell(text):
        print(text, file=sys.stderr, flush=True)

    programs.WORK.mkdir(parents=True, exist_ok=True)
    records = []
    with tempfile.TemporaryDirectory(prefix="storm-", dir=programs.WORK) as work:
        Path(work).chmod(0o755)
        prefix = programs.install(Path(work) / "programs")
        for kind in options.production or under_storm.PRODUCTIONS:
            lab = Lab(prefix, work, behind=kind == "docker", method=options.method)
            try:
                if options.load:
                    record = load.run(lab, kind, options.seconds)
                    text = load.describe(record)
                else:
                    record = under_storm.run(lab, kind, options.windows, certificates, tell=tell)
                    text = under_storm.describe(record)
            finally:
                lab.destroy()
            records.append(record)
            if not options.json:
                print(*text, "", sep="\n", flush=True)
    if options.json:
        print(json.dumps(records, indent=2))
    return 1 if any(record["wrong"] for record in records) else 0


if __name__ == "__main__":
    sys.exit(main())
