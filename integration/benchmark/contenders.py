# SPDX-License-Identifier: GPL-2.0-or-later
"""
The ways of a visitor to production that are compared. Each is there only while it is measured, so
that none is slowed down by another's: rules and connection tracking above all.
"""

from lab import network
from lab.lab import HOST4, OUTSIDE4
from lab.wicket import Wicket

from .wrong import Wrong


class Contender:
    """`sees_visitor`: production is to see the visitor's own address."""

    name = ""
    port = 80
    bulk_port = 80
    sees_visitor = True

    def __init__(self, lab, cores, sources):
        self.lab = lab
        self.cores = cores
        # Addresses of visitors, of this contender alone: a port that another's visitor has just
        # used may still be in production's TIME_WAIT.
        self.sources = sources

    def start(self):
        """Ready for visitors, and proved to be."""
        self._start()
        self._check()

    def stop(self):
        """As if it had never been there."""

    def pids(self):
        """The processes between visitor and production."""
        return []

    def _start(self):
        pass

    def _get(self, path):
        return network.get(
            self.lab.outside, HOST4, path, port=self.port, source=self.sources[0], timeout=10
        )

    def _check(self):
        answer = self._get("/")
        if (answer.server, answer.status) != ("production", 200):
            got = f"{answer.status} of the {answer.server}" if answer.status else answer.error
            raise Wrong(f"{self.name}: the page is not production's, but {got}")
        wanted = self.sources[0] if self.sees_visitor else "127.0.0.1"
        seen = self._get("/visitor").body.decode("utf-8", "replace").strip()
        if seen != wanted:
            raise Wrong(f"{self.name}: production sees {seen} instead of {wanted}")


class Direct(Contender):
    """Nobody in between."""

    name = "direct"


class Pass(Contender):
    """Through an open window: the responder hands on what is no challenge."""

    name = "pass"
    configuration = "other_requests: pass\n"
    _keeper = None

    def _start(self):
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
# splicing always makes a small page a tenth dearer. So there is a port for each.
HAPROXY = """\
global
    nbthread 1
    maxconn 4000
    tune.pipesize 1048576
defaults
    mode tcp
    maxconn 4000
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    option tcp-smart-accept
    option tcp-smart-connect
listen pages
    bind 0.0.0.0:81 defer-accept backlog 4096
    option splice-auto
    server production 127.0.0.1:80
listen bulk
    bind 0.0.0.0:82 defer-accept backlog 4096
    option splice-request
    option splice-response
    server production 127.0.0.1:80
"""


class HAProxy(Contender):
    """
    On ports of its own, which visitors ask directly: without the redirect that a window has, and
    so without connection tracking, which is to its favour. The same goes for its settings.
    """

    name = "haproxy"
    port = 81
    bulk_port = 82
    sees_visitor = False
    _process = None

    def _start(self):
        (self.lab.directory / "haproxy.cfg").write_text(HAPROXY)
        self._process = self.lab.host.start(
            "haproxy", "-db", "-f", "/mnt/haproxy.cfg", prefix=self.cores.prefix
        )
        try:
            network.wait_listening(self.lab.host, HOST4, self.port)
        except AssertionError as error:
            said = " ".join(self._process.output.text().split())
            raise Wrong(f"{self.name}: {error}; it said: {said}") from None

    def stop(self):
        if self._process:
            self._process.stop()
            self._process = None

    def pids(self):
        return self.lab.host.pids_of("haproxy")


CONTENDERS = [Direct, Pass, HAProxy]
SOURCES_EACH = 8
PREFIX = OUTSIDE4.rsplit(".", 1)[0]
FIRST_SOURCE = 120  # after the lab's own visitors


def make(lab, cores, names):
    """Those of these names, in the order of CONTENDERS, with their visitors' addresses."""
    made = []
    for number, kind in enumerate(CONTENDERS):
        first = FIRST_SOURCE + number * SOURCES_EACH
        sources = [f"{PREFIX}.{first + i}" for i in range(SOURCES_EACH)]
        if kind.name in names:
            lab.outside.ip(*[f"addr add {source}/24 dev wire" for source in sources])
            made.append(kind(lab, cores, sources))
    return made
