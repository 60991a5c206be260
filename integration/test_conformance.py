# SPDX-License-Identifier: GPL-2.0-or-later
"""HTTP/1.1 as RFC 9110 and RFC 9112 have it, case by case. integration/conformance prints the table."""

import re
from collections import Counter

import pytest
from lab import conformance
from lab.conformance_cases import CASES, END, SHORT, TOKEN, UPPER

ENOUGH = 150


def test_the_table():
    assert len(CASES) >= ENOUGH
    for of in (conformance.title, lambda one: (one.request, one.send)):
        assert [what for what, count in Counter(map(of, CASES)).items() if count > 1] == []
    for one in CASES:
        assert one.status, one.name
        assert re.fullmatch(r"(9110|9112|9113) [A-Z0-9.]+", one.clause), one.name
    # Every status of the responder's is asked for, and every way of sending.
    assert {0, 200, 400, 404, 405, 414, 431, 501, 505} <= {s for one in CASES for s in one.status}
    assert len({one.send for one in CASES}) == 6


@pytest.mark.parametrize("target", [conformance.Strict, conformance.Passing])
def test_no_violation(lab, target, tell):
    outcomes = conformance.run(target(lab))
    wrong = conformance.violations(target.name, outcomes)
    tell(f"conformance, {target.name}: {len(outcomes)} cases, {len(wrong)} violations")
    assert wrong == []
    assert len(outcomes) == len(CASES)
    labels = Counter(outcome.label for outcome in outcomes.values())
    assert labels["200"] > 50 if target is conformance.Strict else labels["passed"] > 150


@pytest.mark.parametrize("kind", ["nginx", "apache"])
def test_others_are_asked_the_same(lab, kind):
    """The comparison compares: others have the token too, and do not do all as we do."""
    outcomes = conformance.run(conformance.Other(lab, kind), CASES[::12])
    labels = Counter(outcome.label for outcome in outcomes.values())
    assert labels["200"] > 5
    assert labels["400"] > 5
    assert labels["rubbish"] == 0
    assert any(outcome.wrong for outcome in outcomes.values())
    assert "*" in "\n".join(conformance.describe([(kind, outcomes)], CASES[::12]))


KEY_AUTHORIZATION = b"token.thumbprint"
GOOD = (
    b"HTTP/1.1 200 OK\r\nDate: Sat, 29 Oct 1994 19:43:31 GMT\r\nConnection: close\r\n"
    b"Content-Length: 16\r\nContent-Type: application/octet-stream\r\nCache-Control: no-store\r\n"
    b"X-Content-Type-Options: nosniff\r\n\r\n" + KEY_AUTHORIZATION
)
ALLOWED = GOOD.replace(b"200 OK", b"405 No").replace(KEY_AUTHORIZATION, b"0123456789abcdef")
ALLOWED = ALLOWED.replace(b"\r\n\r\n", b"\r\nAllow: GET, HEAD\r\n\r\n")
(GET,) = [one for one in CASES if one.name == "GET" and one.send == "whole"]
(HEAD,) = [one for one in CASES if one.name == "HEAD" and one.send == "whole"]
(POST,) = [one for one in CASES if one.name == "POST of the resource"]
(KEPT,) = [one for one in CASES if one.name == "Connection: keep-alive"]
STAYS = GOOD.replace(b"close", b"keep-alive")


@pytest.mark.parametrize(
    ("one", "data"),
    [
        (GET, GOOD),
        (HEAD, GOOD[: -len(KEY_AUTHORIZATION)]),
        (POST, ALLOWED),
        (KEPT, STAYS + GOOD),
    ],
    ids=["GET", "HEAD", "POST", "kept"],
)
def test_the_judge_finds_nothing(one, data):
    assert conformance.judge(one, data, "end", KEY_AUTHORIZATION).wrong == []


@pytest.mark.parametrize(
    ("one", "data", "end"),
    [
        (GET, b"", "end"),
        (GET, GOOD, "reset"),
        (GET, GOOD, "open"),
        (GET, GOOD * 2, "end"),
        (GET, GOOD + b"\r\n", "end"),
        (GET, GOOD[:-1], "end"),
        (GET, GOOD[:-1] + b"x", "end"),
        (GET, b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD, "end"),
        (GET, GOOD.replace(b"200", b"404"), "end"),
        (GET, GOOD.replace(b"Date: Sat, ", b"Date: "), "end"),
        (GET, GOOD.replace(b"Date", b"Data"), "end"),
        (GET, GOOD.replace(b"close", b"keep-alive"), "end"),
        (GET, GOOD.replace(b"Content-Length", b"Content-Lengths"), "end"),
        (GET, GOOD.replace(b"octet-stream", b"json"), "end"),
        (GET, GOOD.replace(b"nosniff", b"sniff"), "end"),
        (GET, GOOD.replace(b"no-store", b"public"), "end"),
        (GET, GOOD.replace(b"Date:", b"Date :"), "end"),
        (GET, GOOD.replace(b"\r\nDate", b"\nDate"), "end"),
        (GET, GOOD.replace(b"HTTP/1.1", b"HTTP/2.0"), "end"),
        (GET, b"<html>", "end"),
        (HEAD, GOOD, "end"),
        (HEAD, GOOD[: -len(KEY_AUTHORIZATION)].replace(b"h: 16", b"h: 0"), "end"),
        (POST, ALLOWED.replace(b"GET, HEAD", b"GET"), "end"),
        (POST, ALLOWED.replace(b"Allow", b"Allowed"), "end"),
        (POST, ALLOWED.replace(b"0123456789abcdef", KEY_AUTHORIZATION), "end"),
        (KEPT, GOOD, "end"),
        (KEPT, STAYS, "end"),
        (KEPT, GOOD + GOOD, "end"),
        (KEPT, STAYS + STAYS, "end"),
        (KEPT, STAYS + GOOD + GOOD, "end"),
        (KEPT, STAYS + GOOD, "open"),
        (KEPT, STAYS + GOOD.replace(b"200", b"404"), "end"),
    ],
)
def test_the_judge_finds_it(one, data, end):
    assert conformance.judge(one, data, end, KEY_AUTHORIZATION).wrong


def test_what_is_sent():
    (end,) = [one for one in CASES if one.name == "the end behind the token"]
    assert end.send == END
    request = conformance.bytes_of(end, "aBc")
    assert request == b"GET /.well-known/acme-challenge/aBc"
    assert conformance.deliveries(end, request) == [([request], True)]
    by_name = {conformance.title(one): one for one in CASES}
    assert b"/aB " in conformance.bytes_of(by_name["token less its last letter"], "aBc")
    assert b"/ABC " in conformance.bytes_of(by_name["token in capitals"], "aBc")
    split = by_name["GET (split at every byte)"]
    request = conformance.bytes_of(split, "aBc")
    pieces = [pieces for pieces, _ in conformance.deliveries(split, request)]
    assert len(pieces) == len(request) - 1
    assert {b"".join(two) for two in pieces} == {request}
    for one in CASES:
        assert not {TOKEN, SHORT, UPPER} & set(
            conformance.bytes_of(one, "aBc").decode("latin-1").split("/")
        )
