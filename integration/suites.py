# SPDX-License-Identifier: GPL-2.0-or-later
"""
Runs every suite, one after the other, and counts. Started by test-all.

A stage that cannot run counts as one failure, and so does a skipped test or a suite without any.
Names of stages as arguments run these only.
"""

import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
# A fuzzer's or a lab's output may be cut anywhere; ours is whole lines, in order.
sys.stdout.reconfigure(line_buffering=True)


@dataclass
class Count:
    passed: int = 0
    failed: int = 0

    def __add__(self, other):
        return Count(self.passed + other.passed, self.failed + other.failed)


def run(*command, **more):
    """Whether the command ended with 0. Its output goes where ours goes."""
    environment = {**os.environ, **more.pop("environment", {})}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    print("$", *command)
    return subprocess.run(command, cwd=TOP, env=environment, check=False, **more).returncode == 0


def one(ok):
    return Count(1, 0) if ok else Count(0, 1)


def build(name, *options, compiler="gcc"):
    """Configures build-NAME if it is not there, with options, and compiles."""
    directory = TOP / name
    if not (directory / "build.ninja").exists():
        shutil.rmtree(directory, ignore_errors=True)
        if not run("meson", "setup", *options, name, environment={"CC": compiler}):
            return False
    # Quiet: only warnings and errors are worth reading.
    return run("ninja", "-C", name, "--quiet")


def meson_test(name, *suites, wrapper=()):
    """Runs suites of a build directory and counts their results."""
    log = f"suites-{'-'.join(suites)}"
    results = TOP / name / "meson-logs" / f"{log}.json"
    results.unlink(missing_ok=True)
    selected = [part for suite in suites for part in ("--suite", suite)]
    ended_well = run(
        *("meson", "test", "-C", name, "--no-rebuild", "--print-errorlogs", "--logbase", log),
        *("--timeout-multiplier", "4", *wrapper, *selected),
    )
    if not results.exists():
        return Count(0, 1)
    entries = [json.loads(line) for line in results.read_text().splitlines()]
    passed = sum(entry["result"] == "OK" for entry in entries)
    failed = len(entries) - passed
    if not entries or (not ended_well and not failed):
        failed += 1
    return Count(passed, failed)


def units():
    """What setup has built."""
    return meson_test("build", "unit") + meson_test("build", "kernel")


def gcc_warnings():
    return one(build("build-gcc", "-Dwerror=true"))


def clang_warnings():
    return one(build("build-clang", "-Dwerror=true", compiler="clang"))


def sanitizers():
    if not build("build-sanitize", "-Db_sanitize=address,undefined"):
        return Count(0, 1)
    return meson_test("build-sanitize", "unit") + meson_test("build-sanitize", "kernel")


def without_sandbox():
    """That the option builds, and that such a build says so."""
    if not build("build-open", "-Dsandbox=false", "-Dwerror=true"):
        return Count(0, 1)
    return meson_test("build-open", "sandbox")


def fuzzers():
    options = ("-Dfuzzers=true", "-Dwerror=true", "-Db_sanitize=address,undefined")
    if not build("build-fuzz", *options, compiler="clang"):
        return Count(0, 1)
    return meson_test("build-fuzz", "fuzz")


def sources(*suffixes, folders=("include", "src", "tests", "integration")):
    return [
        str(path.relative_to(TOP))
        for folder in folders
        for path in sorted((TOP / folder).rglob("*"))
        if path.suffix in suffixes
    ]


def source_format():
    return one(run("clang-format", "--dry-run", "--Werror", *sources(".c", ".h")))


def cppcheck():
    if not build("build-clang", "-Dwerror=true", compiler="clang"):
        return Count(0, 1)
    return one(
        run(
            *("cppcheck", "--project=build-clang/compile_commands.json", "--quiet", "-j2"),
            *("--enable=warning,performance,portability", "--inline-suppr"),
            *("--error-exitcode=1", "--suppress=missingIncludeSystem"),
            # It loses its way in uthash's macros; the compilers look for the same.
            "--suppress=uninitvar",
        )
    )


