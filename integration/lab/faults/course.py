# SPDX-License-Identifier: GPL-2.0-or-later
"""One renewal, step by step, with a fault that is struck in one of them."""

import contextlib
import itertools
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass

from ..lab import HOST4, HOST6
from ..process import Process
from ..wicket import CONFIG, new_challenge
from . import acts, rows
from .crowd import Crowd
from .events import Events
from .ground import Violation
from .logfile import LogFile
from .kinds import STEPS
from .seam import ANNOUNCEMENT, KILL
from .visitor import Download, Visitor

KEEPER = "/usr/local/libexec/wicket-keeper"
PATIENCE_S = 30  # for what has deadlines of its own, which are shorter
PACE_S = 0.002
#: Acts that need not wait for the renewal's own thread.
SIGNALS = {"kill_target": signal.SIGKILL, "stop_target": signal.SIGSTOP}

#: An ACME client, as its hooks see it. It goes on when a line is read.
CLIENT = """\
hook() { $SEAM wicket -c $CONFIG hook certbot $1; echo "$1 $?"; }
hook auth
read line
hook cleanup
"""
RUN = 'exec env -u LD_PRELOAD sh -c "echo running; read line"'
#: One that writes a file, at the time of a clock that may have been stepped.
WRITER = """\
file=$WICKET_WEBROOT/.well-known/acme-challenge/$CERTBOT_TOKEN
printf %s "$CERTBOT_VALIDATION" >"$file"
touch -d "@$($SEAM date +%s)" "$file"
echo written
read line
rm "$file"
"""


@dataclass
class Strike:
    step: str
    moment: float
    call: str


class Ended(Exception):
    """The fault was struck, and the renewal cannot go on."""


