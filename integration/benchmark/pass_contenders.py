# SPDX-License-Identifier: GPL-2.0-or-later
"""The ways of a visitor to production that are compared."""

from lab import network
from lab.lab import HOST4
from lab.wicket import Wicket

from .contender import Contender
from .wrong import Wrong


class Way(Contender):
    """`sees_visitor`: production is to see the visitor's own address."""

    bulk_port = 80
    sees_visitor = True
    passes = True

    def _get(self, path):
        return network.get(
            self.lab.outside, HOST4, path, port=self.port, source=self.sources[0], timeout=10
        )

    def _check(self, _setting):
        answer = self._get("/")
        if (answer.server, answer.status) != ("production", 200):
            got = f"{answer.status} of the {answer.server}" if answer.status else answer.error
            raise Wrong(f"{self.name}: the page is not production's, but {got}")
        wanted = self.sources[0] if self.sees_visitor else "127.0.0.1"
        seen = self._get("/visitor").body.decode("utf-8", "replace").strip()
        if seen != wanted:
            raise Wrong(f"{self.name}: production sees {seen} instead of {wanted}")


class Direct(Way):
    """Nobody in between."""

    name = "direct"
    describe = "straight to production"


class Pass(Way):
    """Through an open window: the responder hands on what is no challenge."""

    name = "pass"
    describe = "through an open window"
    configuration = "other_requests: pass\n"
    _keeper = None

    def _start(self, _setting):
        self._wicket = Wicket(self.lab)
        self._wicket.configure(self.configuration)
        self._keeper = self._wicket.serve(prefix=self.cores.prefix)
        self._wicket.run("open", "--for", "30m")

    def stop(self):
        if self._keeper:
            self._wicket.leave(self._keeper)
            self._keeper = None
            # The next window begins as the first one did.
            self.lab.host.run("conntrack", "--flush")

    def pids(self):
        host = self.lab.host
        return host.pids_of("wicket-keeper") + host.pids_of("wicket-responder")


# Measured: splice-auto never splices a download here, as it takes no stream for fast enough, and
# splicing always makes a small page a tenth dearer. So there is a port for each. Larger buffers in
# place of splicing, and limits on what is accepted at once, are no better.
HAPROXY = """\
global
    nbthread 1
    maxconn 4200
    tune.pipesize 1048576
defaults
    mode tcp
    maxconn 4200
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    option tcp-smart-accept
    option tcp-smart-connect
listen pages
    bind 0.0.0.0:81 defer-accept backlog 4096
    option splice-auto
    server production 127.0.0.1:80{source}
listen bulk
    bind 0.0.0.0:82 defer-accept backlog 4096
    option splice-request
    option splice-response
    server production 127.0.0.1:80{source}
"""


class HAProxy(Way):
    """
    On ports of its own, which visitors ask directly: without the redirect that a window has, and
    so without connection tracking, which is to its favour. The same goes for its settings.
    """

    name = "haproxy"
    describe = "HAProxy in TCP mode, on ports of its own"
    port = 81
    bulk_port = 82
    sees_visitor = False
    source = ""  # of its connections to production, if not its own
    _process = None

    def _start(self, _setting):
        (self.lab.directory / "haproxy.cfg").write_text(HAPROXY.format(source=self.source))
        self._process = self.lab.host.start(
            "haproxy", "-db", "-f", "/mnt/haproxy.cfg", prefix=self.cores.prefix
        )
        try:
            network.wait_listening(self.lab.host, HOST4, HAProxy.port)
        except AssertionError as error:
            said = " ".join(self._process.output.text().split())
            raise Wrong(f"{self.name}: {error}; it said: {said}") from None

    def stop(self):
        if self._process:
            self._process.stop()
            self._process = None

    def pids(self):
        return self.lab.host.pids_of("haproxy")


REDIRECT = f"""\
table inet benchmark {{
    chain prerouting {{
        type nat hook prerouting priority -110;
        iifname "wire" tcp dport 80 redirect to :{HAProxy.port}
        iifname "wire" tcp dport 83 redirect to :{HAProxy.bulk_port}
    }}
}}
"""


class Redirected(HAProxy):
    """The same job as a window's: production keeps port 80."""

    name = "haproxy-redirected"
    describe = "the same, with port 80 redirected there by nftables"
    port = 80
    bulk_port = 83

    def _start(self, setting):
        super()._start(setting)
        self.lab.host.nft(REDIRECT)

    def stop(self):
        super().stop()
        self.lab.host.run("nft", "flush", "ruleset")
        self.lab.host.run("conntrack", "--flush")


# What production sends to a visitor's address is to come back to this host: the first packet of
# HAProxy has a mark, which production's socket takes over, and what has it is routed here.
MARK = 1
TABLE = 100
MARKED = f"""\
table inet benchmark-source {{
    chain output {{
        type route hook output priority -150;
        oifname "lo" tcp dport 80 tcp flags & (fin | syn | rst | ack) == syn \
            fib saddr type != local meta mark set {MARK}
    }}
}}
"""


class Transparent(Redirected):
    """The same job in full: production sees the visitor's address."""

    name = "haproxy-transparent"
    describe = "the same, and `usesrc clientip`: production sees the visitor's own address"
    sees_visitor = True
    source = " source 0.0.0.0 usesrc clientip"
    rule = f"fwmark {MARK} lookup {TABLE}"
    route = f"local default dev lo table {TABLE}"

    def _start(self, setting):
        super()._start(setting)
        self.lab.host.sysctl("net/ipv4/tcp_fwmark_accept", 1)
        self.lab.host.ip(f"rule add {self.rule}", f"route add {self.route}")
        self.lab.host.nft(MARKED)

    def stop(self):
        super().stop()
        self.lab.host.sysctl("net/ipv4/tcp_fwmark_accept", 0)
        for what in (f"rule del {self.rule}", f"route del {self.route}"):
            # Neither is there if it was not started in full.
            self.lab.host.run("ip", *what.split(), check=False)


CONTENDERS = [Direct, Pass, HAProxy, Redirected, Transparent]
