# SPDX-License-Identifier: GPL-2.0-or-later
"""Several grounds at a time: most of a fault's time is waiting for a lease to end."""

import itertools
import multiprocessing
import signal
import sys
import tempfile
import time
import traceback
from multiprocessing.connection import wait
from pathlib import Path

from .. import programs
from . import plan, report, seam, trial
from .ground import Ground

PRODUCTIONS = ("apache", "nginx")
VIOLATIONS_MAX = 20


def _leave(*_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(1)


def _work(prefixes, directory, kind, pipe):
    """Strikes what comes through the pipe, until that ends; says what came of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the parent says what to do
    signal.signal(signal.SIGTERM, _leave)
    grounds = {}  # by whether the programs have fences
    try:
        while True:
            fault = pipe.recv()
            if fault is None:
                break
            fenced = fault.after is not None
            try:
                if fenced not in grounds:
                    grounds[fenced] = Ground(prefixes[fenced], directory, kind, fenced=fenced)
                pipe.send((fault, trial.run(grounds[fenced], fault), None))
            except Exception:  # whatever it is, it is reported with its fault
                pipe.send((fault, None, traceback.format_exc()))
                if fenced in grounds:
                    grounds.pop(fenced).destroy(keep=False)
        for ground in grounds.values():
            if ground.production.fingerprint() != ground.fingerprint:
                pipe.send((None, None, "production is not as it was"))
    finally:
        for ground in grounds.values():
            ground.destroy(keep=False)
        pipe.close()


def _describe(fault):
    if fault is None:
        return "of the whole run"
    modes = "passing" if fault.passes else "turning away"
    where = f"after {fault.skip} calls, {fault.strikes} x"
    if fault.after is not None:
        where = f"after {1000 * fault.after:.3f} ms, with fences"
    return f"{fault.kind.name} at {fault.step}, {where}, {modes}"


def _hand_out(pipes, faults, count, tell):
    """Until `count` faults were struck; (results, violations)."""
    results, violations = [], []
    for pipe in pipes:
        pipe.send(next(faults, None))
    idle = set()
    while len(idle) < len(pipes):
        for pipe in wait([pipe for pipe in pipes if pipe not in idle]):
            try:
                fault, result, text = pipe.recv()
            except EOFError:
                idle.add(pipe)
                continue
            if text:
                number = fault.number if fault else -1
                violations.append({"number": number, "fault": _describe(fault), "text": text})
            if result:
                results.append(result)
                tell(len(results), len(violations))
            enough = len(results) >= count or len(violations) >= VIOLATIONS_MAX
            if fault:
                pipe.send(None if enough else next(faults, None))
    return results, violations


def run(count, seed, jobs, *, only=None, tell=lambda *_: None):
    """The record of that many faults; `only`: the numbers of those of the plan that are struck."""
    programs.WORK.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-", dir=programs.WORK) as work:
        Path(work).chmod(0o755)
        prefixes = {
            False: seam.install(Path(work) / "programs"),
            True: programs.install(Path(work) / "programs-with-fences"),
        }
        counts = _rehearse(plan.rehearse, prefixes, work, fenced=False)
        seconds = _rehearse(plan.rehearse_in_time, prefixes, work, fenced=True)
        faults = plan.plan(counts, seconds, count, seed)
        if only:
            faults = (one for one in itertools.islice(faults, max(only) + 1) if one.number in only)
        results, violations = _in_parallel(prefixes, work, faults, count, jobs, tell)
    return report.summarize(seed, time.monotonic() - began, results, violations)


def _rehearse(what, prefixes, work, *, fenced):
    ground = Ground(prefixes[fenced], work, PRODUCTIONS[0], fenced=fenced)
    try:
        return what(ground)
    finally:
        ground.destroy(keep=False)


def _in_parallel(prefixes, work, faults, count, jobs, tell):
    context = multiprocessing.get_context("fork")
    workers, pipes = [], []
    try:
        for number in range(jobs):
            ours, theirs = context.Pipe()
            kind = PRODUCTIONS[number % len(PRODUCTIONS)]
            worker = context.Process(target=_work, args=(prefixes, work, kind, theirs), daemon=True)
            worker.start()
            theirs.close()
            workers.append(worker)
            pipes.append(ours)
        return _hand_out(pipes, faults, count, tell)
    finally:
        for pipe in pipes:
            pipe.close()
        for worker in workers:
            if worker.is_alive() and sys.exc_info()[0]:
                worker.terminate()
            worker.join()