class Course:
    def __init__(self, ground, fault):
        self.ground, self.lab = ground, ground.lab
        self.fault, self.kind = fault, fault.kind
        self.events = Events()
        self.struck = None
        self.step = ""
        self.challenge = new_challenge()
        self.pending = False  # it may be served
        self.right_s = self.back_s = 0.0  # how long it took
        self.cut = 0  # visitors who were passed, as the table allows
        self.keeper = self.client = self.crowd = self.log = None
        self.passed, self.deaf, self.limited = [], [], []
        ground.on_element = self.events.listen("kernel")
        runs = self.kind.client == "run"
        forgets = rows.DEADLINE in (self.kind.right, self.kind.back)
        text = rows.LIMITED if runs else rows.FORGETFUL if forgets else rows.CONFIGURATION
        if fault.passes:
            ground.wicket.configure(text)
        else:
            ground.wicket.turn_away(text)

    def walk(self):
        """Ended is raised when the fault ends it."""
        for step in STEPS:
            self.step = step
            if step == "opening" and self.kind.act == "deaf_peers":
                self.crowd = Crowd(self.ground.host)
            if step == self.fault.step:
                self._arm()
            if not getattr(self, step.replace("-", "_"))() and step == "starting":
                break
            self.look()
        if self.fault.after is not None:  # whoever is being struck just now has been, or was gone
            self.ground.seams[self.kind.whose].disarm()
        if self.is_struck() and not self.struck:  # its announcement is on its way
            self.events.lines.wait_for(ANNOUNCEMENT)
            self.look()

    def _arm(self):
        kind = self.kind
        if self.fault.after is not None:
            self.ground.seams[kind.whose].arm_at(self.fault.after, self._strike)
            return
        self.ground.seams[kind.whose].arm(
            kind.calls, kind.action, skip=self.fault.skip, strikes=self.fault.strikes, error=kind.error
        )

    def _strike(self):
        """In a thread of its own, whatever the renewal is at; but most acts wait for that."""
        if not self.keeper or self.target() not in self.ground.running():
            raise ProcessLookupError
        if self.kind.action == KILL:
            os.kill(self.target(), signal.SIGKILL)
        elif self.kind.act in SIGNALS:
            os.kill(self.target(), SIGNALS[self.kind.act])
        self.events.listen("outside")(time.monotonic(), "inject: call 0, outside")

    def target(self):
        """Who is struck."""
        if self.kind.whose == "keeper":
            return self.keeper.pid
        program = "wicket-responder" if self.kind.whose == "responder" else "wicket"
        return self.ground.running(program)[-1]

    # --- the fault ---

    def look(self):
        """Whether it has been struck just now."""
        announced = self.events.take()
        if not announced:
            return False
        moment, _, call = announced
        act = self.kind.act
        if self.fault.after is not None and act in SIGNALS:
            act = ""  # done
        try:
            if act:
                getattr(acts, act)(self)
        except acts.GONE:  # somebody else has ended it meanwhile, as is right when leaving
            self.ground.seams[self.kind.whose].disarm()
            return False
        if act not in ("", "leave_held"):
            moment = time.monotonic()
        self.struck = Strike(self.step, moment, call)
        if self.kind.ends:
            raise Ended
        self.right_s = self.until(self.is_right, moment, self.kind.right, "nobody answers rightly")
        return True

    def is_struck(self):
        """Also when nobody has looked at its announcement yet."""
        return self.struck or self.ground.seams[self.kind.whose].struck > 0

    def is_right(self, answer):
        """Production, or the responder with what is pending."""
        if self.pending and (answer.status, answer.body) == (200, self.challenge[1].encode()):
            return True
        if self._serves():
            return False
        # Without the token the window is open still.
        held = self.kind.client == "run" or self.crowd
        return answer.server == "production" or bool(held) and answer.status == 404

    def _serves(self):
        """Whether nobody but the responder is right, with the fault or without."""
        if self.kind.client == "webroot" and self.struck and self.struck.step == "opening":
            return False  # the file may have been written before the clock's step, and read after it
        goes_on = self.step in ("serving", "passing", "re-arming")
        return self.kind.serves and self.pending and goes_on

    def until(self, condition, since, allowed, what):
        """Asks until the answer is as wanted; how long that took. Late is as bad as never."""
        pause = threading.Event()
        while True:
            if self.look():
                since = time.monotonic()  # it was held until now
            asked = time.monotonic()
            answer = self.ground.get(self.challenge, HOST4, try_s=0.05)
            good = condition(answer)
            now = time.monotonic()
            took = now - since
            if took > allowed + rows.MARGIN:
                how = "only" if good else "not"
                raise Violation(
                    f"{what}, or {how} after {took:.3f} s, {allowed:.3f} allowed, of which the last"
                    f" question took {now - asked:.3f}: {answer}"
                )
            if good:
                return took
            pause.wait(PACE_S)

    def is_back(self, answer):
        """Who is passed on meets production too: then the table has to tell."""
        return answer.server == "production" and not (
            self.fault.passes and self.ground.is_redirected()
        )

    def ask_validator(self, address):
        """As long as a validator waits, unless a fault is struck."""
        for _ in range(100):
            answer = self.ground.get(self.challenge, address, try_s=0.1)
            if self.look() or answer.status:
                break
        return answer

    def until_back(self, since, allowed):
        took = self.until(self.is_back, since, allowed, "production is not back")
        self.back_s = max(self.back_s, took)

    def wait(self, pattern, start, timeout=PATIENCE_S):
        """The match of a line, or None. A fault may be struck meanwhile."""
        deadline = time.monotonic() + timeout
        while True:
            found = self.events.wait(pattern, start, max(0, deadline - time.monotonic()))
            self.look()
            if found or time.monotonic() >= deadline:
                return found

    # --- the steps; each tells whether it came to its goal ---

    def starting(self):
        on_line = self.events.listen("keeper")
        prefix = self.ground.seams["keeper"].prefix
        if self.kind.logs_to_file:
            self.log = LogFile(self.ground.host, on_line)
            prefix = (*self.log.prefix, *prefix)
        self.keeper = self.ground.host.start(
            *(KEEPER, "--config", CONFIG), prefix=prefix, on_line=on_line
        )
        self.events.watch("keeper", self.keeper.pid)
        found = self.wait("keeper: wicket-keeper: ready$|keeper is over", 0)
        if (not found or "ready" not in found[1].string) and not self.is_struck():
            raise Violation("without a fault the keeper does not start")
        return bool(found) and "ready" in found[1].string

    def opening(self):
        start = self.events.now()
        self.pending = True
        self._start_client()
        if self.kind.client == "run":
            return bool(self.wait("client: running|client is over", start))
        for _ in itertools.count():
            if self._gives_up(start):
                return False
            answer = self.ground.get(self.challenge, HOST4, try_s=0.05)
            self.look()
            if answer.body == self.challenge[1].encode() and self._is_written(start):
                return True
        return False

    def _is_written(self, start):
        """Whether a token's file, which may be one before, has the time of its clock."""
        return self.kind.client != "webroot" or self.events.wait("client: written", start, 0)

    def _gives_up(self, start):
        """Whether the client has done its part, and the token is not served for all that."""
        if self.kind.client != "webroot":
            return bool(self.events.wait(r"client: auth \d+", start, 0))
        written = self.events.wait("client: written", start, 0)
        if not written or time.monotonic() - written[0] < rows.LEASE + rows.MARGIN:
            return False
        if not self.is_struck():
            raise Violation("without a fault a file is no token")
        return True

    def _start_client(self):
        token, key_authorization = self.challenge
        seam = self.ground.seams["hook"].prefix
        if self.kind.client == "run":
            command = [*seam, "wicket", "-c", CONFIG, "run", "--open", "--", "sh", "-c", RUN]
        elif self.kind.client == "webroot":
            command = ["wicket", "-c", CONFIG, "run", "--", "sh", "-c", WRITER]
        else:
            command = ["sh", "-c", CLIENT]
        popen = self.ground.host.popen(
            command,
            environment={
                "SEAM": " ".join(seam),
                "CONFIG": CONFIG,
                "CERTBOT_DOMAIN": "fault.lab",
                "CERTBOT_TOKEN": token,
                "CERTBOT_VALIDATION": key_authorization,
                "CERTBOT_REMAINING_CHALLENGES": "0",
                "CERTBOT_ALL_DOMAINS": "fault.lab",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.line = popen.stdin
        self.client = Process("client", popen, self.events.listen("client"))
        self.events.watch("client", self.client.pid)

    def serving(self):
        """Validators come; the hook has been waiting for that, and is done."""
        if self.kind.client == "run":
            return True
        for address in (HOST4, HOST6):
            answer = self.ask_validator(address)
            if self.is_right(answer) or self.is_struck() and not self._serves():
                continue
            raise Violation(f"a validator gets {answer}")
        if self.kind.client == "webroot":
            return True
        found = self.wait(r"client: auth (\d+)", 0)
        return bool(found) and found[1][1] == "0"

    def passing(self):
        if not self.fault.passes:
            return True
        self.responder = self.ground.running("wicket-responder")
        for made in (Visitor, Download):
            visitor = made(self.lab, self.events)
            came = visitor.come()
            if came and not self.is_struck():
                self.passed.append(visitor)
                continue
            visitor.close()  # it may have come to production without help
            if not self.is_struck():
                raise Violation("without a fault a visitor is not passed")
        return True

    def re_arming(self):
        found = self.wait("kernel: add element inet wicket ports", self.events.now(), rows.LEASE)
        return bool(found)

    def shutting(self):
        if self.fault.step != "shutting":
            self._disperse()
        start = self.events.now()
        self.go_on()
        done = r"client: cleanup \d+" if self.kind.client == "hook" else "client is over"
        found = self.wait(done, start)
        if not found:
            raise Violation("the client does not end")
        if found[1].string in ("client is over", "client: cleanup 0"):
            self.pending = False
            self.until_back(self._disperse() or found[0], self.kind.back)
        return not self.pending

    def _disperse(self):
        """The crowd leaves, if there is one; returns when it had left."""
        if not self.crowd:
            return None
        self.ground.seams[self.kind.whose].disarm()  # whoever is held would not hear it
        self.look()
        self.crowd.leave()
        self.crowd = None
        return time.monotonic()

    def go_on(self):
        """Says so to the client, if it is there."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self.line.fileno(), b"\n")

    def draining(self):
        if self.log:
            self.ground.make_room()
        start = self.events.now()
        self.keeper.signal(signal.SIGTERM)
        found = self.wait("shutting, then leaving|keeper is over", start)
        if self.fault.step == "draining":
            for visitor in self.passed:
                visitor.close()
            self.passed.clear()
            found = self.wait("keeper is over", 0)
        return bool(found)

    def assert_passed_on(self):
        """As long as both programs are there, whoever was passed does not notice; else it is cut."""
        for visitor in self.passed:
            try:
                if visitor.goes_on():
                    continue
            except TimeoutError:
                raise Violation(f"a visitor who was passed ({visitor.PATH}) hangs") from None
            same = self.ground.running("wicket-responder") == self.responder
            if self.keeper.returncode is None and same:
                raise Violation(f"a visitor who was passed ({visitor.PATH}) is cut")
            self.cut += 1

    def leaving(self):
        self.assert_passed_on()  # who is still there is cut from here on
        self.keeper.signal(signal.SIGTERM)
        return bool(self.wait("keeper is over", 0))

    def close(self):
        for one in (*self.passed, *self.deaf):
            one.close()
        if self.log:
            self.log.close()
        self.ground.on_element = None
        self.events.close()
