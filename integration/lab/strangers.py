# SPDX-License-Identifier: GPL-2.0-or-later
"""
Strangers who mean harm (strangers.c) while a window is open, and a validator who must not notice:
twice a second, over each family, it asks for the token and has a second for the answer.
"""

import json
import os
import re
import shutil
import threading
import time
from pathlib import Path
from typing import NamedTuple

from . import network, programs
from .lab import HOST4, HOST6, OUTSIDE4, OUTSIDE6, VALIDATORS4, VALIDATORS6
from .production import Production
from .wicket import PREFIX, Wicket

MODES = ("not-found", "pass")
ADDRESSES = 100  # of each family; those of IPv6 each in a /64 of its own


class Kind(NamedTuple):
    """So many at once, and so many a second at most, both families together."""

    parallel: int
    rate: int


# The floods are such that a minute's connections have room in the host's connection tracking, of
# 262,144 entries on most hosts: when that is nearly full the window is given up, whoever it is.
KINDS = {
    "slow": Kind(3000, 2000),
    "idle": Kind(4000, 2000),
    "fresh": Kind(256, 2000),
    "unknown": Kind(256, 2000),
    "malformed": Kind(256, 2000),
    "reset": Kind(256, 2000),
}
SAID = {
    "slow": "slow headers, a byte a second",
    "idle": "idle connections",
    "fresh": "flood of pages",
    "unknown": "flood of unknown tokens",
    "malformed": "flood of malformed requests",
    "reset": "flood of resets",
}
EVERY_S = 0.5
ANSWER_S = 1.0
SAMPLE_S = 0.1
# A leak of a kilobyte a connection would break these in a minute; the first is of one program at any
# time, the second what it may have gained when all is over.
MEMORY_KB = 65536
GAINED_KB = 8192
SETTLE_S = 20
TICKS = os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    private_kb: int  # Private_Dirty
    pss_kb: int
    descriptors: int
    cpu_s: float


