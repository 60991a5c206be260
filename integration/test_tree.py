# SPDX-License-Identifier: GPL-2.0-or-later
"""The source tree and its prose agree."""

import re
import subprocess

import pytest
from lab.programs import TOP

DOCUMENTS = ["README.md", "SECURITY.md", "PERFORMANCE.md"]
PROSE = [*DOCUMENTS, *(f"man/{path.name}" for path in sorted((TOP / "man").glob("*.scd")))]
# What looks like a path of this tree: its first part is a folder at the top.
FOLDERS = "include|src|etc|tests|integration|man|.ci"
PATH = re.compile(rf"(?<![\w/.$~-])(?:\./)?((?:{FOLDERS})/[\w./-]*[\w])")
LICENSE = "SPDX-License-Identifier: GPL-2.0-or-later"


def tracked():
    listing = subprocess.run(
        ["git", "-C", str(TOP), "-c", f"safe.directory={TOP}", "ls-files", "-z"],
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
    return [TOP / name for name in listing.decode().split("\0") if name]


@pytest.mark.parametrize("name", PROSE)
def test_paths_that_are_named_exist(name):
    text = (TOP / name).read_text()
    missing = [path for path in PATH.findall(text) if not (TOP / path).exists()]
    assert missing == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_exist(name):
    text = (TOP / name).read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert [link for link in links if not (TOP / link).exists()] == []


def test_the_readme_quotes_what_was_measured():
    page = (TOP / "PERFORMANCE.md").read_text().splitlines()
    quoted = [
        line
        for line in (TOP / "README.md").read_text().splitlines()
        if line.startswith(("| responder |", "| nginx-return |"))
    ]
    assert len(quoted) == 2
    assert set(quoted) <= set(page)


def test_the_readme_names_both_commands():
    text = (TOP / "README.md").read_text()
    assert "integration/demo" in text
    assert "integration/test-all" in text


def test_every_file_names_its_license():
    """In its first lines; data of tests and the like has no place for it."""
    without = []
    for path in tracked():
        if path.suffix not in (".c", ".h", ".py", ".sh") and path.name != "meson.build":
            continue
        head = path.read_bytes()[:200].decode("utf-8", "replace").splitlines()[:2]
        if not any(LICENSE in line for line in head):
            without.append(str(path.relative_to(TOP)))
    assert without == []


def test_every_command_is_in_the_man_page(wicket):
    page = (TOP / "man" / "wicket.1.scd").read_text()
    commands = re.findall(r"^  (\w+)", wicket.run("--help").stdout, re.MULTILINE)
    assert len(commands) >= 9
    assert [command for command in commands if command not in page] == []


def test_no_waiting_by_the_clock():
    """Where there is an event, nobody sleeps."""
    word = "sleep"
    users = []
    for path in tracked():
        if path.suffix not in (".c", ".py") or path.name == "test_tree.py":
            continue
        if re.search(rf"\b(nano|u)?{word}\s*\(", path.read_text("utf-8", "replace")):
            users.append(str(path.relative_to(TOP)))
    assert users == []
