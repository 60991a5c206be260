# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs under test, as `meson install` lays them out."""

import json
import os
import shutil
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
# Where labs keep their files while they last: in a build directory, which git ignores.
WORK = TOP / "build" / "lab"


def build_directory():
    """The build to test; WICKET_BUILD names another than build/."""
    return Path(os.environ.get("WICKET_BUILD", TOP / "build")).resolve()


def build_without_sandbox():
    """A build of programs without fences, made if it is not there; see suites.py."""
    build = TOP / "build-open"
    if not (build / "build.ninja").exists():
        shutil.rmtree(build, ignore_errors=True)
        command = ["meson", "setup", "-Dsandbox=false", "-Dwerror=true", build.name]
        subprocess.run(command, cwd=TOP, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", build.name, "--quiet"], cwd=TOP, check=True)
    return build


def install(destination, build=None):
    """Installs below `destination`, anew, and returns the prefix there, for Lab()."""
    shutil.rmtree(destination, ignore_errors=True)
    build = build or build_directory()
    subprocess.run(
        ["meson", "install", "-C", str(build), "--no-rebuild", "--quiet"]
        + ["--destdir", str(destination)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    options = json.loads((build / "meson-info" / "intro-buildoptions.json").read_text())
    prefix = next(option["value"] for option in options if option["name"] == "prefix")
    if prefix != "/usr/local":
        raise RuntimeError(f"{build}: the lab needs a build with the prefix /usr/local")
    return destination / prefix.lstrip("/")
