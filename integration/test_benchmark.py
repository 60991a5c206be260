# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark's own judgement: it is not run here, but what makes it fail is."""

import json
import shutil
import signal
import subprocess
from types import SimpleNamespace

import pytest
from benchmark import (
    answering,
    chart,
    contender,
    footprint,
    growth,
    openers,
    page,
    pass_contenders,
    pass_measures,
    records,
    report,
    rivals,
    rounds,
    tables,
    window,
)
from benchmark.cores import Cores
from benchmark.course import Course
from benchmark.part import Measure, Metric, Part, Setting
from benchmark.strangers import connected
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


@pytest.fixture
def course(lab):
    """With production, and the shortest run there is."""
    return Course(
        lab, Cores(), SimpleNamespace(rounds=3, seconds=0.1, windows=10, only=None, contender=None)
    )


def only(course, kind):
    """The contender of this class."""
    (made,) = contender.make([kind], course)
    return made


def test_a_window_that_does_not_pass_is_no_contender(course):
    way = only(course, pass_contenders.Pass)
    way.configuration = "other_requests: not-found\n"
    try:
        with pytest.raises(Wrong, match="pass: the page is not production's, but 404"):
            way.start()
    finally:
        way.stop()


def network_of(host):
    """What a contender may have changed there, but for its processes."""
    shown = [
        *(("nft", "list", "tables"), ("ip", "rule"), ("ip", "route", "show", "table", "all")),
        *(("conntrack", "-L"), ("cat", "/proc/sys/net/ipv4/tcp_fwmark_accept")),
    ]
    return [host.run(*command).stdout for command in shown]


@pytest.mark.parametrize("kind", pass_contenders.CONTENDERS, ids=lambda kind: kind.name)
def test_every_way_leads_to_production_and_leaves_nothing(course, kind):
    host = course.lab.host
    there = network_of(host), set(host.processes())
    one = only(course, kind)
    for _ in range(2):
        try:
            one.start()
            assert bool(one.pids()) == (kind is not pass_contenders.Direct)
            found = pass_measures.Fresh().run(course, one)
            found |= pass_measures.Bulk("upload", 2).run(course, one)
            assert found["fresh_requests"] > 0
            assert found["upload_2_throughput"] > 0
        finally:
            one.stop()
        assert (network_of(host), set(host.processes())) == there


class Named(contender.Contender):
    """Notes what is done with it."""

    log = []

    def _start(self, setting):
        self.log.append(f"start {self.name}")

    def stop(self):
        self.log.append(f"stop {self.name}")


def kinds(*names):
    return [type(name, (Named,), {"name": name}) for name in names]


class Counted(Measure):
    """Ten times how often it was run before."""

    key = title = "counted"
    metrics = [Metric("count", "count", "", added=True)]

    def run(self, course, contender):
        return {"count": 10.0 * sum("start" in line for line in contender.log)}


def test_contenders_take_turns_and_each_begins(course, monkeypatch):
    monkeypatch.setattr(Named, "log", [])
    part = Part("of-tests", "", "a", kinds("a", "b", "c"), [Counted()])
    entered = contender.make(part.contenders, course)
    values, _ = rounds.measure_all(part, course, entered, SimpleNamespace(tell=lambda _: None))
    assert [line for line in Named.log if "start" in line] == [
        f"start {name}" for name in "abc" + "bca" + "cab"
    ]
    assert Named.log[1::2] == [line.replace("start", "stop") for line in Named.log[::2]]
    assert values["count"]["b"] == {0: 20.0, 1: 40.0, 2: 90.0}


class Seldom(Measure):
    key = title = "seldom"
    metrics = [Metric("seldom", "seldom", "")]
    most_rounds = 2

    def run(self, course, contender):
        return {"seldom": 1}


