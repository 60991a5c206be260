# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab as a whole: two hosts and a wire, or three."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from .ca import CA
from .host import Host
from .journal import Journal
from .sanitizer import Sanitizer

TOP = Path(__file__).resolve().parents[2]

# The addresses of the hosts, and where everything is.
OUTSIDE4, OUTSIDE6 = "10.99.1.1", "fd99:0:0:1::1"
HOST4, HOST6 = "10.99.1.80", "fd99:0:0:1::80"
# The CA's validators appear with one of these (the CA's own host rewrites its address).
VALIDATORS4 = ["10.99.1.11", "10.99.1.12", "10.99.1.13"]
VALIDATORS6 = ["fd99:0:0:1::11", "fd99:0:0:1::12", "fd99:0:0:1::13"]
VISITORS4 = [f"10.99.1.{n}" for n in range(101, 109)]
VISITORS6 = [f"fd99:0:0:1::1{n:02}" for n in range(1, 9)]
# A network behind the host, which forwards to it.
INNER4, INNER6 = "10.99.2.1", "fd99:0:0:2::1"
BEHIND4, BEHIND6 = "10.99.2.80", "fd99:0:0:2::80"

CA_NAME = "acme.lab"
ACCOUNT_UID = 8402  # the account `wicket`, and its group
MEMBER_UID = 8501  # `member`, in group wicket
STRANGER_UID = 8502  # `stranger`, not in it


def connect_hosts(name, one, other):
    """A wire between two hosts, called the same at both ends; the machine has no end of it."""
    subprocess.run(
        ["ip", "link", "add", name, "netns", str(one.init_pid)]
        + ["type", "veth", "peer", "name", name, "netns", str(other.init_pid)],
        check=True,
    )


def write_etc(directory, accounts):
    """What /etc is to hold instead of the machine's own."""
    directory.mkdir()
    (directory / "hosts").write_text(
        f"127.0.0.1 localhost\n::1 localhost\n{OUTSIDE4} {CA_NAME}\n{OUTSIDE6} {CA_NAME}\n"
    )
    (directory / "resolv.conf").write_text(f"nameserver {OUTSIDE4}\n")
    passwd = (
        "root:x:0:0:root:/root:/bin/sh\n"
        "daemon:x:1:1::/:/usr/sbin/nologin\n"
        "www-data:x:33:33::/:/usr/sbin/nologin\n"
        "nobody:x:65534:65534::/:/usr/sbin/nologin\n"
        f"member:x:{MEMBER_UID}:{MEMBER_UID}::/mnt:/bin/sh\n"
        f"stranger:x:{STRANGER_UID}:{STRANGER_UID}::/mnt:/bin/sh\n"
    )
    group = (
        "root:x:0:\nadm:x:4:\ndaemon:x:1:\nwww-data:x:33:\nnogroup:x:65534:\n"
        f"member:x:{MEMBER_UID}:\nstranger:x:{STRANGER_UID}:\n"
    )
    if accounts:
        passwd += f"wicket:x:{ACCOUNT_UID}:{ACCOUNT_UID}::/:/usr/sbin/nologin\n"
        group += f"wicket:x:{ACCOUNT_UID}:member\n"
    (directory / "passwd").write_text(passwd)
    (directory / "group").write_text(group)
    (directory / "nsswitch.conf").write_text(
        "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"
    )


