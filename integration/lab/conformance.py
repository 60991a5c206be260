# SPDX-License-Identifier: GPL-2.0-or-later
"""
Sends the cases of conformance_cases.py and judges what comes back.

Three ways: to the responder that answers everybody (Strict), to the responder in front of a
production that writes down every byte (Passing), and to a web server that has the key
authorization as a file (Other), which is looked at for comparison and judged by status only.
"""

import contextlib
import itertools
import os
import re
import select
import signal
import socket
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from . import network
from .conformance_cases import (
    BYTES,
    BYTES_END,
    CASES,
    END,
    SHORT,
    SILENT,
    SPLIT,
    TOKEN,
    UPPER,
)
from .lab import HOST4, HOST6, VISITORS4, VISITORS6
from .production import Production
from .raw import Raw, ending, receive
from .wicket import PREFIX, Wicket, new_challenge

# Long, so that a busy machine is not taken for a visitor who goes on waiting; short for those who do.
PATIENT = "responder:\n  first_byte: 10s\n  deadline: 20s\n"
IMPATIENT = "responder:\n  first_byte: 300ms\n  deadline: 1s\n"
ROUTES = [(HOST4, VISITORS4[0]), (HOST6, VISITORS6[0])]
TIMEOUT_S = 10
(AGAIN,) = [one for one in CASES if one.name == "Connection: close"]
# An answer that comes too early, between two pieces, has so long to be seen.
BETWEEN_S = 0.001
# A server that keeps connections says nothing more for so long when it is done.
QUIET_S = 0.05
DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e]*?)[ \t]*")


class Response(NamedTuple):
    status: int
    fields: dict  # lower-case names; one that comes twice is joined with a comma
    body: bytes


class Outcome(NamedTuple):
    """`label` is for the table; `wrong` says what is not as it must be."""

    label: str
    wrong: list


class Unreadable(Exception):
    """Bytes that are no HTTP response."""


def _parse_one(data, head):
    """(response, the bytes behind it). `head`: it answers a HEAD."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        raise Unreadable(f"a head without an end: {data[:80]}")
    first, *lines = data[:end].split(b"\r\n")
    found = re.fullmatch(rb"HTTP/1\.[01] ([1-5]\d\d) [\t\x20-\x7e]*", first)
    if not found:
        raise Unreadable(f"no status line: {first[:80]}")
    status, fields = int(found[1]), {}
    for line in lines:
        found = FIELD.fullmatch(line)
        if not found:
            raise Unreadable(f"no field: {line[:80]}")
        name, value = found[1].decode().lower(), found[2].decode()
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    rest = data[end + 4 :]
    length = fields.get("content-length")
    if status < 200 or status in (204, 304) or head:
        return Response(status, fields, b""), rest
    if length is None:
        return Response(status, fields, rest), b""
    if not length.isdecimal() or len(rest) < int(length):
        raise Unreadable(f"Content-Length {length} and {len(rest)} bytes")
    return Response(status, fields, rest[: int(length)]), rest[int(length) :]


def parse(data, head=False):
    """All responses in there, to the last byte; the first answers a HEAD if `head`."""
    responses = []
    while data:
        one, data = _parse_one(data, head and not any(r.status >= 200 for r in responses))
        responses.append(one)
    return responses


def _judge_fields(case, response, key_authorization, kept=False):
    fields = response.fields
    if not DATE.fullmatch(fields.get("date", "")):
        yield f"Date is {fields.get('date')}"
    elif parsedate_to_datetime(fields["date"]).utcoffset().total_seconds() != 0:
        yield "Date is not in GMT"
    if fields.get("connection", "").lower() != ("keep-alive" if kept else "close"):
        yield f"Connection is {fields.get('connection')}"
    if "transfer-encoding" in fields:
        yield "a Transfer-Encoding"
    if not fields.get("content-length", "").isdecimal():
        yield f"Content-Length is {fields.get('content-length')}"
    if fields.get("cache-control") != "no-store":
        yield f"Cache-Control is {fields.get('cache-control')}"
    if response.status == 405 and fields.get("allow") != "GET, HEAD":
        yield f"Allow is {fields.get('allow')}"
    if response.status in (200, 304) and fields.get("content-length") != str(
        len(key_authorization)
    ):
        yield f"Content-Length is {fields.get('content-length')}"
    if response.status == 200:
        if fields.get("content-type") != "application/octet-stream":
            yield f"Content-Type is {fields.get('content-type')}"
        if fields.get("x-content-type-options") != "nosniff":
            yield f"X-Content-Type-Options is {fields.get('x-content-type-options')}"
        if not case.head and response.body != key_authorization:
            yield f"the body is {response.body}"
    elif key_authorization in response.body:
        yield "the key authorization in an answer that is not 200"
    elif b"secret" in response.body:
        yield "the request in the answer"


def judge(case, data, end, key_authorization):
    """What a visitor has got, to the `end` of the connection ("end", "reset", "open")."""
    wrong = []
    try:
        responses = parse(data, case.head)
    except Unreadable as error:
        return Outcome("rubbish", [str(error)])
    label = "+".join(str(response.status) for response in responses) or "nothing"
    status = responses[0].status if responses else 0
    if status not in case.status:
        wrong.append(f"{label} instead of {' or '.join(map(str, sorted(case.status)))}")
    if len(responses) > 1 + case.kept:
        wrong.append(f"{len(responses)} answers")
    if case.kept and [response.status for response in responses[1:]] != [200]:
        wrong.append(f"{label}: asked again, and not answered")
    if end != "end" and (responses or end == "open"):
        wrong.append(f"the connection ends with: {end}")
    for number, response in enumerate(responses[: 1 + case.kept]):
        kept = case.kept and number == 0
        wrong += _judge_fields(case, response, key_authorization, kept)
    return Outcome(label, wrong)


def bytes_of(case, token):
    """What is sent."""
    request = case.request.replace(TOKEN.encode(), token.encode())
    request = request.replace(SHORT.encode(), token[:-1].encode())
    return request.replace(UPPER.encode(), token.upper().encode())


def deliveries(case, request):
    """[(pieces, whether the side is ended then)], a connection for each."""
    if case.send in (BYTES, BYTES_END):
        return [([request[at : at + 1] for at in range(len(request))], case.send == BYTES_END)]
    if case.send == SPLIT:
        return [([request[:at], request[at:]], False) for at in range(1, len(request))]
    return [([request] if request else [], case.send == END)]


def send(connection, pieces, half_close):
    """As far as the other side lets us: it may be done before we are."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        for number, piece in enumerate(pieces):
            if number > 0 and select.select([connection], [], [], BETWEEN_S)[0]:
                # It has answered. What is left is thrown away there, and must not disturb.
                connection.sendall(b"".join(pieces[number:]))
                break
            connection.sendall(piece)
    if half_close:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)