def test_a_measure_has_no_more_rounds_than_it_wants(course):
    part = Part("of-tests", "", "a", kinds("a", "b"), [Seldom(), Counted()])
    entered = contender.make(part.contenders, course)
    values, _ = rounds.measure_all(part, course, entered, SimpleNamespace(tell=lambda _: None))
    assert {name: list(found) for name, found in values["seldom"].items()} == {
        "a": [0, 1],
        "b": [0, 1],
    }
    assert list(values["count"]["a"]) == [0, 1, 2]


@pytest.mark.parametrize("error", [Wrong, AssertionError, OSError])
def test_who_fails_is_stopped_and_named(course, monkeypatch, error):
    monkeypatch.setattr(Named, "log", [])

    def fail(*_):
        raise error("a: an answer")

    monkeypatch.setattr(Counted, "run", fail)
    part = Part("of-tests", "", "a", kinds("a", "b"), [Counted()])
    with pytest.raises(OSError if error is OSError else Wrong) as caught:
        rounds.measure_all(
            *(part, course, contender.make(part.contenders, course)),
            SimpleNamespace(tell=lambda _: None),
        )
    assert Named.log == ["start a", "stop a"]
    if error is OSError:
        assert caught.value.__notes__ == ["That was of-tests, counted, a."]
    else:
        assert str(caught.value) == "of-tests, counted, a: an answer"


def test_ratios_are_of_one_round():
    """The machine was ten times slower in the second round; that is not the other's doing."""
    part = Part("of-tests", "", "a", kinds("a", "b"), [Counted()], baseline="a")
    values = {"count": {"a": {0: 100, 1: 10, 2: 200}, "b": {0: 50, 1: 5, 2: 150}}}
    record = report.summarize(part, values)
    entry = record["count"]["contenders"]["b"]
    assert entry["ratio"] == {"median": 0.5, "min": 0.5, "max": 0.75, "rounds": [0.5, 0.5, 0.75]}
    assert entry["added"]["rounds"] == [-50, -5, -50]
    assert "ratio" not in record["count"]["contenders"]["a"]
    found = {"contenders": {"a": "", "b": "", "absent": ""}, "results": record}
    (made,) = tables.tables(part, found, SimpleNamespace(rounds=3))
    lines = tables.lines(made)
    assert any(line.split() == ["b", "50", "0.50", "(0.50–0.75)", "-50"] for line in lines)
    assert not any("absent" in line for line in lines)


def test_nothing_is_divided_by_nothing():
    part = Part("of-tests", "", "a", kinds("a", "b"), [Counted()])
    record = report.summarize(part, {"count": {"a": {0: 0, 1: 2}, "b": {0: 1, 1: 1}}})
    assert record["count"]["contenders"]["b"]["ratio"]["rounds"] == [0.5]
    record = report.summarize(part, {"count": {"b": {0: 1}}})
    assert "ratio" not in record["count"]["contenders"]["b"]


@pytest.mark.parametrize("kind", answering.PART.contenders, ids=lambda kind: kind.name)
def test_every_contender_answers_and_leaves_nothing(course, kind):
    there = set(course.lab.host.processes())
    one = only(course, kind)
    for setting in (Setting(), Setting(tokens=3), Setting(keep=True)):
        try:
            one.start(setting)
            assert one.pids()
            assert one.answers()
            measure = answering.Kept(setting) if setting.keep else answering.Fresh(setting)
            found = measure.run(course, one)
            assert found[f"{measure.key}_requests"] > 0
        finally:
            one.stop()
        assert set(course.lab.host.processes()) == there


def test_only_ours_and_the_standalone_server_close_kept_connections(course):
    """What is told as a rate of kept connections is one, or the report says that it is not."""
    for one in contender.make([rivals.NginxReturn, rivals.Standalone], course):
        try:
            one.start(Setting())
            expect = course.lab.directory / "expected"
            expect.write_bytes(one.challenges.body)
            how = ("--keep-alive", "--or-close", "--connections", 4)
            found = course.load(one, 0.1, *how, path=one.challenges.path, expect=expect)
            assert (found["connections"] == 4) == one.keeps
            assert one.keeps or found["connections"] == found["requests"]
        finally:
            one.stop()


