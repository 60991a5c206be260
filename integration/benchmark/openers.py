# SPDX-License-Identifier: GPL-2.0-or-later
"""
Who opens and shuts a window: the commands with which port 80 is redirected to a responder at port
8402, and no longer.
"""

from lab.wicket import Wicket

from .challenges import Challenges
from .contender import PREFIX, Contender
from .part import Setting
from .responders import Alone, Window

TARGET = Alone.port


def sources(count):
    """So many networks that have nothing in common; the lab's visitors are in the first."""
    others = (f"172.{16 + n // 16384}.{n // 64 % 256}.{n % 64 * 4}/31" for n in range(count - 1))
    return [f"{PREFIX}.0/24", *others]


class Opener(Contender):
    """`challenge` is answered by the responder, and by production with 404."""

    in_a_row = True  # whether many windows one after the other make sense

    def __init__(self, course, sources):
        super().__init__(course, sources)
        self.challenges = Challenges(1)

    def open_command(self):
        raise NotImplementedError

    def shut_command(self):
        raise NotImplementedError

    def row_commands(self):
        """The two of a window of many in a row, where nothing but the redirect matters."""
        return self.open_command(), self.shut_command()

    def forget(self):
        """After a window, so that the next one begins as the first one did."""


class Commands(Opener):
    """`wicket add` and `wicket remove` with a keeper that runs."""

    name = "wicket"
    describe = (
        "`wicket add`, `wicket remove`; a keeper runs. Once the redirect is in force, `add` fetches"
        " its challenge and waits whether connections arrive, before it returns: nobody else does."
        " In a row: `wicket open`, `wicket close`, which do without"
    )
    configuration = Window.configuration

    def __init__(self, course, sources):
        super().__init__(course, sources)
        self.window = Window(course, sources)

    def _start(self, setting):
        self.window.challenges = self.challenges
        self.window.configuration = self.configuration
        if setting.sources:
            lines = "".join(f"{source}\n" for source in sources(setting.sources))
            (self.lab.directory / "sources").write_text(lines)
            self.window.configuration += "redirect:\n  sources_file: /mnt/sources\n"
        self.window.serve()
        self.wicket = self.window.wicket

    def stop(self):
        self.window.stop()

    def pids(self):
        return self.window.pids()

    def open_command(self):
        return self.wicket.command("add", self.challenges.body.decode())

    def shut_command(self):
        return self.wicket.command("remove", self.challenges.asked)

    def row_commands(self):
        return self.wicket.command("open"), self.wicket.command("close")


class OnDemand(Commands):
    """As a hook does it between renewals: `wicket` has to start the keeper."""

    name = "wicket-on-demand"
    describe = "the same, and `wicket add` has to start the keeper"
    in_a_row = False

    def _start(self, setting):
        self.wicket = Wicket(self.lab)
        self.wicket.configure(Window.configuration)
        self.window.wicket = self.wicket

    def stop(self):
        self.forget()

    def forget(self):
        self.window.stop_on_demand()


class Rules(Opener):
    """With a responder beside them that runs already. There is no lease: it stays as it is."""

    def __init__(self, course, sources):
        super().__init__(course, sources)
        self.responder = Alone(course, sources)

    def _start(self, setting):
        self.responder.start(Setting())

    def stop(self):
        self.responder.stop()
        self.lab.host.run("nft", "flush", "ruleset")
        self.lab.host.run("conntrack", "--flush")

    def pids(self):
        return self.responder.pids()


class Nft(Rules):
    name = "nft"
    describe = "`nft -f` of a table with one rule, `nft delete table`"

    def _start(self, setting):
        super()._start(setting)
        few = declared = ""
        if setting.sources:
            elements = ", ".join(sources(setting.sources))
            declared = (
                "set sources { type ipv4_addr; flags interval;" f" elements = {{ {elements} }} }}\n"
            )
            few = "ip saddr @sources "
        (self.lab.directory / "window.nft").write_text(
            f"table inet benchmark {{ {declared} chain prerouting {{\n"
            "type nat hook prerouting priority -110;\n"
            f"{few}tcp dport 80 redirect to :{TARGET}\n"
            "}\n}\n"
        )

    def open_command(self):
        return ["nft", "-f", "/mnt/window.nft"]

    def shut_command(self):
        return ["nft", "delete", "table", "inet", "benchmark"]


class Iptables(Rules):
    name = "iptables-nft"
    describe = "`iptables-nft -I`, `iptables-nft -D`, of IPv4 alone"

    def _rule(self, what):
        return [
            *("iptables-nft", "-t", "nat", what, "PREROUTING", "-p", "tcp", "--dport", "80"),
            *("-j", "REDIRECT", "--to-ports", str(TARGET)),
        ]

    def open_command(self):
        return self._rule("-I")

    def shut_command(self):
        return self._rule("-D")


OPENERS = [Commands, OnDemand, Nft, Iptables]
