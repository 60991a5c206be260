# SPDX-License-Identifier: GPL-2.0-or-later
"""The ledger, as a program would read it: what a line of each event has to be, to the letter."""

import hashlib
import json
import re
import threading
import time

PATH = "/var/lib/wicket/ledger.jsonl"

TEXT, COUNT, FLAG = (str,), (int,), (bool,)
TEXT_OR_NULL, COUNT_OR_NULL = (str, type(None)), (int, type(None))
DIGEST = re.compile(r"[0-9a-f]{64}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

_REASON = {"kind": TEXT, "uid": COUNT, "pid": COUNT, "purpose": TEXT}
_TOKEN = {"token_sha256": DIGEST, "account_sha256": DIGEST}
_PLACE = {"port": COUNT, "ruleset_sha256": DIGEST, "network": COUNT}
_EVERY = {"v": COUNT, "time": TIME, "event": TEXT, "keeper": TEXT}
_WINDOW = {**_EVERY, "window": TEXT_OR_NULL}

SCHEMA = {
    "token-registered": {**_WINDOW, **_REASON, **_TOKEN},
    "window-asked": {**_WINDOW, **_REASON},
    "window-opened": {**_WINDOW, **_REASON, **_PLACE},
    "validation": {
        **_WINDOW,
        **{"token_sha256": DIGEST, "family": TEXT, "address": TEXT, "port": COUNT},
        **{"local": TEXT_OR_NULL, "host": TEXT_OR_NULL, "user_agent": TEXT_OR_NULL},
        **{"status": COUNT, "age_ms": COUNT_OR_NULL},
    },
    "refused": {**_WINDOW, "uid": COUNT, "pid": COUNT, "purpose": TEXT, "why": TEXT},
    "window-shut": {
        **_WINDOW,
        **{"open_ms": COUNT, "why": TEXT, "trouble": TEXT_OR_NULL, "tokens": COUNT},
        **{"validations": COUNT, "unlisted": COUNT, "addresses": COUNT, "passed": COUNT},
        **{"turned_away": COUNT, "unknown_tokens": COUNT, "unknown_address": TEXT_OR_NULL},
        **{"redirected": COUNT, "arrived": COUNT},
    },
    "left-out": {**_EVERY, "lines": COUNT},
    "keeper-lost": _EVERY,
}


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def _no_doubles(pairs):
    names = [name for name, _ in pairs]
    assert len(set(names)) == len(names), names
    return dict(pairs)


def check_line(line):
    """One line, parsed."""
    entry = json.loads(line, object_pairs_hook=_no_doubles)
    members = dict(SCHEMA[entry["event"]])
    if entry["event"] == "window-opened" and entry["kind"] in ("token", "file"):
        members.update(_TOKEN)
    assert set(entry) == set(members), line
    for name, rule in members.items():
        value = entry[name]
        if isinstance(rule, re.Pattern):
            assert rule.fullmatch(value), (name, value)
        else:
            assert isinstance(value, rule) and not isinstance(value, bool), (name, value)
    assert entry["v"] == 1
    return entry


def entries(host, path=PATH, events=None):
    """All lines, each checked."""
    found = [check_line(line) for line in host.path(path).read_text().splitlines()]
    return [entry for entry in found if events is None or entry["event"] in events]


def wait_for(host, event, count=1, path=PATH, timeout=20):
    """Until so many lines of an event are there: its writer tells nobody else than the disk."""
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    while True:
        try:
            found = entries(host, path, (event,))
        except FileNotFoundError:
            found = []
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline, f"{event}: {len(found)} of {count}"
        pause.wait(0.01)