def test_who_closes_a_connection_that_is_to_be_kept_is_found(course):
    one = only(course, rivals.Canned)
    try:
        one.start(Setting())
        expect = course.lab.directory / "body"
        with pytest.raises(Wrong, match="closed a connection that was to be kept"):
            course.load(one, 0.1, "--keep-alive", path="/", expect=expect)
    finally:
        one.stop()


def test_who_answers_wrongly_is_no_contender(course, monkeypatch):
    one = only(course, rivals.NginxReturn)
    monkeypatch.setattr(one, "_server", lambda: "return 200 wrong;")
    with pytest.raises(Wrong, match="nginx-return: the challenge is not answered, but 200"):
        try:
            one.start(Setting())
        finally:
            one.stop()


def test_who_answers_for_unknown_tokens_is_no_contender(course, monkeypatch):
    one = only(course, rivals.Canned)
    monkeypatch.setattr(one, "knows_tokens", True)
    with pytest.raises(Wrong, match="canned: a token that nobody registered is answered"):
        try:
            one.start(Setting())
        finally:
            one.stop()


def test_strangers_who_are_sent_away_are_missed(course):
    one = only(course, rivals.NginxReturn)
    try:
        one.start(Setting())
        with pytest.raises(Wrong, match="nginx-return: 20 of 20 strangers were sent away"):
            with connected(one, 20):
                one.stop()
    finally:
        one.stop()


def test_strangers_who_are_never_accepted_are_missed(course, monkeypatch):
    monkeypatch.setattr("benchmark.strangers.PATIENCE_S", 1)
    one = only(course, rivals.NginxReturn)
    try:
        one.start(Setting())
        monkeypatch.setattr(one, "pids", lambda: [])
        with pytest.raises(Wrong, match="0 descriptors more for 20 strangers"):
            with connected(one, 20):
                pass
    finally:
        one.stop()


def test_the_standalone_server_is_spared_what_it_cannot_do(course):
    measures = {measure.key: measure for measure in answering.MEASURES}
    one = only(course, rivals.Standalone)
    assert not measures["fresh_100000"].takes(one)
    assert not measures["fresh_1000_strangers"].takes(one)
    assert measures["fresh_1000"].takes(one)


# ---- footprint ----


def test_memory_is_what_the_kernel_says(course):
    """Who has written to 8 MiB more has so much more."""
    code = "import signal, sys; b = b'x' * int(sys.argv[1]); print('ready', flush=True)"
    found = []
    for size in (1, 8 << 20):
        process = course.lab.host.start(
            *("/usr/bin/python3", "-c", f"{code}; signal.pause()", size), name="python"
        )
        process.output.wait_for("^ready$")
        found.append(footprint.memory([process.pid]))
        process.signal(signal.SIGKILL)
        process.wait()
    for before, after in zip(*found):
        assert 8000 <= after - before <= 9000