def is_whole(data):
    """Whether that is an answer to a GET."""
    try:
        return len(parse(data)) == 1
    except Unreadable:
        return False


def listen(case, visitor, token):
    """
    All that comes: (the bytes, "end" or "reset"). Where the connection is kept, it is asked once
    more behind the first answer.
    """
    if not case.kept:
        return ending(visitor)
    first = b""
    while not is_whole(first) and (piece := visitor.recv(65536)):
        first += piece
    visitor.sendall(bytes_of(AGAIN, token))
    rest, end = ending(visitor)
    return first + rest, end


def worst(outcomes):
    """Of the connections of a case the first that is wrong, or else the first."""
    return next((one for one in outcomes if one.wrong), outcomes[0])


class Target:
    """Where cases are sent. `name` is the column's head."""

    every = 1  # of the connections of a case that is split

    def __init__(self, lab):
        self.lab = lab
        self._turn = itertools.cycle(ROUTES)

    def come(self):
        """A visitor's connection, over one family and the other in turn."""
        address, source = next(self._turn)
        return network.connect(self.lab.outside, address, source=source, timeout=TIMEOUT_S)

    def run(self, case):
        request = bytes_of(case, self.token)
        outcomes = []
        for pieces, half_close in deliveries(case, request)[:: self.every]:
            with self.come() as visitor:
                send(visitor, pieces, half_close)
                outcomes.append(self.hear(case, visitor, request, half_close))
        return worst(outcomes)

    def hurry(self):
        """From now on nobody is waited for."""

    def close(self):
        pass


class Ours(Target):
    def __init__(self, lab, other_requests):
        super().__init__(lab)
        self._other_requests = f"other_requests: {other_requests}\n"
        self.wicket = Wicket(lab)
        self.wicket.configure(self._other_requests + PATIENT)
        self.token, self.key_authorization = self.wicket.add()

    def hurry(self):
        start = len(self.lab.journal.lines)
        self.wicket.configure(self._other_requests + IMPATIENT)
        (keeper,) = self.wicket.keepers()
        os.kill(keeper, signal.SIGHUP)
        self.lab.journal.lines.wait_for("in force", start=start)

    def close(self):
        self.wicket.run("remove", self.token)


class Strict(Ours):
    """The responder answers everybody."""

    name = "responder"

    def __init__(self, lab):
        super().__init__(lab, "not-found")

    def hear(self, case, visitor, request, half_close):
        try:
            data, end = listen(case, visitor, self.token)
        except TimeoutError:
            data, end = b"", "open"
        return judge(case, data, end, self.key_authorization.encode())