def clang_tidy():
    if not build("build-clang", "-Dwerror=true", compiler="clang"):
        return Count(0, 1)

    def check(name):
        return subprocess.run(
            ["clang-tidy", "--quiet", "-p", "build-clang", name],
            cwd=TOP,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    clean = True
    names = sources(".c", folders=["src"])
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, result in zip(names, pool.map(check, names)):
            if result.returncode != 0:
                clean = False
                print(name, result.stdout, result.stderr, sep="\n")
    return one(clean)


# Files of the lab that want the machine for themselves: loads, floods and an emulator beside which
# nobody keeps time, a systemd whose groups belong to the whole machine, and who looks at all of it.
ALONE = (
    *("test_lab", "test_systemd", "test_sandbox", "test_ledger", "test_oldkernel"),
    *("test_benchmark", "test_faults", "test_strangers", "test_pass_storm", "test_tproxy"),
)
# Those that take longest, so that they do not begin last.
LONG = ("test_clients", "test_firewalls", "test_check", "test_pass", "test_hooks")
# What is done once more by programs with sanitizers: every message, every way in and out.
SANITIZED = (
    *("test_access", "test_admission", "test_conformance", "test_failures", "test_hooks"),
    *("test_pass", "test_sources", "test_status", "test_webroot"),
)


def results_of(path, ended_well):
    """Counts what pytest has written down. A skip has failed too: it cannot be tested here."""
    passed = failed = 0
    if path.exists():
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            if any(case.find(kind) is not None for kind in ("failure", "error", "skipped")):
                failed += 1
            else:
                passed += 1
    if not passed + failed or (not ended_well and not failed):
        failed += 1
    return Count(passed, failed)


def lab_file(name, build_name, **more):
    results = TOP / "build" / "lab" / f"results-{build_name}-{name}.xml"
    results.parent.mkdir(exist_ok=True)
    results.unlink(missing_ok=True)
    command = ("/usr/bin/python3", "-B", "-m", "pytest", f"integration/{name}.py")
    environment = {"WICKET_BUILD": str(TOP / build_name)}
    arguments = ("--durations=5", f"--junitxml={results}")
    return results, run(*command, *arguments, environment=environment, **more)


def lab_file_beside(name, build_name):
    """One of several at a time: its output in one piece, once it is done."""
    with tempfile.TemporaryFile() as output:
        began = time.monotonic()
        results, ended_well = lab_file(name, build_name, stdout=output, stderr=subprocess.STDOUT)
        output.seek(0)
        text = output.read().decode(errors="replace")
    print(f"{text}{name}: {time.monotonic() - began:.0f} s", flush=True)
    return results_of(results, ended_well)


def lab_files_beside(names, build_name):
    """Most tests wait, for a CA, a lease, a deadline: two files at a time."""
    in_order = sorted(names, key=lambda name: (name not in LONG, name))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        counts = pool.map(lambda name: lab_file_beside(name, build_name), in_order)
        return sum(counts, Count())


def lab():
    """The loud ones alone."""
    names = {path.stem for path in (TOP / "integration").glob("test_*.py")}
    missing = {*ALONE, *LONG, *SANITIZED} - names
    if missing:
        print(f"no such file of the lab: {', '.join(sorted(missing))}")
        return Count(0, 1)
    total = lab_files_beside(names - {*ALONE}, "build")
    for name in ALONE:
        began = time.monotonic()
        total += results_of(*lab_file(name, "build"))
        print(f"{name}: {time.monotonic() - began:.0f} s")
    return total


def lab_sanitized():
    """The same programs with sanitizers; a lab says what these have found when it ends."""
    if not build("build-sanitize", "-Db_sanitize=address,undefined"):
        return Count(0, 1)
    return lab_files_beside(SANITIZED, "build-sanitize")


STAGES = {
    "units": units,
    "gcc": gcc_warnings,
    "sanitizers": sanitizers,
    "clang": clang_warnings,
    "open": without_sandbox,
    "fuzzers": fuzzers,
    "format": source_format,
    "cppcheck": cppcheck,
    "tidy": clang_tidy,
    "lab": lab,
    "lab-sanitized": lab_sanitized,
}


def main(names):
    # A job in the background of a script ignores these, and so would everything that it starts.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    unknown = set(names) - set(STAGES)
    if unknown:
        sys.exit(f"no such stage: {', '.join(sorted(unknown))}; there are {', '.join(STAGES)}")
    total = Count()
    summary = []
    for name in names or STAGES:
        print(f"\n== {name}")
        began = time.monotonic()
        try:
            count = STAGES[name]()
        except (OSError, ValueError, KeyError, ElementTree.ParseError) as error:
            print(f"{name} could not run: {error}")
            count = Count(0, 1)
        total += count
        took = time.monotonic() - began
        summary.append(f"{name:<14}{count.passed:>5} passed{count.failed:>5} failed{took:>8.1f} s")
    print()
    print(*summary, sep="\n")
    print(f"\n{total.passed} passed, {total.failed} failed")
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
