# SPDX-License-Identifier: GPL-2.0-or-later
"""
Firewalls of the lab's host, by the packages that people have them from: port 80 is open, the rest is
dropped. Each can ban an address in its own way, behind the rules that are there already.
"""

from .network import get

_OVERLAY = """
mkdir /run/etc /run/etc/upper /run/etc/work
mount -t overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work etc /etc
for file in /mnt/etc/*; do mount --bind "$file" "/etc/${file##*/}"; done
"""


def shell(lab, text, **more):
    return lab.host.run("sh", "-euc", text, timeout=60, **more).stdout


def own_etc(lab):
    """What is written to /etc is the lab's, on top of what the machine has there."""
    shell(lab, _OVERLAY)


class Nftables:
    """As the wiki's simple workstation, with a ban list."""

    chains = "[{family: inet, table: filter, chain: input}]"

    def __init__(self, lab):
        self.lab = lab
        lab.host.nft(
            """
            table inet filter {
                set banned4 { type ipv4_addr; flags interval; }
                set banned6 { type ipv6_addr; flags interval; }
                chain input {
                    type filter hook input priority 0; policy drop;
                    ct state vmap { established : accept, related : accept, invalid : drop }
                    iif lo accept
                    meta l4proto { icmp, ipv6-icmp } accept
                    ip saddr @banned4 counter drop
                    ip6 saddr @banned6 counter drop
                    tcp dport { 22, 80, 443 } accept
                    counter comment "dropped by the policy"
                }
            }
            """
        )

    def ban(self, address):
        family = 6 if ":" in address else 4
        self.lab.host.run(
            "nft", f"add element inet filter banned{family} {{ {address} }}"
        )

    def rules(self):
        """Everything it holds, less what counts."""
        return self.lab.host.run("nft", "-s", "list", "ruleset").stdout

    def reload(self):
        """As `systemctl reload nftables`: all of it anew, in one go."""
        listing = self.lab.host.run("nft", "list", "table", "inet", "filter").stdout
        lines = [line for line in listing.splitlines() if "acme-wicket" not in line]
        self.lab.host.nft("flush table inet filter\n" + "\n".join(lines) + "\n")


class Iptables:
    """iptables over nf_tables, with the chains that Docker and fail2ban add."""

    chains = "[{family: ip, table: filter, chain: INPUT}, {family: ip6, table: filter, chain: INPUT}]"

    def __init__(self, lab):
        self.lab = lab
        for command, icmp in (("iptables-nft", "icmp"), ("ip6tables-nft", "ipv6-icmp")):
            for rule in (
                "-N f2b-banned",
                "-A f2b-banned -j RETURN",
                "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
                "-A INPUT -i lo -j ACCEPT",
                "-A INPUT -m conntrack --ctstate INVALID -j DROP",
                f"-A INPUT -p {icmp} -j ACCEPT",
                "-A INPUT -j f2b-banned",
                "-A INPUT -p tcp -m multiport --dports 22,80 -j ACCEPT",
                "-A INPUT -j REJECT",
                "-P INPUT DROP",
                "-P FORWARD DROP",
                "-N DOCKER",
                "-N DOCKER-USER",
                "-A DOCKER-USER -j RETURN",
                "-I FORWARD -j DOCKER-USER",
                "-t nat -N DOCKER",
                "-t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
                "-t nat -A DOCKER -i docker0 -j RETURN",
                "-t nat -A DOCKER ! -i docker0 -p tcp --dport 8080 -j DNAT --to-destination "
                + ("172.17.0.2:80" if icmp == "icmp" else "[fd17::2]:80"),
            ):
                lab.host.run(command, *rule.split())

    def ban(self, address):
        command = "ip6tables-nft" if ":" in address else "iptables-nft"
        self.lab.host.run(command, *f"-I f2b-banned -s {address} -j REJECT".split())

    def rules(self):
        return shell(self.lab, "iptables-nft -S; ip6tables-nft -S; nft -s list ruleset")

    def reload(self):
        shell(
            self.lab,
            "for i in iptables-nft ip6tables-nft; do"
            " $i-save -t filter | grep -v acme-wicket >/run/saved; $i-restore -T filter /run/saved;"
            " done",
        )


class Ufw:
    """ufw, with its own rules for everything."""

    chains = Iptables.chains

    def __init__(self, lab):
        self.lab = lab
        own_etc(lab)
        shell(lab, "ufw allow 80/tcp; ufw allow 22/tcp; ufw --force enable")

    def ban(self, address):
        shell(self.lab, f"ufw prepend deny from {address}")

    def rules(self):
        # The lines that are left of a rule as it is loaded with its counters.
        return shell(self.lab, "iptables-nft -S; ip6tables-nft -S")

    def reload(self):
        shell(self.lab, "ufw reload")


class Firewalld:
    """firewalld, on a system bus of its own."""

    chains = "[{family: inet, table: firewalld, chain: filter_INPUT}]"

    def __init__(self, lab):
        self.lab = lab
        own_etc(lab)
        shell(
            lab,
            "echo 'messagebus:x:100:100::/nonexistent:/usr/sbin/nologin' >>/etc/passwd\n"
            "echo 'messagebus:x:100:' >>/etc/group\n"
            "mkdir -p /run/dbus\n",
        )
        bus = lab.host.start("dbus-daemon", "--system", "--nofork", "--nopidfile", "--print-address")
        bus.output.wait_for("unix:path=")
        # It answers once it has set itself up, and tells the bus that it is there.
        watcher = lab.host.start(
            *("gdbus", "wait", "--system", "--timeout", "30", "org.fedoraproject.FirewallD1")
        )
        lab.host.start("firewalld", "--nofork", "--nopid", name="firewalld")
        assert watcher.wait() == 0
        shell(lab, "firewall-cmd --permanent --add-service=http; firewall-cmd --reload")

    def ban(self, address):
        family = "ipv6" if ":" in address else "ipv4"
        shell(
            self.lab,
            f"firewall-cmd --add-rich-rule='rule family={family} source address={address} drop'",
        )

    def rules(self):
        return self.lab.host.run("nft", "-s", "list", "ruleset").stdout

    def reload(self):
        shell(self.lab, "firewall-cmd --reload")


KINDS = {"nftables": Nftables, "iptables": Iptables, "ufw": Ufw, "firewalld": Firewalld}


def answered(lab, address, path, source, expected):
    """Whether a validator that asks from `source` gets what it is to get."""
    return get(lab.outside, address, path, source=source, timeout=3).body == expected.encode()
