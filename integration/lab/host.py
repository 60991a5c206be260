# SPDX-License-Identifier: GPL-2.0-or-later
"""One host of the lab: network, mount and pid namespaces that live and die together."""

import contextlib
import ctypes
import os
import subprocess
from pathlib import Path

from . import proc
from .process import Process

CLONE_NEWNET = 0x40000000
CLONE_NEWPID = 0x20000000

_libc = ctypes.CDLL(None, use_errno=True)

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _setns(descriptor, kind):
    if _libc.setns(descriptor, kind) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"setns: {os.strerror(code)}")


@contextlib.contextmanager
def _entered(descriptor, own, kind):
    """This thread in another namespace of one kind. Start no thread meanwhile."""
    home = os.open(f"/proc/thread-self/ns/{own}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(descriptor, kind)
        try:
            yield
        finally:
            _setns(home, kind)
    finally:
        os.close(home)


class Host:
    """
    The programs of a host are children of this process, but in the host's namespaces; what they
    leave behind belongs to the host's first process. That one ends when this process closes its
    standard input or dies, however it dies, and with it everything in the host.
    """

    def __init__(self, name, directory, etc, programs):
        self.name = name
        self._init = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--"]
            + ["unshare", "--net", "--mount", "--pid", "--ipc", "--uts", "--fork"]
            + ["--kill-child=KILL", "--mount-proc", "--"]
            + [str(Path(__file__).with_name("host-init")), str(directory), str(etc), str(programs)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PATH": PATH},
        )
        if self._init.stdout.readline() != b"ready\n":
            raise RuntimeError(f"the lab's host {name} did not come up")
        children = f"/proc/{self._init.pid}/task/{self._init.pid}/children"
        self.init_pid = int(Path(children).read_text().split()[0])
        self._namespaces = {
            kind: os.open(f"/proc/{self.init_pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
            for kind in ("net", "pid")
        }
        self.network_inode = os.fstat(self._namespaces["net"]).st_ino
        self._children = []
        self._started = []

    def destroy(self):
        """Ends everything in the host, and returns when it is gone."""
        if self._init.stdin.closed:
            return
        self._init.stdin.close()
        # The first process ends only after its whole namespace was reaped, our children by us.
        for popen in self._children:
            popen.wait()
        self._init.wait()
        self._init.stdout.close()
        for process in self._started:
            process.wait_output()
        for descriptor in self._namespaces.values():
            os.close(descriptor)

    def outputs(self):
        """What everything that was started here has said."""
        return [process.output.text() for process in self._started]

    def path(self, inside):
        """Where this process finds what the host calls `inside`."""
        return Path(f"/proc/{self.init_pid}/root{inside}")

    def network(self):
        """A context in which this thread makes the host's sockets. Start no thread in it."""
        return _entered(self._namespaces["net"], "net", CLONE_NEWNET)

    def _command(self, arguments, prefix):
        # By path, so that no program inherits a namespace.
        into = [
            f"--{option}=/proc/{self.init_pid}/ns/{kind}"
            for option, kind in (("net", "net"), ("ipc", "ipc"), ("uts", "uts"), ("mount", "mnt"))
        ]
        return ["nsenter", *into, "--", *prefix, *map(str, arguments)]

    def popen(self, arguments, *, environment=None, prefix=(), **more):
        """subprocess.Popen in this host. `prefix`: a command that executes the rest, as setpriv."""
        with _entered(self._namespaces["pid"], "pid_for_children", CLONE_NEWPID):
            popen = subprocess.Popen(
                self._command(arguments, prefix),
                env={"PATH": PATH, "HOME": "/mnt", "LANG": "C.UTF-8", **(environment or {})},
                **more,
            )
        self._children = [child for child in self._children if child.poll() is None] + [popen]
        return popen

    def start(self, *arguments, name=None, on_line=None, **more):
        """Starts a program that goes on beside the test. Its output is read from the start."""
        popen = self.popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="backslashreplace",
            **more,
        )
        process = Process(name or str(arguments[0]), popen, on_line)
        self._started.append(process)
        return process

    def run(self, *arguments, check=True, timeout=60, stdin="", **more):
        """Runs a program to its end, and until its output is closed by all who hold it."""
        popen = self.popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="backslashreplace",
            **more,
        )
        try:
            out, err = popen.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            popen.kill()
            out, err = popen.communicate()
            raise AssertionError(
                f"{arguments} not done after {timeout} s\nstdout: {out}\nstderr: {err}"
            ) from None
        result = subprocess.CompletedProcess(arguments, popen.returncode, out, err)
        if check and result.returncode != 0:
            raise AssertionError(
                f"{arguments}: exit status {result.returncode}\nstdout: {out}\nstderr: {err}"
            )
        return result

    def ip(self, *lines):
        """Commands for ip(8), one a string, in one batch."""
        self.run("ip", "-batch", "-", stdin="\n".join(lines) + "\n")

    def nft(self, text):
        """Loads rules for nft(8)."""
        self.run("nft", "-f", "-", stdin=text)

    def sysctl(self, name, value):
        """As sysctl(8), the name with slashes."""
        self.run("sh", "-c", f"echo {value} >/proc/sys/{name}")

    def processes(self):
        """The host's processes but for its first, by pid as seen from outside: command lines."""
        found = proc.processes(os.fstat(self._namespaces["pid"]).st_ino)
        found.pop(self.init_pid, None)
        return found

    def pids_of(self, program):
        """Who runs the program of this name."""
        wanted = program.encode()
        return [
            pid
            for pid, command in self.processes().items()
            if command[0].rsplit(b"/", 1)[-1] == wanted
        ]