def usage(pid):
    """What a process has at this moment."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    sizes = {name: int(kb) for name, kb in re.findall(r"^(\w+): +(\d+) kB$", rollup, re.MULTILINE)}
    stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return Usage(
        sizes["Private_Dirty"],
        sizes["Pss"],
        len(os.listdir(f"/proc/{pid}/fd")),
        (int(stat[11]) + int(stat[12])) / TICKS,
    )


class Background:
    """Does something again and again from start to stop, in a thread."""

    def __init__(self, interval):
        self._interval = interval
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._go, daemon=True)

    def _go(self):
        due = time.monotonic()
        while not self._done.is_set():
            self.once()
            due += self._interval
            self._done.wait(max(0, due - time.monotonic()))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join(30)


class Validator(Background):
    """Asks for the token, over a connection of its own each time."""

    def __init__(self, lab, route, challenge):
        super().__init__(EVERY_S)
        self._lab = lab
        self._source, self._address = route
        self._token, self._key_authorization = challenge
        self.answers = 0
        self.slowest_s = 0
        self.wrong = []

    def once(self):
        began = time.monotonic()
        answer = network.get(
            self._lab.outside, self._address, PREFIX + self._token, source=self._source
        )
        took = time.monotonic() - began
        self.slowest_s = max(self.slowest_s, took)
        if (answer.status, answer.body) != (200, self._key_authorization.encode()):
            self.wrong.append(f"the validator {self._source} got {answer} after {took:.3f} s")
        elif took > ANSWER_S:
            self.wrong.append(f"the validator {self._source} waited {took:.3f} s")
        else:
            self.answers += 1


class Watch(Background):
    """The most that a process has had."""

    def __init__(self, pid):
        super().__init__(SAMPLE_S)
        self.pid = pid
        self.start = self.peak = usage(pid)
        self.gone = False

    def once(self):
        try:
            self.peak = Usage(*map(max, self.peak, usage(self.pid)))
        except (FileNotFoundError, ProcessLookupError):
            self.gone = True

    def settle(self, deadline):
        """Until it is as it was at the start, or the time has come. What it has then."""
        pause = threading.Event()
        while True:
            now = usage(self.pid)
            if self.is_settled(now) or time.monotonic() > deadline:
                return now
            pause.wait(SAMPLE_S)

    def is_settled(self, now):
        return (
            now.descriptors <= self.start.descriptors
            and now.private_kb <= self.start.private_kb + GAINED_KB
        )

    def record(self, now):
        return {
            "start_kb": self.start.private_kb,
            "peak_kb": self.peak.private_kb,
            "peak_pss_kb": self.peak.pss_kb,
            "end_kb": now.private_kb,
            "peak_descriptors": self.peak.descriptors,
            "start_descriptors": self.start.descriptors,
            "end_descriptors": now.descriptors,
            "cpu_s": round(now.cpu_s - self.start.cpu_s, 2),
        }

    def wrong(self, name, now):
        if self.peak.private_kb > MEMORY_KB:
            yield f"the {name} had {self.peak.private_kb} kB"
        if not self.is_settled(now):
            yield f"the {name} has {now} in the end, {self.start} at the start"


class Crowd:
    """strangers.c over both families at once, from ADDRESSES of each."""

    def __init__(self, lab):
        self._lab = lab
        shutil.copy(programs.build_directory() / "integration" / "strangers", lab.directory)
        numbers = range(1, ADDRESSES + 1)
        self._routes = {
            HOST4: [f"10.98.0.{n}" for n in numbers],
            HOST6: [f"fd99:0:1:{n:x}::1" for n in numbers],
        }
        lab.outside.ip(
            *[f"addr add {source}/32 dev wire" for source in self._routes[HOST4]],
            *[f"addr add {source}/128 dev wire nodad" for source in self._routes[HOST6]],
        )
        lab.host.ip(f"route add 10.98.0.0/16 via {OUTSIDE4}")
        lab.host.ip(f"route add fd99:0:1::/48 via {OUTSIDE6}")

    def run(self, name, kind, seconds):
        """What became of them, both families together."""
        running = [
            # On other machines they would take no time of this host's.
            self._lab.outside.start(
                *("/mnt/strangers", name, seconds, kind.parallel // 2, kind.rate // 2),
                *(target, *sources),
                name="strangers",
                prefix=("nice", "-n", "10"),
            )
            for target, sources in self._routes.items()
        ]
        total = {}
        for process in running:
            assert process.wait_output(seconds + 60) == 0, process.output.text()
            for key, count in json.loads(process.output.text()).items():
                total[key] = total.get(key, 0) + count
        return total


def enough(name, kind, seconds, came):
    """What is wrong with the strangers themselves: a test with too few of them shows nothing."""
    if came["no_port"] > 0:
        yield f"{came['no_port']} strangers found no port"
    if name in ("slow", "idle"):
        # They come over some seconds; who comes last pushes out the first.
        if came["connected"] < min(kind.parallel, kind.rate * seconds) * 0.9:
            yield f"only {came['connected']} strangers came"
    elif came["connected"] < 100 * seconds:
        yield f"only {came['connected']} strangers came"


def run(lab, mode, name, seconds):
    """One kind of strangers for so many seconds, in a window. A record, whose "wrong" is empty if all is well."""
    kind = KINDS[name]
    production = Production(lab, "nginx")
    crowd = Crowd(lab)
    wicket = Wicket(lab)
    wicket.configure(f"other_requests: {mode}\nwindow:\n  token_lifetime: 1h\n")
    challenge = wicket.add()
    routes = [(VALIDATORS4[0], HOST4), (VALIDATORS6[0], HOST6)]
    validators = [Validator(lab, route, challenge) for route in routes]
    for validator in validators:
        validator.once()  # so that nothing is done for the first time later
    keeper_pid, responder_pid = wicket.keepers()[0], wicket.responder()
    log_start = len(lab.journal.lines)
    keeper, responder = Watch(keeper_pid), Watch(responder_pid)
    with keeper, responder, validators[0], validators[1]:
        came = crowd.run(name, kind, seconds)
    wrong = [line for validator in validators for line in validator.wrong]
    wrong += enough(name, kind, seconds, came)
    log = lab.journal.lines.entries(log_start)
    wrong += [text for _, text in log if "is back with production" in text]
    record = {
        "mode": mode,
        "stranger": name,
        "seconds": seconds,
        "came": came,
        "validator_answers": sum(validator.answers for validator in validators),
        "validator_slowest_s": max(validator.slowest_s for validator in validators),
        "log_lines": len(log),
    }
    if record["validator_answers"] < 2 * seconds / EVERY_S * 0.9:
        wrong.append(f"the validator got {record['validator_answers']} answers only")
    if keeper.gone or responder.gone or wicket.responder() != responder_pid:
        wrong.append("the keeper or the responder is not what it was at the start")
    else:
        deadline = time.monotonic() + SETTLE_S
        for who, watch in (("keeper", keeper), ("responder", responder)):
            now = watch.settle(deadline)
            record[who] = watch.record(now)
            wrong += watch.wrong(who, now)
    record["counters"] = wicket.status()["counters"]
    if mode == "pass" and name in ("fresh", "malformed", "unknown"):
        if record["counters"].get("passed", 0) < came["answered"]:
            wrong.append("fewer were passed than got an answer")
    wicket.run("remove", challenge[0])
    record["wrong"] = wrong
    return record


HEAD = (
    f"{'strangers':<40}{'connections':>12}{'at once':>9}{'answered':>10}"
    f"{'validator':>11}{'slowest':>9}{'responder: peak, CPU':>26}{'keeper: peak, CPU':>26}{'log':>6}"
)


def describe(record):
    """A line of the table, and one for each thing that was wrong."""
    came = record["came"]
    cells = ""
    for who in ("responder", "keeper"):
        one = record.get(who)
        cells += (
            f"{one['peak_kb'] / 1024:>7.1f} MiB{one['peak_descriptors']:>6} fd"
            f"{one['cpu_s']:>6.1f}s"
            if one
            else f"{'gone':>26}"
        )
    return [
        f"{record['mode'] + ': ' + SAID[record['stranger']]:<40}{came['connected']:>12}"
        f"{came['at_once']:>9}{came['answered']:>10}{record['validator_answers']:>11}"
        f"{record['validator_slowest_s'] * 1000:>6.0f} ms{cells}{record['log_lines']:>6}",
        *[f"  WRONG {line}" for line in record["wrong"][:20]],
    ]
