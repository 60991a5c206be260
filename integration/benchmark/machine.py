# SPDX-License-Identifier: GPL-2.0-or-later
"""What it was measured on, and with: a number without that means little."""

import os
import platform
import re
import subprocess
from pathlib import Path

PACKAGES = [
    *("nginx", "haproxy", "webfs", "lighttpd", "apache2-bin", "acmetool", "python3-acme"),
    *("nftables", "iptables", "libmicrohttpd12"),
]


def versions():
    """Of those of PACKAGES that are installed."""
    result = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${Version}\\n", *PACKAGES],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return dict(line.split(" ") for line in result.stdout.splitlines())


def processor():
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def describe(cores):
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "servers_on": cores.servers,
        "visitors_on": cores.visitors,
        "packages": versions(),
    }
