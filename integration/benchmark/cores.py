# SPDX-License-Identifier: GPL-2.0-or-later
"""Who runs on which core, and how long it has run there."""

import os
import threading
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


class Cores:
    """
    The servers (production and what is in front of it) share the first core that this process may
    use, the visitors have the last one. With one core, everybody has that.
    """

    def __init__(self):
        allowed = sorted(os.sched_getaffinity(0))
        self.servers, self.visitors = allowed[0], allowed[-1]
        self.separate = self.servers != self.visitors
        # Of a command that is to run with the servers.
        self.prefix = ("taskset", "--cpu-list", str(self.servers))

    def take_visitors(self):
        """This process, and what it starts without the prefix. Before there are threads."""
        os.sched_setaffinity(0, {self.visitors})


def cpu_seconds(pids):
    """
    utime and stime of all threads of these processes. What the kernel does for a packet that one
    of them sends is in it, up to the queue of the socket at the other end.
    """
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def core_seconds(core):
    """
    How long a core was in use: by processes, and by the kernel for packets that came while none
    ran, which is nobody's time above. A server that is done sooner has more of that.
    """
    (line,) = (
        line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(f"cpu{core} ")
    )
    user, nice, system, _, _, irq, softirq, *_ = (int(field) for field in line.split()[1:])
    return (user + nice + system + irq + softirq) / TICKS


def busy_by_others(seconds=0.25):
    """
    Which part of the machine's cores is in use, or not to be had, while nothing is measured: by
    what has no part in the benchmark. Whoever reads its numbers should know.
    """

    def spent():
        # user nice system idle iowait irq softirq steal; what follows is in these already
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
        ticks = [int(field) for field in fields]
        return sum(ticks), ticks[3] + ticks[4]

    before = spent()
    threading.Event().wait(seconds)  # a span that is measured has to pass
    total, idle = (b - a for a, b in zip(before, spent()))
    return 1 - idle / total if total else 0.0
