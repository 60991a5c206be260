# SPDX-License-Identifier: GPL-2.0-or-later
"""Where faults are struck: a lab, its production with visitors who stay, and no trace of wicket."""

import contextlib
import errno
import os
import signal
from pathlib import Path

from .. import network
from ..lab import HOST4, HOST6, Lab
from ..network import KeepAlive
from ..production import Production
from ..process import wait_for_end
from ..wicket import PREFIX, Wicket, answered_by, challenge_answered, new_challenge
from . import rows
from .moment import Moment
from .seam import Seam

PROGRAMS = ("wicket", "wicket-keeper", "wicket-ledger", "wicket-responder")
#: File systems of their own, small enough to be filled; the ledger is not to do that, see rows.py.
DISKS = {"/run/wicket": "64k", "/var/lib/wicket": "4m"}
#: For a process that is to end at once, on a busy machine: a keeper's end waits until the kernel has
#: let go of conntrack, whose locks are the same for all labs.
GONE_S = 5


class Violation(AssertionError):
    """A promise that was not kept."""


class Ground:
    """One lab for many faults. After each of them nothing is to differ from before the first."""

    def __init__(self, prefix, directory, kind, *, fenced=False):
        """`fenced`: the programs of `prefix` are as installed, without a seam."""
        self.lab = Lab(prefix, directory)
        self.host = self.lab.host
        for disk, size in DISKS.items():
            self.host.run("mkdir", "-p", disk)
            self.host.run("mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", disk)
        self.production = Production(self.lab, kind)
        self.seams = {
            name: Moment() if fenced else Seam(self.lab, name)
            for name in ("keeper", "responder", "hook")
        }
        self.wicket = Wicket(self.lab)
        self.on_element = None  # told what the kernel adds to the sets of the table
        self.host.start(
            "nft", "monitor", "new", "elements", on_line=self._element
        )
        self._stayers = [KeepAlive(self.lab.outside, address) for address in (HOST4, HOST6)]
        self.over = []  # challenges whose end has come
        self.fingerprint = self.production.fingerprint()
        self.renew()  # makes the directories that stay
        self._traces = self.traces()

    def _element(self, moment, text):
        if self.on_element:
            self.on_element(moment, text)

    def destroy(self, keep):
        for stayer in self._stayers:
            stayer.close()
        for seam in self.seams.values():
            seam.close()
        self.lab.destroy(keep)

    # --- what is there ---

    def running(self, *programs):
        """Who runs one of the programs, wicket's own if none is named."""
        wanted = {program.encode() for program in programs or PROGRAMS}
        return [
            pid
            for pid, command in self.host.processes().items()
            if command[0].rsplit(b"/", 1)[-1] in wanted
        ]

    def whereabouts(self):
        """Where in the kernel each of wicket's programs stands."""
        told = []
        for pid in self.running():
            for name in ("comm", "syscall", "stack"):
                with contextlib.suppress(OSError):
                    text = Path(f"/proc/{pid}/{name}").read_text().strip()
                    told.append(f"{pid} {name}: {text}")
        return "\n".join(told)

    def _files(self):
        for top in ("/run", "/var/lib", "/var/tmp"):
            root = self.host.path(top)
            for directory, names, files in os.walk(root):
                for name in names + files:
                    if name != "keeper.log" and not name.startswith("ledger.jsonl"):
                        yield f"{top}/{Path(directory, name).relative_to(root)}"

    def _mounts(self):
        """By number and device: their paths are those of the machine, where others are at work."""
        lines = Path(f"/proc/{self.host.init_pid}/mountinfo").read_text().splitlines()
        return [line.split()[:3] for line in lines]

    def traces(self):
        """Processes, rules, files, mounts; a namespace would have one of the first or the last."""
        return {
            "processes": self.host.processes(),
            "rules": self.host.run("nft", "list", "ruleset").stdout,
            "files": sorted(self._files()),
            "mounts": self._mounts(),
            "namespaces": sorted(
                os.readlink(f"/proc/{pid}/ns/{kind}")
                for pid in self.host.processes()
                for kind in ("net", "mnt", "pid", "user")
            ),
        }

    # --- what must be so ---

    def get(self, challenge, address, try_s=1):
        """What a validator gets."""
        return network.get(self.lab.outside, address, PREFIX + challenge[0], timeout=try_s)

    def is_redirected(self):
        """Whether the kernel has the lease."""
        listed = self.host.run("nft", "list", "set", "inet", "wicket", "ports", check=False)
        return "elements" in listed.stdout

    def assert_not_served(self, challenges):
        """Over no way: not from outside, not at the responder's own port."""
        for challenge in challenges:
            for address in (HOST4, HOST6):
                if challenge[1].encode() in self.get(challenge, address).body:
                    raise Violation(f"{challenge[0]} is served after its end")
            path = PREFIX + challenge[0]
            inside = network.get(self.host, "127.0.0.1", path, port=8402, timeout=0.5)
            if challenge[1].encode() in inside.body:
                raise Violation(f"{challenge[0]} is served after its end, at port 8402")

    def assert_undisturbed(self):
        """Those who were with production before are so still."""
        for stayer in self._stayers:
            if stayer.ask().server != "production":
                raise Violation("an old visitor lost production")

    def assert_no_rules(self):
        rules = self.host.run("nft", "list", "ruleset").stdout
        if rules:
            raise Violation(f"rules are left: {rules}")

    def assert_no_traces(self):
        now = self.traces()
        for what, before in self._traces.items():
            if now[what] != before:
                raise Violation(f"{what} are not as before: {before} now {now[what]}")

    def wait_gone(self, pids, timeout=GONE_S):
        for pid in pids:
            if not wait_for_end(pid, timeout):
                stays = f"process {pid} stays: {self.host.processes().get(pid)}"
                raise Violation(f"{stays}\n{self.whereabouts()}")

    def end_keepers(self):
        """Those that somebody started on demand: at once, without their drain."""
        for pid in self.running("wicket-keeper"):
            start = len(self.lab.journal.lines)
            os.kill(pid, signal.SIGTERM)
            self.lab.journal.lines.wait_for("shutting, then leaving", start)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            self.wait_gone([pid])
        self.wait_gone(self.running("wicket-ledger", "wicket-responder"))

    def sweep(self):
        """After a violation: ends whoever was not there before, in whatever state."""
        pids = [pid for pid in self.host.processes() if pid not in self._traces["processes"]]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.wait_gone(pids)
        self.renew()

    def renew(self):
        """A renewal as certbot does it, with a keeper on demand; the next one always works."""
        self.wicket.turn_away(rows.CONFIGURATION)
        challenge = new_challenge()
        auth = self.start_hook("auth", challenge)
        for address in (HOST4, HOST6):
            challenge_answered(self.lab, challenge, address, None)
        if auth.wait() != 0:
            raise Violation(f"the next renewal fails: {auth.output.text()}")
        self.assert_not_served(self.over)
        if self.wicket.hook("cleanup", challenge, domain="next.lab").returncode != 0:
            raise Violation("the next renewal is not cleaned up")
        for address in (HOST4, HOST6):
            answered_by(self.lab, "production", address, timeout=rows.MARGIN)
        self.over = [challenge]
        self.assert_not_served(self.over)
        self.end_keepers()

    def start_hook(self, what, challenge):
        token, key_authorization = challenge
        environment = {
            "CERTBOT_DOMAIN": "next.lab",
            "CERTBOT_TOKEN": token,
            "CERTBOT_VALIDATION": key_authorization,
            "CERTBOT_REMAINING_CHALLENGES": "0",
            "CERTBOT_ALL_DOMAINS": "next.lab",
        }
        command = self.wicket.command("hook", "certbot", what)
        return self.host.start(*command, name=f"hook {what}", environment=environment)

    # --- disks ---

    def fill(self):
        for disk in DISKS:
            with open(self.host.path(f"{disk}/filler"), "wb", buffering=0) as file:
                try:
                    while file.write(bytes(4096)):
                        pass
                except OSError as error:
                    assert error.errno == errno.ENOSPC

    def make_room(self):
        for disk in DISKS:
            self.host.path(f"{disk}/filler").unlink(missing_ok=True)
