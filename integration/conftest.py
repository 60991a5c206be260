# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures: the programs, laid out as installed, and a lab of its own for each test."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from lab import programs
from lab.certbot import Certbot
from lab.lab import Lab
from lab.production import Production
from lab.wicket import Wicket

FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        item.stash[FAILED] = True
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, and what cannot be tested here has failed: {report.longrepr}"


@pytest.fixture(scope="session", autouse=True)
def root():
    if os.geteuid() != 0:
        pytest.exit("the lab needs root: network namespaces, mounts", returncode=77)


@pytest.fixture(scope="session")
def work():
    """Where labs keep their files. Empty again at the end, but for those of failed tests."""
    programs.WORK.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="session-", dir=programs.WORK) as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture(scope="session")
def installed(work):
    """The prefix of the installed programs."""
    try:
        return programs.install(work / "programs")
    except subprocess.CalledProcessError as error:
        pytest.exit(f"there is no finished build to test: {error}", returncode=1)


@pytest.fixture
def method():
    """How the wicket of every lab redirects; see lab/methods.py for the other."""
    return "redirect"


@pytest.fixture
def make_lab(request, work, installed, method):
    """Makes labs that end with the test. A failed test keeps their files, and says where."""
    labs = []

    def make(**options):
        lab = Lab(installed, work, method=method, **options)
        labs.append(lab)
        return lab

    yield make
    failed = FAILED in request.node.stash
    for lab in labs:
        if not lab.hosts:
            continue  # the test itself has ended it
        journal = lab.journal.lines.text() if lab.journal else ""
        lab.destroy(keep=failed)
        if failed:
            kept = programs.WORK / f"failed-{request.node.name}-{lab.directory.name}"
            lab.directory.rename(kept)
            print(f"files of the lab: {kept}\nits syslog:\n{journal}")


@pytest.fixture
def lab(make_lab):
    return make_lab()


@pytest.fixture
def production(lab):
    return Production(lab, "apache")


@pytest.fixture
def wicket(lab):
    return Wicket(lab)


@pytest.fixture
def certbot(lab):
    return Certbot(lab)


@pytest.fixture
def tell(capsys):
    """Prints past pytest's capture: measured times are worth seeing in any run."""

    def say(text):
        with capsys.disabled():
            print(f"\n    {text}", flush=True)

    return say
