# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark's own judgement: it is not run here, but what makes it fail is."""

import json

import pytest
from benchmark import contenders
from benchmark.cores import Cores
from benchmark.wrong import Wrong
from lab import programs
from lab.lab import HOST4, HOST6, VISITORS4, VISITORS6
from lab.production import Production


@pytest.fixture
def load(lab):
    """tests/benchmark/load with these arguments, for a moment, against production."""
    production = Production(lab, "nginx")

    def run(*arguments, address=HOST4, path="/", expect="index.html"):
        result = lab.outside.run(
            programs.build_directory() / "tests/benchmark/load",
            *("--seconds", "0.1", "--connections", "8"),
            *("--expect", lab.directory / "production/pages" / expect),
            *(*arguments, address, 80, path),
            check=False,
        )
        return result, production.requests()

    return run


@pytest.mark.parametrize(
    ("address", "visitors"), [(HOST4, VISITORS4[:2]), (HOST6, VISITORS6[:2])], ids=["v4", "v6"]
)
def test_every_request_is_counted_once(load, address, visitors):
    sources = [part for visitor in visitors for part in ("--from", visitor)]
    result, seen = load(*sources, address=address)
    assert result.returncode == 0, result.stderr
    asked = [request for request in seen if request[0] in visitors]
    assert json.loads(result.stdout)["requests"] == len(asked) > 0
    assert {request[0] for request in asked} == set(visitors)


@pytest.mark.parametrize("how", [[], ["--keep-alive"], ["--close-first"]])
def test_a_rate_is_kept(load, how):
    result, _ = load("--rate", "500", *how)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["requests"] == 50
    assert found["latency_us"]["min"] <= found["latency_us"]["p50"] <= found["latency_us"]["max"]


def test_a_wrong_byte_is_found(load, lab):
    page = (lab.directory / "production/pages/large.bin").read_bytes()
    wrong = bytearray(page)
    wrong[len(wrong) // 2] ^= 1
    (lab.directory / "production/pages/wrong.bin").write_bytes(wrong)
    result, _ = load("--compare-all", path="/large.bin", expect="large.bin")
    assert result.returncode == 0, result.stderr
    result, _ = load("--compare-all", path="/large.bin", expect="wrong.bin")
    assert result.returncode != 0
    assert "another body than expected" in result.stderr


def test_a_wrong_length_and_a_wrong_status_are_found(load):
    result, _ = load(path="/large.bin")
    assert "bytes instead of" in result.stderr
    assert result.returncode != 0
    result, _ = load(path="/nothing-there")
    assert 'the answer was "HTTP/1.1 404 ' in result.stderr
    assert result.returncode != 0


def test_a_window_that_does_not_pass_is_no_contender(lab):
    Production(lab, "nginx")
    (contender,) = contenders.make(lab, Cores(), ["pass"])
    contender.configuration = "other_requests: not-found\n"
    try:
        with pytest.raises(Wrong, match="pass: the page is not production's, but 404"):
            contender.start()
    finally:
        contender.stop()
