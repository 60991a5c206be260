# SPDX-License-Identifier: GPL-2.0-or-later
"""
Registers challenges with a running keeper, as users of the group that may: each may have a thousand,
so there are as many users as it takes.

    register.py GROUP FILE-OF-KEY-AUTHORIZATIONS
"""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from lab.control import Control

EACH = 1000
FIRST_USER = 20000
HERE = SimpleNamespace(path=Path)


def register(user, group, lines):
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
    control = Control(HERE)
    for line in lines:
        code, text = control.add(line, "benchmark")
        if code != 0:
            sys.exit(f"user {user}: {text}")
    control.close()


def main():
    group, lines = int(sys.argv[1]), Path(sys.argv[2]).read_text().splitlines()
    for number, first in enumerate(range(0, len(lines), EACH)):
        pid = os.fork()
        if pid == 0:
            register(FIRST_USER + number, group, lines[first : first + EACH])
            os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
