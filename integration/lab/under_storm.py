# SPDX-License-Identifier: GPL-2.0-or-later
"""
The big test: windows open and shut, certificates are issued, and all the while visitors of every
kind look closely at what production gives them (storm.py). In the end every line of production's
log must carry the address of the visitor who asked.
"""

import hashlib
import json
import shutil
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

from . import network
from .application import content
from .certbot import Certbot
from .docker import containerized
from .lab import HOST4, HOST6, VALIDATORS4, VALIDATORS6, VISITORS4, VISITORS6
from .process import Process
from .production import PIECES, Production
from .wicket import PREFIX, Wicket

PRODUCTIONS = ("nginx", "apache", "docker")
FAST_PER_CERTIFICATE = 4  # windows without certbot, between two with it
SHOWN = 20  # failures in full; the others are counted
CHALLENGED = [(source, HOST4) for source in VALIDATORS4] + [(one, HOST6) for one in VALIDATORS6]


def make_production(lab, kind):
    """One of PRODUCTIONS; `docker` needs a lab made with behind=True."""
    return containerized(lab) if kind == "docker" else Production(lab, kind)


class Storm:
    """The visitors. Blows from start() to stop(), which returns its result (see storm.py)."""

    def __init__(self, lab, production, crowd=1, pause=0.005):
        self.log = lab.directory / "visits"
        self._lab = lab
        pages = {"/": "index.html", "/download": "download"}
        pages.update({f"/piece-{number}": f"piece-{number}" for number in range(PIECES)})
        bodies = {path: (production.pages / name).read_bytes() for path, name in pages.items()}
        bodies["/slow"] = b"".join(content(10))
        plan = {
            "routes": {
                "IPv4": [(source, HOST4) for source in VISITORS4],
                "IPv6": [(source, HOST6) for source in VISITORS6],
            },
            "digests": {path: hashlib.sha256(body).hexdigest() for path, body in bodies.items()},
            "crowd": crowd,
            "pause": pause,
            "log": "/mnt/visits",
        }
        (lab.directory / "plan.json").write_text(json.dumps(plan))
        shutil.copy(Path(__file__).with_name("storm.py"), lab.directory)

    def start(self):
        self._popen = self._lab.outside.popen(
            ["/usr/bin/python3", "-B", "/mnt/storm.py", "/mnt/plan.json"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._process = Process("storm", self._popen)
        self._process.output.wait_for("^under way$", timeout=30)

    def stop(self):
        self._popen.stdin.close()
        status = self._process.wait_output(60)
        text = self._process.output.text()
        assert status == 0, text
        return json.loads(text.splitlines()[-1])


class Tally(Counter):
    """Counts of what was wrong, with the first of each in full."""

    def __init__(self):
        super().__init__()
        self.examples = []

    def note(self, kind, example):
        self[kind] += 1
        if self[kind] <= SHOWN:
            self.examples.append(f"{kind}: {example}")


def judge_log(production, start, visits, wrong):
    """
    Holds the log, from line number `start` on, against the requests that were sent; returns how
    many lines there were and how many of them had the visitor's own port.
    """
    sent = {}
    for line in visits.read_text().splitlines():
        path, address, port = line.split(" ")
        sent[path] = (address, int(port))
    _wait_for_lines(production.log, start + len(sent))
    kept = 0
    requests = production.requests(start)
    visitors = {*VISITORS4, *VISITORS6}
    for request in requests:
        asked = sent.pop(request.path, None)
        if request.address not in visitors:
            wrong.note("a line of the log without a visitor's address", request)
        if asked is None:
            wrong.note("a line of the log that nobody caused", request)
        elif asked[0] != request.address:
            wrong.note(f"a line of the log with another's address than {asked[0]}", request)
        else:
            kept += asked[1] == request.port
    for path, visitor in sent.items():
        wrong.note("a request that production never logged", f"{path} of {visitor}")
    return len(requests), kept


def _wait_for_lines(path, count, timeout=5):
    """A web server writes its line after the answer, and tells nobody."""
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    while path.read_bytes().count(b"\n") < count and time.monotonic() < deadline:
        pause.wait(0.02)


class Windows:
    """Opens and shuts windows, and has the challenges of each fetched."""

    def __init__(self, lab, wicket, wrong):
        self.lab = lab
        self.wicket = wicket
        self.wrong = wrong
        self.certbot = Certbot(lab)
        self.challenges = 0  # answered, those of the CA not counted
        self.certificates = 0
        self.asked = 0
        self._serials = set()
        self._start = len(lab.journal.lines)

    def opened(self):
        return self._said("port 80 is redirected")

    def shut(self):
        return self._said("port 80 is back with production")

    def _said(self, what):
        return sum(what in text for _, text in self.lab.journal.lines.entries(self._start))

    def fast(self, rounds):
        """One window, in which each of the validators asks so many times."""
        before = self.opened(), len(self.lab.journal.lines)
        token, key_authorization = self.wicket.add()
        for _ in range(rounds):
            for source, address in CHALLENGED:
                answer = network.get(
                    self.lab.outside, address, PREFIX + token, source=source, timeout=15
                )
                if (answer.status, answer.body) == (200, key_authorization.encode()):
                    self.challenges += 1
                else:
                    self.wrong.note("a challenge that was not answered", f"{source}: {answer}")
        self.wicket.run("remove", token)
        self.lab.journal.lines.wait_for("port 80 is back with production", before[1])
        if self.opened() != before[0] + 1:
            self.wrong.note("a window that was not one", f"{self.opened() - before[0]} for {token}")

    def certificate(self):
        """A certificate by certbot, for a name of each family that the CA has not seen yet."""
        self.asked += 1
        start = len(self.lab.journal.lines)
        names = sorted(f"{family}-{self.asked}.storm.lab" for family in ("four", "six"))
        self.lab.ca.set_name(names[0], [HOST4], [])
        self.lab.ca.set_name(names[1], [], [HOST6])
        arguments = [*self.certbot.manual(names), "--renew-with-new-domains"]
        result = self.certbot.run(arguments, check=False)
        if result.returncode != 0:
            self.wrong.note("certbot failed", f"{result.stdout}\n{result.stderr}")
            return
        self.lab.journal.lines.wait_for("port 80 is back with production", start)
        serial, got = self.certbot.certificate()
        if got == names and serial not in self._serials:
            self.certificates += 1
            self._serials.add(serial)
        else:
            self.wrong.note("not the certificate that was asked for", f"{serial} for {got}")


def run(lab, kind, windows, certificates, *, configuration="", tell=lambda text: None):
    """
    At least so many windows and certificates under a storm, for one of PRODUCTIONS; none of
    either: the storm alone, for a moment. Returns the record, whose "wrong" is empty if all is
    well; print it with describe().
    """
    wrong = Tally()
    production = make_production(lab, kind)
    wicket = Wicket(lab)
    if configuration:
        wicket.configure(configuration)
    if certificates:
        lab.ca.set_name("storm.lab", [HOST4])  # so that it has started
    start = len(production.requests())
    began = time.monotonic()
    storm = Storm(lab, production)
    storm.start()
    work = Windows(lab, wicket, wrong)
    number = 0
    while work.opened() < windows or work.asked < certificates:
        # Certificates are spread over the windows, and missing ones come at the end.
        due = number % (FAST_PER_CERTIFICATE + 1) == 0 or work.opened() >= windows
        if due and work.asked < certificates:
            work.certificate()
        else:
            work.fast(1 + number % 4)
        number += 1
        if number % 25 == 0:
            tell(f"{kind}: {work.opened()} windows, {work.certificates} certificates")
    counters = wicket.status().get("counters", {})
    result = storm.stop()
    seconds = time.monotonic() - began
    for failure in result["failures"]:
        wrong.note(f"a failed visit ({failure['kind']})", failure)
    lines, kept = judge_log(production, start, storm.log, wrong)
    if windows or certificates:
        wicket.wait_gone()
    if work.opened() != work.shut():
        wrong.note("a window that did not shut", f"{work.opened()} opened, {work.shut()} shut")
    return {
        "production": kind,
        "seconds": round(seconds, 1),
        "windows": work.opened(),
        "certificates": work.certificates,
        "certificates_asked": work.asked,
        "challenges": work.challenges,
        "passed": counters.get("passed"),
        "visits": result["visits"],
        "latency_ms": result["latency_ms"],
        "log_lines": lines,
        "kept_ports": kept,
        "failures": Counter(failure["kind"] for failure in result["failures"]),
        "wrong": dict(wrong),
        "examples": wrong.examples,
    }


def describe(record):
    """The record as a table, in lines."""
    visits = record["visits"]
    total = sum(sum(kinds.values()) for kinds in visits.values())
    lines = [
        f"{record['production']}: {record['windows']} windows and {record['certificates']} of"
        f" {record['certificates_asked']} certificates in {record['seconds']} s,"
        f" {record['challenges']} challenges answered besides",
        f"{total} visits, {sum(record['failures'].values())} failed;"
        f" {record['passed']} connections passed",
        f"{'':<18}{'IPv4':>8}{'IPv6':>8}{'failed':>8}{'median':>11}{'99 of 100':>11}{'slowest':>11}",
    ]
    for kind, latency in sorted(record["latency_ms"].items()):
        counts = "".join(f"{visits[family].get(kind, 0):>8}" for family in ("IPv4", "IPv6"))
        times = "".join(f"{latency[percent]:>8.1f} ms" for percent in ("50", "99", "100"))
        lines.append(f"{kind:<18}{counts}{record['failures'].get(kind, 0):>8}{times}")
    share = 100 * record["kept_ports"] / max(record["log_lines"], 1)
    lines.append(
        f"{record['log_lines']} lines of the log checked, {share:.3f} % with the visitor's own port"
    )
    lines += [f"WRONG {count} x {what}" for what, count in record["wrong"].items()]
    lines += [f"  {example}" for example in record["examples"]]
    return lines
