# SPDX-License-Identifier: GPL-2.0-or-later
"""A program that runs in a lab host: its output as Lines, its end as an event."""

import os
import select
import signal
import subprocess

from .lines import Lines


def wait_for_end(pid, timeout):
    """Whether the process `pid`, anybody's child, ended in time. One that is gone has ended."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([pidfd], [], [], timeout)[0])
    finally:
        os.close(pidfd)


class Process:
    """Started by Host.start(). `pid` is as seen from outside the lab."""

    def __init__(self, name, popen, on_line=None):
        self.name = name
        self._popen = popen
        self.pid = popen.pid
        self.output = Lines(name, on_line)  # standard output and standard error
        self._reader = self.output.read_from(popen.stdout)

    @property
    def returncode(self):
        return self._popen.poll()

    def signal(self, number):
        self._popen.send_signal(number)

    def wait(self, timeout=30):
        """The exit status; -n when signal n ended it."""
        try:
            status = self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"{self.name} still runs after {timeout} s; it said:\n{self.output.text()}"
            ) from None
        return status

    def wait_output(self, timeout=30):
        """As wait(), and until everybody who holds the output has closed it."""
        status = self.wait(timeout)
        self._reader.join(timeout)
        assert not self._reader.is_alive(), f"the output of {self.name} is still held open"
        return status

    def stop(self, timeout=15):
        """Ends it with SIGTERM; SIGKILL when that does not help, which is an error."""
        if self.returncode is not None:
            return self.returncode
        self.signal(signal.SIGTERM)
        try:
            return self.wait(timeout)
        except AssertionError:
            self.signal(signal.SIGKILL)
            self._popen.wait()
            raise

    def freeze(self):
        """SIGSTOP, and until it stands still."""
        self.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)
