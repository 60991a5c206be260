# SPDX-License-Identifier: GPL-2.0-or-later
"""
Production in a container: the rules by which Docker publishes port 80 of one, for both families.

A container is the lab's host `behind`, the bridge is `inner`. As with Docker, visitors keep their
address; what the container sends elsewhere is masqueraded, and so is what it sends to itself.
"""

from .lab import BEHIND4, BEHIND6
from .production import Production

_RULES = """
table {family} docker {{
    chain prerouting {{
        type nat hook prerouting priority -100;
        fib daddr type local jump published
    }}
    chain output {{
        type nat hook output priority -100;
        {family} daddr != {loopback} fib daddr type local jump published
    }}
    chain postrouting {{
        type nat hook postrouting priority 100;
        {family} saddr {network} oifname != "inner" masquerade
        {family} saddr {address} {family} daddr {address} tcp dport 80 masquerade
    }}
    chain published {{
        iifname "inner" return
        tcp dport 80 dnat to {target}:80
    }}
}}
"""

RULES = _RULES.format(
    family="ip",
    loopback="127.0.0.0/8",
    network="10.99.2.0/24",
    address=BEHIND4,
    target=BEHIND4,
) + _RULES.format(
    family="ip6",
    loopback="::1",
    network="fd99:0:0:2::/64",
    address=BEHIND6,
    target=f"[{BEHIND6}]",
)


def publish(lab):
    """Loads the rules, as Docker does when it starts a container."""
    lab.host.nft(RULES)


def containerized(lab, kind="nginx"):
    """Production in the container of a lab that was made with behind=True, published."""
    production = Production(lab, kind, host=lab.behind)
    publish(lab)
    return production
