# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab itself: nothing of it outlives it, however it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from lab import network
from lab.lab import HOST4, Lab
from lab.process import wait_for_end
from lab.production import Production

CHILD = """
import signal, sys
sys.path.insert(0, {path!r})
from pathlib import Path
from lab.lab import Lab
from lab.production import Production
lab = Lab(Path({programs!r}), {directory!r})
Production(lab)
print(*[host.init_pid for host in lab.hosts], *lab.host.processes(), flush=True)
signal.pause()
"""


def namespaces():
    """The network namespaces that some process of the machine lives in."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found.add(os.stat(entry / "ns/net").st_ino)
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
    return found


def test_nothing_outlives_a_lab(work, installed):
    lab = Lab(installed, work)
    Production(lab)
    lab.ca.set_name("a.lab", [HOST4])
    inodes = {host.network_inode for host in lab.hosts}
    directory = lab.directory
    assert inodes <= namespaces()
    lab.destroy()
    assert not inodes & namespaces()
    assert not directory.exists()


def test_nothing_outlives_a_killed_test(work, installed):
    """The hosts end with the process that made them, also by SIGKILL."""
    path = str(Path(__file__).parent)
    code = CHILD.format(path=path, programs=str(installed), directory=str(work))
    child = subprocess.Popen(
        [sys.executable, "-B", "-c", code], stdout=subprocess.PIPE, text=True
    )
    pids = [int(pid) for pid in child.stdout.readline().split()]
    assert len(pids) > 3
    descriptors = [os.pidfd_open(pid) for pid in pids]
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    for pid, descriptor in zip(pids, descriptors):
        os.close(descriptor)
        assert wait_for_end(pid, 10), f"process {pid} goes on"


def test_the_machine_is_not_touched(lab, production, wicket):
    """What wicket does in a lab host is not seen outside."""
    token, _ = wicket.add()
    inside = lab.host.path("/run/wicket/control.sock")
    assert inside.exists()
    outside = Path("/run/wicket/control.sock")
    assert not (outside.exists() and outside.stat().st_ino == inside.stat().st_ino)
    assert network.get(lab.host, "127.0.0.1").server == "production"
    wicket.run("remove", token)