class Lab:
    """
    `outside` has the CA, its DNS, validators and visitors; `host` has production, the keeper and
    the ACME client; `behind`, if asked for, is reached through `host`.

    Nothing of a lab outlives it but its directory (logs), and that only when a test failed.
    """

    def __init__(
        self,
        programs,
        directory,
        *,
        behind=False,
        ipv6=True,
        accounts=True,
        syslog=True,
        method="redirect",
    ):
        self.method = method  # of every Wicket in it
        self.directory = Path(tempfile.mkdtemp(prefix="lab-", dir=directory))
        self.directory.chmod(0o755)
        self._sanitizer = Sanitizer(self.directory)
        self.hosts = []
        self.journal = None
        self._closing = []
        self._ca = None
        self.ipv6 = ipv6
        try:
            etc = self.directory / "etc"
            write_etc(etc, accounts)
            self.outside = self._host("outside", etc, programs)
            self.host = self._host("host", etc, programs)
            self.behind = self._host("behind", etc, programs) if behind else None
            self._wire()
            self.journal = Journal(self.host) if syslog else None
            if self.journal:
                self.at_end(self.journal.close)
        except BaseException:
            self.destroy()
            raise

    def _host(self, name, etc, programs):
        host = Host(name, self.directory, etc, programs)
        self.hosts.append(host)
        return host

    def _wire(self):
        outside, host = self.outside, self.host
        if not self.ipv6:
            host.sysctl("net/ipv6/conf/all/disable_ipv6", 1)
            host.sysctl("net/ipv6/conf/default/disable_ipv6", 1)
        connect_hosts("wire", outside, host)
        outside.ip(
            "link set wire up",
            f"addr add {OUTSIDE4}/24 dev wire",
            f"addr add {OUTSIDE6}/64 dev wire nodad",
            *[f"addr add {address}/24 dev wire" for address in VALIDATORS4 + VISITORS4],
            *[f"addr add {address}/64 dev wire nodad" for address in VALIDATORS6 + VISITORS6],
            f"route replace {HOST6} dev wire src {OUTSIDE6}",
            f"route add 10.99.2.0/24 via {HOST4}",
        )
        host.ip(
            "link set wire up",
            f"addr add {HOST4}/24 dev wire",
            *([f"addr add {HOST6}/64 dev wire nodad"] if self.ipv6 else []),
        )
        if self.ipv6:
            outside.ip(f"route add fd99:0:0:2::/64 via {HOST6} src {OUTSIDE6}")
        self._scatter_validators()
        if self.behind:
            connect_hosts("inner", host, self.behind)
            host.ip(
                "link set inner up",
                f"addr add {INNER4}/24 dev inner",
                f"addr add {INNER6}/64 dev inner nodad",
            )
            self.behind.ip(
                "link set inner up",
                f"addr add {BEHIND4}/24 dev inner",
                f"addr add {BEHIND6}/64 dev inner nodad",
                f"route add default via {INNER4}",
                f"route add default via {INNER6}",
            )
            host.sysctl("net/ipv4/ip_forward", 1)
            host.sysctl("net/ipv6/conf/all/forwarding", 1)

    def _scatter_validators(self):
        """pebble has one address, a CA several: each of its connections takes the next one."""
        rules = []
        for family, own, others in (("ip", OUTSIDE4, VALIDATORS4), ("ip6", OUTSIDE6, VALIDATORS6)):
            pairs = ", ".join(f"{n} : {address}" for n, address in enumerate(others))
            rules.append(
                f"{family} saddr {own} tcp dport 80 snat {family} to"
                f" numgen inc mod {len(others)} map {{ {pairs} }}"
            )
        self.outside.nft(
            "table inet validators { chain postrouting {"
            " type nat hook postrouting priority srcnat; policy accept;\n"
            + "\n".join(rules)
            + "\n}\n}\n"
        )

    @property
    def ca(self):
        """The CA; starts at its first use."""
        if not self._ca:
            self._ca = CA(self.outside, self.directory, OUTSIDE4, CA_NAME)
        return self._ca

    def at_end(self, function):
        self._closing.append(function)

    def destroy(self, keep=False):
        """
        `keep`: the directory stays, for somebody to read the logs. A second time: nothing. What a
        sanitizer has found is an error, once everything is gone.
        """
        if not self.directory.exists():
            return
        while self._closing:
            self._closing.pop()()
        logs = [self.journal.lines.text()] if self.journal else []
        while self.hosts:
            host = self.hosts.pop()
            file = host.path("/run/wicket/keeper.log")
            logs += [file.read_text(errors="replace")] if file.exists() else []
            host.destroy()
            logs += host.outputs()
        reports = self._sanitizer.reports(logs)
        if not keep:
            shutil.rmtree(self.directory)
        assert not reports, reports
