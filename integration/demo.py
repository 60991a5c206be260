# SPDX-License-Identifier: GPL-2.0-or-later
"""
Renews a certificate for three names next to a live Apache, and tells what happened. Started by
demo. Exit status 0: the certificate was issued, production answered every visitor before, during
and after, and knew who it was; nobody touched it, and nothing was left behind.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from lab import programs
from lab.certbot import Certbot
from lab.journal import Journal
from lab.lab import HOST4, HOST6, VISITORS4, VISITORS6, Lab
from lab.process import wait_for_end
from lab.production import Production
from lab.visitors import Visitors
from lab.wicket import Wicket

# Each name is reached in another way.
NAMES = {
    "www.example.lab": ([HOST4], [HOST6]),
    "old.example.lab": ([HOST4], []),
    "new.example.lab": ([], [HOST6]),
}
ENOUGH = 40  # visitors before, and again after

EVENTS = {
    "open": r"port 80 is redirected to the responder",
    "token": r"token (?P<token>\S+) registered .*\(certbot hook for (?P<name>\S+)\)",
    "validation": r"validation of (?P<token>\S+) from (?P<address>\S+) port (?P<port>\d+)",
    "back": r"port 80 is back with production",
    "shut": r"window shut: (?P<reason>.*)",
    "leaving": r"nothing is pending, leaving",
    "trouble": r"(?P<text>.*(firewall|trouble|killed|cannot).*)",
}


class Story:
    """The timeline: printed as it happens, or kept for --json."""

    def __init__(self, quiet):
        self._quiet = quiet
        self._color = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self.events = []

    def paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self._color else text

    def say(self, text="", code=None):
        if not self._quiet:
            print(self.paint(code, text) if code else text, flush=True)

    def tell(self, event, text, moment=None, code=None, **details):
        with self._lock:
            at = (moment or time.monotonic()) - self._began
            self.events.append({"at_s": round(at, 3), "event": event, **details})
            self.say(f"{at:8.3f} s  {text}", code)

    def moments(self, event):
        with self._lock:
            return [e["at_s"] + self._began for e in self.events if e["event"] == event]

    def details(self, event):
        with self._lock:
            return [e for e in self.events if e["event"] == event]

    def keeper_said(self, moment, line):
        """One line of the keeper's log, as it comes."""
        for event, pattern in EVENTS.items():
            match = re.search(pattern, line)
            if match:
                break
        else:
            return
        values = match.groupdict()
        texts = {
            "open": ("window open: new connections to port 80 go to the responder", "32"),
            "token": ("challenge for {name} registered", None),
            "validation": ("  validated from {address} port {port}", "36"),
            "back": ("port 80 is back with production", "32"),
            "shut": ("window shut: {reason}", "32"),
            "leaving": ("the keeper leaves, nothing being pending", None),
            "trouble": ("{text}", "31"),
        }
        text, code = texts[event]
        self.tell(event, text.format(**values), moment, code, **values)


def phase_of(visit, opened, back):
    if opened is None or visit.ended < opened:
        return "before"
    return "after" if back is not None and visit.began > back else "during"


def judge_log(production, start, visitors, record):
    """Whether the lines of Apache's log since then have the addresses of those who asked."""
    asked = Counter(visit.source for visit in visitors.visits())
    with contextlib.suppress(AssertionError):  # it may have fewer; that is told below
        production.wait_for_requests(lambda requests: len(requests) >= asked.total(), start)
    known = Counter(request.address for request in production.requests(start))
    record["log"] = {"lines": known.total(), "addresses": len(known), "right": known == asked}
    return known == asked


def tally(visitors, opened, back):
    counts = {"before": {}, "during": {}, "after": {}}
    for visit in visitors.visits():
        answer = visit.answer
        got = f"{answer.server} {answer.status}" if answer.status else answer.error
        phase = counts[phase_of(visit, opened, back)]
        phase[got] = phase.get(got, 0) + 1
    return counts


def wait_for_visitors(visitors, since):
    """Until ENOUGH have come and gone since then."""
    seen = []
    visitors.wait_for(lambda visit: seen.append(visit) or len(seen) >= ENOUGH, since)


