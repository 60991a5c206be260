# SPDX-License-Identifier: GPL-2.0-or-later
"""The shape of each cost: against tokens, strangers, connections, sources and windows."""

import statistics

from .answering import AT_A_TIME, Fresh, FreshLatency
from .chart import Chart, Sized
from .footprint import HAProxyTCP, memory, visitors
from .openers import Commands, Nft
from .part import Part, Setting
from .responders import Alone, Window
from .rivals import HAProxyReturn, NginxFile, NginxReturn
from .window import by_messages, turn

TOKENS = [1, 10, 100, 1000, 10000, 100000]
STRANGERS = [0, 10, 100, 1000, 3000]
CONNECTIONS = [1, 500, 1000, 2000, 4000]
SOURCES = [1, 10, 100, 1000, 10000]
PARTS = 10  # of the windows in a row
TIMES = 5

RATE = Chart(
    *("tokens_rate", "Answers over fresh connections", "tokens", "requests", "1/s"),
    logarithmic="x",
)
CPU = Chart(
    *("tokens_cpu", "An answer's time of the servers' core", "tokens", "busy", "µs", 1),
    logarithmic="x",
)
TOKEN_LATENCY = Chart(
    *("tokens_latency", "Latency of an answer", "tokens", "p50", "µs"), logarithmic="x"
)
TOKEN_MEMORY = Chart(
    *("tokens_memory", "Memory of registered tokens", "tokens", "Private_Dirty", "kB"),
    logarithmic="xy",
)
STRANGER_LATENCY = Chart(
    "strangers_latency", "Latency of an answer beside idle strangers", "strangers", "p50", "µs"
)
CONNECTION_MEMORY = Chart(
    *("connections_memory", "Memory of passed connections", "connections", "Private_Dirty", "kB")
)
SOURCE_OPEN = Chart(
    *("sources_open", "Opening a window for some networks only", "networks", "in force", "ms", 2),
    logarithmic="xy",
)
WINDOW_OPEN = Chart(
    *(
        "windows_open",
        "Windows in a row, by messages",
        "windows so far, in tenths",
        "opened, p50",
        "µs",
    )
)
WINDOW_MEMORY = Chart(
    *(
        "windows_memory",
        "Memory after windows in a row",
        "windows so far, in tenths",
        "Private_Dirty",
        "kB",
    )
)


class Growing(Sized):
    """At one size, of these contenders."""

    names = ()

    def __init__(self, size, setting=Setting()):
        super().__init__([size])
        self.size = size
        self.setting = setting
        self.key = self.charts[0].key
        self.title = f"{self.charts[0].title}: {self.charts[0].size} {size:,}"

    def takes(self, contender):
        return contender.name in self.names

    def named(self, *values):
        return {chart.metric(self.size).name: value for chart, value in zip(self.charts, values)}


def named(*kinds):
    return [kind.name for kind in kinds]


class TokenAnswers(Growing):
    charts = [RATE, CPU]
    names = named(Alone, NginxReturn, NginxFile, HAProxyReturn)

    def run(self, course, contender):
        result, cost = Fresh(self.setting).load(course, contender, "--connections", AT_A_TIME)
        requests = result["requests"]
        busy = cost.core if course.cores.separate else cost.contender
        return self.named(requests / result["seconds"], busy * 1e6 / requests)


class Latencies(Growing):
    names = named(Alone, NginxReturn, NginxFile, HAProxyReturn)

    def run(self, course, contender):
        measure = FreshLatency(self.setting)
        return self.named(measure.run(course, contender)[f"{measure.key}_p50"])


class TokenLatency(Latencies):
    charts = [TOKEN_LATENCY]


class StrangerLatency(Latencies):
    charts = [STRANGER_LATENCY]


class TokenMemory(Growing):
    charts = [TOKEN_MEMORY]
    names = named(Window, NginxReturn, HAProxyReturn)

    def run(self, course, contender):
        return self.named(memory(contender.pids())[0])


class ConnectionMemory(Growing):
    charts = [CONNECTION_MEMORY]
    names = named(Window, HAProxyTCP)

    def run(self, course, contender):
        with visitors(contender, self.size):
            return self.named(memory(contender.pids())[0])


class SourceOpen(Growing):
    charts = [SOURCE_OPEN]
    names = named(Commands, Nft)

    def run(self, course, contender):
        times = []
        for _ in range(TIMES):
            times.append(turn(course, contender, "here", contender.open_command())[0])
            turn(course, contender, "gone", contender.shut_command())
        return self.named(statistics.median(times))


class WindowsInARow(Sized):
    """Over one connection, in parts."""

    key = WINDOW_OPEN.key
    title = WINDOW_OPEN.title
    charts = [WINDOW_OPEN, WINDOW_MEMORY]

    def __init__(self):
        super().__init__(range(1, PARTS + 1))

    def takes(self, contender):
        return contender.name == Commands.name

    def run(self, course, contender):
        found = {}
        for number in self.sizes:
            opened, _ = by_messages(contender, max(course.options.windows // PARTS, 1))
            found[WINDOW_OPEN.metric(number).name] = statistics.median(opened)
            found[WINDOW_MEMORY.metric(number).name] = memory(contender.pids())[0]
        return found


MEASURES = [
    *(kind(size, Setting(tokens=size)) for size in TOKENS for kind in (TokenAnswers, TokenLatency)),
    *(TokenMemory(size, Setting(tokens=size)) for size in TOKENS),
    *(StrangerLatency(size, Setting(strangers=size)) for size in STRANGERS),
    *(ConnectionMemory(size) for size in CONNECTIONS),
    *(SourceOpen(size, Setting(sources=size)) for size in SOURCES),
    WindowsInARow(),
]

PART = Part(
    key="growth",
    title="Growth: each cost against its size",
    ours="responder",
    contenders=[Alone, Window, NginxReturn, NginxFile, HAProxyReturn, HAProxyTCP, Commands, Nft],
    measures=MEASURES,
    charts=[
        *(RATE, CPU, TOKEN_LATENCY, TOKEN_MEMORY, STRANGER_LATENCY, CONNECTION_MEMORY),
        *(SOURCE_OPEN, WINDOW_OPEN, WINDOW_MEMORY),
    ],
)
