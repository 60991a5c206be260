# SPDX-License-Identifier: GPL-2.0-or-later
"""Where contenders are measured: the lab, the cores, production, and the load."""

import json
import socket
from typing import NamedTuple

from lab import programs
from lab.lab import HOST4

from .cores import core_seconds, cpu_seconds
from .server import Server
from .strangers import ADDRESSES
from .wrong import Wrong

WARM_UP_S = 0.3
PATIENCE_S = 60  # beyond the seconds that a load is to last


class Cost(NamedTuple):
    """Seconds of a processor, while something was measured."""

    contender: float
    production: float
    core: float  # the servers' core, for whatever


class Course:
    """Made anew for each part, with its lab."""

    def __init__(self, lab, cores, options):
        self.lab = lab
        self.cores = cores
        self.options = options
        self._prepare()
        self.server = Server(lab, cores)

    def _prepare(self):
        """What in the lab would be measured along, or run out."""
        # Its validators' addresses need connection tracking, for which visitors would pay.
        self.lab.outside.nft("delete table inet validators\n")
        self.lab.outside.ip(*[f"addr add {address}/24 dev wire" for address in ADDRESSES])
        self.lab.outside.sysctl("net/ipv4/ip_local_port_range", "1024 65535")
        # Whoever asks for a longer queue of the not yet accepted is to get it.
        self.lab.host.sysctl("net/core/somaxconn", 4096)
        self.lab.host.sysctl("net/ipv4/tcp_max_syn_backlog", 4096)

        # Who looks for the host's own name finds it here, as Debian's installer has it, and waits
        # for no name server: the lab has one for its CA only.
        with (self.lab.directory / "etc/hosts").open("a") as hosts:
            hosts.write(f"127.0.1.1 {socket.gethostname()}\n")

        self._receive(self.lab.host, self.cores.servers)
        self._receive(self.lab.outside, self.cores.visitors)

    @staticmethod
    def _receive(host, core):
        """
        Whoever sends a packet over the wire would do the receiver's work for it, on the sender's
        core: with that, the load paid for most of a server's connections. As with two machines,
        what a host receives is its own core's work.
        """
        host.run(
            *("unshare", "--mount", "sh", "-c"),
            "mount -t sysfs sysfs /sys &&"
            f" echo {1 << core:x} >/sys/class/net/wire/queues/rx-0/rps_cpus",
        )

    def load(self, contender, seconds, *arguments, path="/", port=None, expect=None):
        """tests/benchmark/load; returns what it has printed."""
        command = [programs.build_directory() / "tests/benchmark/load"]
        for source in contender.sources:
            command += ["--from", source]
        if expect:
            command += ["--expect", expect]
        command += ["--seconds", seconds, *arguments, HOST4, port or contender.port, path]
        result = self.lab.outside.run(*command, check=False, timeout=seconds + PATIENCE_S)
        if result.returncode != 0:
            raise Wrong(f"{contender.name}: {path}: {result.stderr.strip()}")
        return json.loads(result.stdout)

    def warmed_up(self, contender, *arguments, **more):
        """(what came of it, its cost) of a load behind a short one whose answers are all compared."""
        self.load(contender, WARM_UP_S, "--compare-all", *arguments, **more)
        return self.counting(
            contender, lambda: self.load(contender, self.options.seconds, *arguments, **more)
        )

    def counting(self, contender, run):
        """What `run` returns, and its cost."""
        pids, production = contender.pids(), self.server.pids()

        def spent():
            return cpu_seconds(pids), cpu_seconds(production), core_seconds(self.cores.servers)

        before = spent()
        result = run()
        return result, Cost(*(after - start for start, after in zip(before, spent())))
