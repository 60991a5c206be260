# SPDX-License-Identifier: GPL-2.0-or-later
"""The ledger: what is written, by whom, and that nothing waits for it."""

from lab.lab import HOST4, HOST6

NAME = "one.example.lab"


def test_smoke(lab, production, wicket, certbot, tell):
    lab.ca.set_name(NAME, [HOST4], [HOST6])
    certbot.run(certbot.manual([NAME]))
    tell(wicket.run("status", "--json").stdout)
    wicket.wait_gone()
    tell(lab.host.run("cat", "/var/lib/wicket/ledger.jsonl").stdout)
    tell(lab.host.run("ls", "-la", "/var/lib/wicket/").stdout)
    tell(lab.journal.lines.text())
