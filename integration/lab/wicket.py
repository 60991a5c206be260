# SPDX-License-Identifier: GPL-2.0-or-later
"""wicket in a lab host, as tests use it."""

import itertools
import json
import signal
import threading
import time

from . import network
from .methods import with_method
from .process import wait_for_end

THUMBPRINT = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
PREFIX = "/.well-known/acme-challenge/"
CONFIG = "/mnt/wicket.yaml"

_numbers = itertools.count(1)


def new_challenge(thumbprint=THUMBPRINT):
    """(token, key authorization), never the same twice."""
    token = f"token-{next(_numbers):06}-of-the-lab"
    return token, f"{token}.{thumbprint}"


class Wicket:
    """The commands, with `-c` when there is a configuration."""

    def __init__(self, lab, host=None):
        self.lab = lab
        self.host = host or lab.host
        self._options = ()
        self.prefix = ()  # of commands, unless they have their own
        if lab.method != "redirect":
            self.configure("")

    def turn_away(self, text=""):
        """
        As configure(), and who asks for anything but a challenge gets 404 instead of production:
        then an answer tells whether a connection was redirected.
        """
        self.configure(f"other_requests: not-found\n{text}")

    def configure(self, text):
        text = with_method(text, self.lab.method)
        (self.lab.directory / "wicket.yaml").write_text(text)
        self._options = ("-c", CONFIG)

    def command(self, *arguments):
        return ["wicket", *self._options, *arguments]

    def serve(self, prefix=()):
        """A keeper in the foreground, ready."""
        keeper = self.host.start(*self.command("serve"), name="keeper", prefix=prefix)
        keeper.output.wait_for("wicket-keeper: ready$")
        return keeper

    def run(self, *arguments, check=True, **more):
        more.setdefault("prefix", self.prefix)
        return self.host.run(*self.command(*arguments), check=check, **more)

    def status(self):
        return json.loads(self.run("status", "--json").stdout)

    def add(self):
        """Registers a new challenge; returns (token, key authorization)."""
        token, key_authorization = new_challenge()
        self.run("add", key_authorization)
        return token, key_authorization

    def hook(self, what, challenge, domain="hook.lab", check=True, **more):
        """As certbot calls it."""
        token, key_authorization = challenge
        environment = {
            "CERTBOT_DOMAIN": domain,
            "CERTBOT_TOKEN": token,
            "CERTBOT_VALIDATION": key_authorization,
            "CERTBOT_REMAINING_CHALLENGES": "0",
            "CERTBOT_ALL_DOMAINS": domain,
        }
        if what == "cleanup":
            environment["CERTBOT_AUTH_OUTPUT"] = ""
        return self.run("hook", "certbot", what, check=check, environment=environment, **more)

    def keepers(self):
        return self.host.pids_of("wicket-keeper")

    def responder(self):
        """The responder's pid. There is one."""
        (pid,) = self.host.pids_of("wicket-responder")
        return pid

    def leave(self, keeper):
        """Ends a keeper at once, without its drain; then nothing is left."""
        keeper.signal(signal.SIGTERM)
        keeper.output.wait_for("shutting, then leaving when drained")
        keeper.signal(signal.SIGTERM)
        assert keeper.wait() == 0
        self.assert_gone()

    def wait_gone(self, timeout=30):
        """Until every keeper has left by itself, and nothing of wicket is left in the host."""
        for pid in self.keepers():
            assert wait_for_end(pid, timeout), "the keeper stays"
        self.assert_gone()

    def assert_gone(self):
        """No process, no table, no file."""
        assert not self.host.pids_of("wicket-keeper")
        assert not self.host.pids_of("wicket-responder")
        assert "wicket" not in self.host.run("nft", "list", "tables").stdout
        directory = self.host.path("/run/wicket")
        left = sorted(path.name for path in directory.iterdir()) if directory.exists() else []
        assert [name for name in left if name != "keeper.log"] == []


# A try of those that wait for an answer: the lab's servers answer within a few milliseconds. A
# connection that was under way when the responder died may hang: the next one tells who is there.
TRY_S = 0.05
PACE_S = 0.002


def _until(what, condition, ask, since, timeout):
    """
    Connects anew until the answer is as wanted; returns (seconds since `since`, how many came
    before it). Nobody announces when a redirect takes effect, so asking is the event.
    """
    since = since or time.monotonic()
    pause = threading.Event()
    for others in itertools.count():
        answer = ask()
        took = time.monotonic() - since
        if condition(answer):
            return took, others
        assert took < timeout, f"{what}: {answer}"
        pause.wait(PACE_S)
    raise AssertionError("not reached")


def answered_by(lab, who, address, path="/", since=None, timeout=20):
    """Until `who` ("production" or "responder") answers."""
    return _until(
        f"{who} does not answer",
        lambda answer: answer.server == who,
        lambda: network.get(lab.outside, address, path, timeout=TRY_S),
        since,
        timeout,
    )


def challenge_answered(lab, challenge, address, since, timeout=20):
    """Until the challenge is answered with its key authorization."""
    token, key_authorization = challenge
    return _until(
        "the challenge is not answered",
        lambda answer: (answer.status, answer.body) == (200, key_authorization.encode()),
        lambda: network.get(lab.outside, address, PREFIX + token, timeout=TRY_S),
        since,
        timeout,
    )
