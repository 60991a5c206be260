# SPDX-License-Identifier: GPL-2.0-or-later
"""Ours, as contenders for an answer: the responder alone, and through a window."""

import contextlib
import os
import signal
from pathlib import Path

from lab.lab import ACCOUNT_UID
from lab.process import wait_for_end
from lab.wicket import Wicket

from .challenges import Challenges
from .rivals import INSIDE, Answerer


PROGRAMS = ["wicket-responder", "wicket-keeper", "wicket-ledger"]


def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


class Alone(Answerer):
    """
    The way a rival is asked: at its own port, with nothing in between. Without a keeper, since the
    keeper's table would bring connection tracking to the host, for all of its connections.
    """

    name = "responder"
    describe = "ours, at its own port, with no window: what the rivals are compared with"
    port = 8402

    def pids(self):
        return self.lab.host.pids_of("wicket-responder")

    def _prepare(self, setting):
        stand_in = ("/usr/bin/python3", "-B", INSIDE / "stand_in.py")
        return [*stand_in, self.port, self.cores.servers, self._write_list()]

    def _wait_ready(self):
        self._process.output.wait_for("^ready$", timeout=60)


class Window(Answerer):
    """As a validator comes: to port 80, redirected there, with connection tracking."""

    name = "window"
    describe = "ours, at port 80, through a window with all that belongs to it"
    port = 80
    passes = True
    configuration = "window:\n  token_lifetime: 1h\n"
    _keeper = None

    def pids(self):
        """All of them, the writer of the ledger too."""
        return [pid for program in PROGRAMS for pid in self.lab.host.pids_of(program)]

    def _start(self, setting):
        self.challenges = Challenges(setting.tokens)
        self.serve()
        self.register()

    def serve(self):
        """A keeper, and no window."""
        self.wicket = Wicket(self.lab)
        self.wicket.configure(self.configuration)
        self._keeper = self.wicket.serve(prefix=self.cores.prefix)

    def register(self):
        """All challenges, which opens the window. One user may have no more than a thousand."""
        self.lab.host.run(
            *("/usr/bin/python3", "-B", INSIDE / "register.py", ACCOUNT_UID, self._write_list()),
            timeout=300,
        )

    def begin(self, setting):
        """With nothing running: `wicket` starts the keeper."""
        self.challenges = Challenges(setting.tokens)
        self.wicket = Wicket(self.lab)
        self.wicket.configure(self.configuration)
        command = self.wicket.command("add", self.challenges.body.decode())
        self._process = self.lab.host.start(*command, prefix=self.cores.prefix)

    def stop_on_demand(self):
        """The keeper that the command has started; it is nobody's child here."""
        if self._process:
            self._process.wait()
            self._process = None
        keepers = self.wicket.keepers()
        for pid in keepers:
            if parent(pid) in keepers:
                continue  # the one that starts responders for it, and ends with it
            # Its first signal has it drain, the second one not wait for that. They may be one.
            while not wait_for_end(pid, 0.05):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
        self.wicket.wait_gone()
        self.lab.host.run("conntrack", "--flush")

    def said(self):
        return " ".join(self._keeper.output.text().split()) if self._keeper else "nothing"

    def stop(self):
        if self._process:
            self.stop_on_demand()
        if self._keeper:
            self.wicket.leave(self._keeper)
            self._keeper = None
            # The next window begins as the first one did.
            self.lab.host.run("conntrack", "--flush")


class Transparent(Window):
    name = "window-tproxy"
    passes = False
    describe = "ours, through a window of `redirect.method: tproxy`, nobody passed: nothing tracked"
    configuration = (
        f"{Window.configuration}redirect:\n  method: tproxy\nother_requests: not-found\n"
        # Strangers who are not passed on stay no longer than that.
        "responder:\n  deadline: 1m\n"
    )


OURS = [Alone, Window, Transparent]