class Passing(Ours):
    """
    The responder in front of production: it is either the one or the other that a visitor talks to,
    and production has every byte as it was sent.
    """

    name = "passing"
    ANSWER = b"220 production %d of the lab\r\n"

    def __init__(self, lab):
        super().__init__(lab, "pass")
        self.production = Raw(lab)
        self._numbers = itertools.count(1)

    def _to_production(self, visitor, request, half_close):
        """What is wrong with this visitor's way to production."""
        served, seen = self.production.accept(TIMEOUT_S)
        answer = self.ANSWER % next(self._numbers)
        with served:
            # Its port too, where that is free.
            if seen.address != visitor.getsockname()[0]:
                yield f"production saw {seen}"
            try:
                got = receive(served, len(request))
                if got == request and half_close:
                    got += ending(served)[0]
            except TimeoutError:
                got = b""
                yield "production waits for bytes"
            if got != request:
                yield f"production got {len(got)} bytes, altered: {got[:80]}"
            served.sendall(answer)
        data, end = ending(visitor)
        if data != answer or end != "end":
            yield f"the visitor got {data[:80]}, {end}"

    def hear(self, case, visitor, request, half_close):
        listeners = self.production.listeners
        ready, _, _ = select.select([visitor, *listeners], [], [], TIMEOUT_S)
        if not ready:
            return Outcome("waits", ["neither answered nor passed"])
        if visitor not in ready:
            wrong = list(self._to_production(visitor, request, half_close))
            if self.production.comes(0):
                wrong.append("came to production twice")
            if case.answered:
                wrong.append("passed instead of answered")
            return Outcome("passed", wrong)
        data, end = listen(case, visitor, self.token)
        outcome = judge(case, data, end, self.key_authorization.encode())
        if not case.answered:
            outcome.wrong.append("answered instead of passed")
        if self.production.comes(0):
            outcome.wrong.append("answered and passed")
            self.production.accept()[0].close()
        return outcome


class Other(Target):
    """A web server with a file: `kind` is "nginx" or "apache". It may keep connections."""

    every = 16

    def __init__(self, lab, kind):
        super().__init__(lab)
        self.name = kind
        self.production = Production(lab, kind)
        self.token, self.key_authorization = new_challenge()
        directory = self.production.pages / PREFIX.strip("/")
        directory.mkdir(parents=True)
        (directory / self.token).write_text(self.key_authorization)

    def hear(self, case, visitor, request, half_close):
        data = b""
        while select.select([visitor], [], [], QUIET_S)[0]:
            try:
                piece = visitor.recv(65536)
            except ConnectionResetError:
                break
            if not piece:
                break
            data += piece
        try:
            responses = parse(data, case.head)
        except Unreadable as error:
            return Outcome("rubbish", [str(error)])
        label = "+".join(str(response.status) for response in responses[:3]) or "nothing"
        if len(responses) > 3:
            label += "+…"
        status = responses[0].status if responses else 0
        return Outcome(label, [] if status in case.status else [label])


def run(target, cases=CASES):
    """{case: outcome}, in the order of the cases, and the target is closed."""
    outcomes = {case: target.run(case) for case in cases if case.send != SILENT}
    target.hurry()
    outcomes.update((case, target.run(case)) for case in cases if case.send == SILENT)
    target.close()
    return {case: outcomes[case] for case in cases}


def title(case):
    return case.name if case.send == "whole" else f"{case.name} ({case.send})"


def expected(case):
    codes = " ".join(str(status) if status else "nothing" for status in sorted(case.status))
    return f"{codes}, {'answered' if case.answered else 'passed'}"


def describe(columns, cases=CASES):
    """[(name, {case: outcome})] as a table, in lines. * marks what is not among what is good."""
    width = max(len(title(case)) for case in cases)
    lines = [
        f"{'case':<{width}} {'RFC':<14} {'good':<26} "
        + " ".join(f"{name:<11}" for name, _ in columns)
    ]
    for case in cases:
        cells = []
        for _, outcomes in columns:
            outcome = outcomes[case]
            cells.append(f"{outcome.label}{'*' if outcome.wrong else ''}")
        lines.append(
            f"{title(case):<{width}} {case.clause:<14} {expected(case):<26} "
            + " ".join(f"{cell:<11}" for cell in cells).rstrip()
        )
    return lines


def violations(name, outcomes):
    """In lines."""
    return [
        f"WRONG {name}: {title(case)} ({case.clause}): {'; '.join(outcome.wrong)}"
        for case, outcome in outcomes.items()
        if outcome.wrong
    ]
