#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
check_version.py true|false PROGRAM...: whether each --version shouts, in a second line, that the
program was built without its sandbox; and does not where it was built with it (true).
"""

import subprocess
import sys
from pathlib import Path

SHOUT = "BUILT WITHOUT SANDBOX: FOR DEBUGGING ONLY"


def main(sandbox, *programs):
    wrong = 0
    for program in programs:
        text = subprocess.run(
            [program, "--version"], check=True, stdout=subprocess.PIPE, text=True
        ).stdout
        first, *others = text.splitlines()
        good = first.startswith(f"{Path(program).name} ")
        good = good and others == ([] if sandbox == "true" else [SHOUT])
        if not good:
            wrong += 1
            print(f"{program} --version says:\n{text}")
    return wrong


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