def renew(lab, story, record):
    """The main job. Returns what was wrong, a line each."""
    wrong = []
    production = Production(lab, "apache")
    start = len(production.requests())
    story.tell("production", f"Apache owns port 80 of {HOST4} and {HOST6}")
    untouched = production.fingerprint()
    for name, (ipv4, ipv6) in NAMES.items():
        lab.ca.set_name(name, ipv4, ipv6)
    story.tell("ca", f"a CA of our own is ready at {lab.ca.url}")

    routes = list(zip(VISITORS4[:3], [HOST4] * 3)) + list(zip(VISITORS6[:3], [HOST6] * 3))
    with Visitors(lab.outside, routes) as visitors:
        wait_for_visitors(visitors, 0.0)
        certbot = Certbot(lab)
        story.tell("certbot", "certbot certonly --manual -d " + " -d ".join(NAMES))
        result = certbot.run(certbot.manual(list(NAMES)), check=False)
        if result.returncode != 0:
            wrong.append(f"certbot failed with {result.returncode}: {result.stderr.strip()}")
        else:
            serial, names = certbot.certificate()
            record["certificate"] = {"serial": serial, "names": names}
            story.tell("certificate", f"certificate {serial} for {', '.join(names)}", code="1;32")
            if names != sorted(NAMES):
                wrong.append(f"the certificate is for {names}")
        record["passed"] = Wicket(lab).status().get("counters", {}).get("passed", 0)
        wait_for_visitors(visitors, time.monotonic())
        for pid in lab.host.pids_of("wicket-keeper"):
            if not wait_for_end(pid, 30):
                wrong.append("the keeper did not leave")
    opened, back = story.moments("open"), story.moments("back")
    record["visitors"] = tally(visitors, *(m[0] if m else None for m in (opened, back)))
    if len(opened) != 1 or len(back) != 1:
        wrong.append(f"there were {len(opened)} windows")
    else:
        record["window_s"] = round(back[0] - opened[0], 3)
    for phase in ("before", "during", "after"):
        if set(record["visitors"][phase]) != {"production 200"}:
            wrong.append(f"visitors {phase} the window got {record['visitors'][phase]}")
    if not record["passed"]:
        wrong.append("nobody was passed on to production")
    if not judge_log(production, start, visitors, record):
        wrong.append("production's log does not have each visitor's own address")
    record["validations"] = len(story.details("validation"))
    if production.fingerprint() != untouched:
        wrong.append("production is not what it was")
    tables = lab.host.run("nft", "list", "tables").stdout.strip()
    if tables:
        wrong.append(f"left in the kernel: {tables}")
    return wrong


def describe(story, record):
    story.say()
    for phase, counts in record.get("visitors", {}).items():
        got = ", ".join(f"{count} x {what}" for what, count in sorted(counts.items()))
        if phase == "during" and record["passed"]:
            got += f", {record['passed']} of them through the window"
        story.say(f"visitors {phase:<7} {got or 'none'}")
    log = record.get("log")
    if log:
        story.say(
            f"Apache's log     {log['lines']} lines, {log['addresses']} addresses, "
            + ("each its visitor's own" if log["right"] else "not those of the visitors")
        )
    addresses = {event["address"] for event in story.details("validation")}
    story.say(
        f"window           open {record.get('window_s', '?')} s,"
        f" {record['validations']} validations from {len(addresses)} addresses"
    )
    certificate = record.get("certificate")
    if certificate:
        story.say(f"certificate      {certificate['serial']}: {', '.join(certificate['names'])}")
    story.say("production       " + ("untouched" if record["ok"] else "see below"))
    for line in record["wrong"]:
        story.say(f"wrong            {line}", "31")
    story.say()
    if record["ok"]:
        story.say("Issued; production never noticed; nothing is left behind.", "1;32")
    else:
        story.say("The demo failed.", "1;31")


def main():
    parser = argparse.ArgumentParser(prog="integration/demo", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the record as JSON instead")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    programs.WORK.mkdir(parents=True, exist_ok=True)
    story = Story(options.json)
    record = {}
    with tempfile.TemporaryDirectory(prefix="demo-", dir=programs.WORK) as work:
        prefix = programs.install(Path(work) / "programs")
        lab = Lab(prefix, work, syslog=False)
        try:
            lab.journal = Journal(lab.host, story.keeper_said)
            lab.at_end(lab.journal.close)
            wrong = renew(lab, story, record)
        finally:
            lab.destroy()
    record.update(ok=not wrong, wrong=wrong, events=story.events)
    describe(story, record)
    if options.json:
        print(json.dumps(record, indent=2))
    return 0 if record["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