def test_a_program_just_installed_has_no_dirty_pages(tmp_path):
    """Its own copy, since one that somebody else has mapped would be shared."""
    found = []
    for written_back in (False, True):
        copy = tmp_path / f"python-{written_back}"
        shutil.copyfile("/usr/bin/python3", copy)
        copy.chmod(0o755)
        if written_back:
            rounds.write_back(tmp_path)
        process = subprocess.Popen(
            [copy, "-S", "-c", "print(1, flush=True); input()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        process.stdout.readline()
        found.append(footprint.memory([process.pid])[0])
        process.communicate(b"\n")
    assert found[0] > found[1] + 1000


def test_wake_ups_are_counted(course, monkeypatch):
    monkeypatch.setattr(footprint, "SPAN_S", 1)
    code = "import select; exec('while True: select.select([], [], [], 0.05)')"
    process = course.lab.host.start("/usr/bin/python3", "-c", code, name="python")
    found = footprint.switches_a_minute([process.pid])
    assert 600 <= found <= 1800
    process.signal(signal.SIGKILL)
    process.wait()


def test_a_size_is_without_symbols(course):
    built = programs.build_directory() / "src/wicket-responder"
    assert 10000 < footprint.stripped_size(built) < built.stat().st_size / 2


@pytest.mark.parametrize("kind", [footprint.Window, rivals.Canned], ids=lambda kind: kind.name)
def test_the_first_answer_comes_after_the_start(course, kind):
    one = only(course, kind)
    measure = footprint.FirstAnswer()
    try:
        assert 1 < measure.run(course, one)["first_answer"] < 5000
    finally:
        one.stop()
    assert one.pids() == []


def test_nothing_runs_between_renewals(course):
    one = only(course, footprint.Window)
    assert footprint.Nothing().run(course, one) == {"nothing": 0}


def test_who_passes_no_visitor_is_found(course):
    one = only(course, footprint.Window)
    one.configuration += "other_requests: not-found\n"
    try:
        one.start()
        with pytest.raises(Wrong, match="window: the page is not production's"):
            with footprint.visitors(one, 3):
                pass
    finally:
        one.stop()


def test_ours_is_told_program_by_program(course):
    one = only(course, footprint.Window)
    try:
        one.start()
        measure = footprint.MEASURES[0]
        found = measure.run(course, one)
        assert found["idle_private"] == sum(found[f"idle_{name}"] for name in footprint.PROGRAMS)
        assert all(found[f"idle_{name}"] > 0 for name in footprint.PROGRAMS)
    finally:
        one.stop()


# ---- windows ----


@pytest.mark.parametrize("kind", openers.OPENERS, ids=lambda kind: kind.name)
def test_a_turn_is_seen_both_ways(course, kind):
    one = only(course, kind)
    try:
        one.start()
        for _ in range(2):
            opened = window.turn(course, one, "here", one.open_command())
            shut = window.turn(course, one, "gone", one.shut_command())
            assert all(0 < value < 5000 for value in (*opened[:2], *shut[:2]))
            # Few are caught by the change; a lab that answers nobody looks otherwise.
            assert opened[2] + shut[2] < 5
            one.forget()
    finally:
        one.stop()


def test_a_command_that_changes_nothing_is_found(course):
    one = only(course, openers.Nft)
    try:
        one.start()
        with pytest.raises(Wrong, match="nft: turn: turned already before the command"):
            window.turn(course, one, "gone", ["true"])
        with pytest.raises(Wrong, match="nft: turn: false failed"):
            window.turn(course, one, "here", ["false"])
        with pytest.raises(Wrong, match="nft: turn: the answers did not turn"):
            window.turn(course, one, "here", ["true"])
    finally:
        one.stop()


def test_windows_by_messages_and_in_a_row(course):
    one = only(course, openers.Commands)
    for measure in (window.InARow(), window.Messages()):
        try:
            one.start()
            start = one.wicket.status()["counters"]["windows"]
            found = measure.run(course, one)
            assert one.wicket.status()["counters"]["windows"] - start == 10
        finally:
            one.stop()
        assert all(value > 0 for value in found.values())


def test_a_refused_window_is_no_window(course):
    one = only(course, openers.Commands)
    one.configuration = f"tokens:\n  accounts: [{'A' * 43}]\n"
    try:
        one.start()
        with pytest.raises(Wrong, match="wicket: the ACME account"):
            window.by_messages(one, 1)
    finally:
        one.stop()


def test_a_rearm_takes_time_on_a_processor(course, monkeypatch):
    monkeypatch.setattr(window.Rearm, "span_s", 2)
    found = window.Rearm().run(course, only(course, openers.Commands))
    assert 1 < found["rearm"] < 100000


# ---- growth ----


@pytest.mark.parametrize("kind", [openers.Commands, openers.Nft], ids=lambda kind: kind.name)
def test_only_the_sources_are_redirected(course, kind):
    one = only(course, kind)
    listed = openers.sources(1000)
    assert len(set(listed)) == 1000
    try:
        one.start(Setting(sources=1000))
        window.turn(course, one, "here", one.open_command())
        assert listed[-1] in course.lab.host.run("nft", "list", "ruleset").stdout
    finally:
        one.stop()


def test_a_chart_is_drawn_with_all_its_points(tmp_path):
    drawn = growth.RATE
    values = {
        drawn.metric(size).name: {"responder": {0: 1000.0 / size, 1: 2000.0 / size}}
        for size in growth.TOKENS
    }
    record = {"results": report.summarize(growth.PART, values)}
    (path,) = chart.draw(growth.PART, record, tmp_path)
    text = path.read_text()
    assert path.name == "tokens_rate.svg"
    assert "</svg>" in text
    assert all(word in text for word in ("responder", drawn.title, "requests, 1/s"))
    script = chart.script(drawn, chart.points(drawn, growth.PART, record["results"]), path)
    assert "100 15.0 10.0 20.0\n" in script
    ((_, made),) = chart.tables(growth.PART, record)
    assert any(line.split() == ["100", "15", "(10–20)"] for line in tables.lines(made))


def test_every_measure_of_growth_is_in_a_chart():
    for measure in growth.MEASURES:
        assert measure.charts
        assert all(one in growth.PART.charts for one in measure.charts)
    names = [metric.name for measure in growth.MEASURES for metric in measure.metrics]
    assert len(names) == len(set(names))


# ---- tables, records, pages ----


class Wide(Measure):
    """Of many metrics, one of which only a few contenders have."""

    key = title = "wide"
    metrics = [
        *(Metric(f"wide_{n}", f"metric number {n}", "µs") for n in range(8)),
        Metric("few", "this heading has no room beside others", "kB", compared=False),
    ]


def one_run(factor=1, rounds=(0, 1)):
    """A record of a part whose numbers have this factor."""
    part = Part("of-tests", "Of tests", "a", kinds("a", "b"), [Wide()])
    values = {
        metric.name: {
            name: {n: factor * size * (n + 1) for n in rounds}
            for name, size in (("a", 1), ("b", 3))
        }
        for metric in Wide.metrics[:-1]
    }
    values["few"] = {"b": {0: 7}}
    return part, {
        **{name: 2 for name in records.SAME if name != "machine"},
        "machine": {"processor": "P", "cores": 2, "kernel": "6.1", "packages": {"nginx": "1.22"}},
        "parts": {
            "of-tests": {
                "ours": "a",
                "contenders": {"a": "ours", "b": "the | other"},
                "results": report.summarize(part, values),
                "busy_by_others": report.summary([0.01]),
            }
        },
    }


def test_a_wide_table_is_broken_where_a_metric_ends():
    part, record = one_run()
    (made,) = tables.tables(part, record["parts"]["of-tests"], SimpleNamespace(rounds=2))
    lines = tables.lines(made)
    assert max(map(len, lines)) <= tables.WIDTH
    headings = [line for line in lines if "metric number" in line]
    assert len(headings) == 2
    # Who has none of the metrics of a block is not in it.
    assert [line.split()[0] for line in lines if line.split()[0] in "ab"] == list("ababb")
    assert sum(line.count("× ours") for line in lines) == 8
    assert sum(line.count("3.00") for line in lines) == 8


@pytest.mark.parametrize(
    ("value", "told"),
    [(0, "0"), (0.00123, "0.0012"), (0.5, "0.50"), (12.34, "12.3"), (1234.5, "1,234")],
)
def test_a_ratio_has_the_digits_that_tell_something(value, told):
    assert tables.ratio_number(value) == told


def test_a_table_tells_of_fewer_rounds():
    part, record = one_run()
    part.measures.append(Wide())
    part.measures[0].most_rounds = 1
    made = tables.tables(part, record["parts"]["of-tests"], SimpleNamespace(rounds=2))
    assert [one.title for one in made] == ["wide; 1 round", "wide"]


def test_a_long_description_stays_in_its_column():
    lines = tables.described({"a-long-name": "word " * 40, "b": "short"})
    assert len(lines) == 3
    assert {line.index(word) for line, word in zip(lines, ["word", "word", "short"])} == {15}


def test_several_runs_have_the_range_of_their_medians():
    part, one = one_run(1)
    _, other = one_run(3)
    _, third = one_run(100)
    del third["parts"]["of-tests"]["results"]["few"]
    merged = records.merge([one, other, third])["parts"]["of-tests"]
    entry = merged["results"]["wide_0"]["contenders"]["b"]
    assert (entry["median"], entry["min"], entry["max"]) == (13.5, 4.5, 450)
    assert entry["ratio"]["rounds"] == [3, 3, 3]
    assert merged["runs"] == 3
    assert merged["results"]["few"]["contenders"]["b"]["rounds"] == [7, 7]
    (made,) = tables.tables(part, merged, SimpleNamespace(rounds=2))
    assert made.names == ["a", "b"]


def test_one_run_is_not_merged_with_itself():
    _, one = one_run()
    assert records.merge([one])["parts"] == one["parts"]


def test_parts_may_come_from_different_runs():
    _, one = one_run()
    _, other = one_run()
    other["parts"] = {"else": other["parts"]["of-tests"]}
    merged = records.merge([one, other])["parts"]
    assert list(merged) == ["of-tests", "else"]
    assert not any("runs" in found for found in merged.values())


def test_runs_that_are_not_alike_are_not_merged():
    _, one = one_run()
    _, other = one_run()
    other["seconds"] = 3
    with pytest.raises(Wrong, match="the runs are not alike: seconds"):
        records.merge([one, other])


def test_a_record_that_is_none_is_named(tmp_path):
    (tmp_path / "record").write_text("{")
    with pytest.raises(Wrong, match="/record: "):
        records.read(tmp_path / "record")


def test_a_page_has_every_number_and_the_notes(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "NOTES", tmp_path)
    (tmp_path / "of-tests.md").write_text("Where the time goes.\n")
    part, record = one_run()
    text = page.text([part], record, tmp_path / "page.md")
    assert "## Of tests\n\nWhere the time goes.\n" in text
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("|")]
    assert {len(row) for row in rows} == {1 + 8 * 2 + 1}
    assert [row[0].strip() for row in rows] == ["", "---", "a", "b"]
    assert rows[3][1:3] == [" 4 ", " 3.00 "]
    assert rows[3][-1] == " 7 "
    assert "nginx 1.22" in text
    assert "integration/bench --rounds 2 " in text
    (tmp_path / "of-tests.md").unlink()
    assert "Where the time goes." not in page.text([part], record, tmp_path / "page.md")


def test_a_page_links_its_drawings(tmp_path):
    drawn = growth.RATE
    values = {drawn.metric(1).name: {"responder": {0: 1000.0}}}
    _, record = one_run()
    found = record["parts"].pop("of-tests")
    found["results"] = report.summarize(growth.PART, values)
    record["parts"]["growth"] = found
    drawings = tmp_path / "doc/performance"
    chart.draw(growth.PART, found, drawings)
    text = page.text([growth.PART], record, tmp_path / "page.md", drawings)
    assert [path.name for path in drawings.iterdir()] == ["tokens_rate.svg"]
    assert "](doc/performance/tokens_rate.svg)" in text
    assert "| 1 | 1,000 |" in text
    assert "](" not in page.text([growth.PART], record, tmp_path / "page.md")
