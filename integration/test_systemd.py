# SPDX-License-Identifier: GPL-2.0-or-later
"""The units, in a Debian that boots: a socket, the service behind it, and a timer that renews."""

import re

import pytest
from lab.lab import HOST4, HOST6, VALIDATORS6
from lab.machine import Machine
from lab.network import get
from lab.wicket import PREFIX, new_challenge

NAME = "www.example.lab"
UNITS = ["wicket.socket", "wicket.service", "wicket-renew@certbot.service"]
UNITS += ["wicket-renew@certbot.timer"]
RENEW = "/usr/local/etc/wicket/renew.d/certbot"
CONFIG = "/usr/local/etc/wicket/wicket.yaml"
TURN_AWAY = "other_requests: not-found\n"  # so that an answer tells whether the window is open


@pytest.fixture
def machine(lab, installed):
    return Machine(lab, installed)


def follow(machine, pattern, *arguments):
    """The first line of the journal, from its beginning, on which `pattern` is found."""
    return machine.run(
        *("sh", "-c", 'journalctl --no-pager -n all -f "$@" | grep -m 1 -E "$PATTERN"', "sh"),
        *arguments,
        prefix=("env", f"PATTERN={pattern}"),
        timeout=30,
    ).stdout


def as_user(name):
    return ("setpriv", f"--reuid={name}", f"--regid={name}", "--init-groups", "--")


def test_units_are_well_made(machine):
    result = machine.run("systemd-analyze", "verify", "--man=no", *UNITS)
    assert result.stdout + result.stderr == ""
    text = machine.run("systemd-analyze", "security", "--no-pager", "wicket.service").stdout
    exposure = float(re.search(r"Overall exposure level for wicket.service: ([\d.]+)", text)[1])
    assert exposure <= 2.2


def test_timer_renews(lab, machine):
    """Everything a host does: enable, wait for the timer, find the result in the journal."""
    lab.ca.set_name(NAME, [HOST4], [HOST6])
    machine.write(
        RENEW,
        "#!/bin/sh\n"
        f"export REQUESTS_CA_BUNDLE={lab.ca.bundle}\n"
        "exec certbot certonly -n -v --agree-tos --register-unsafely-without-email"
        f" --server {lab.ca.url} --force-renewal --manual --preferred-challenges http"
        " --manual-auth-hook 'wicket hook certbot auth'"
        f" --manual-cleanup-hook 'wicket hook certbot cleanup' -d {NAME}\n",
        0o755,
    )
    machine.write(
        "/etc/systemd/system/wicket-renew@certbot.timer.d/now.conf",
        "[Timer]\nOnCalendar=\nOnActiveSec=1s\nRandomizedDelaySec=0\nAccuracySec=10ms\n",
    )
    machine.systemctl("daemon-reload")
    machine.systemctl("enable", "--now", "wicket.socket")
    assert machine.show("wicket.service", "ActiveState") == "inactive"
    machine.systemctl("enable", "--now", "wicket-renew@certbot.timer")
    follow(machine, "Finished wicket-renew@certbot.service", "-u", "wicket-renew@certbot.service")
    assert machine.show("wicket-renew@certbot.service", "Result") == "success"
    renewal = machine.journal("-u", "wicket-renew@certbot.service")
    assert "Successfully received certificate" in renewal
    assert "1 token, 3 validations from 3 addresses" in renewal

    # The renewal is over, and the keeper drains in a unit of its own, then leaves by itself.
    follow(machine, "Deactivated successfully|Stopped wicket.service", "-u", "wicket.service")
    keeper = machine.journal("-u", "wicket.service")
    for address in VALIDATORS6:
        assert re.search(f"validation of .* from {address} ", keeper)
    for line in ("port 80 is redirected", "port 80 is back with production", "nothing is pending"):
        assert line in keeper
    assert machine.show("wicket.service", "Result") == "success"
    assert machine.show("wicket.socket", "ActiveState") == "active"
    assert machine.run("ls", "/run/wicket").stdout == "control.sock\n"
    assert "wicket" not in lab.host.run("nft", "list", "tables").stdout

    # The responder's lines have their priority too.
    machine.run("wicket", "status")
    levels = machine.journal("-u", "wicket.service", "-p", "warning..err", "-g", "wicket-")
    assert "ready" not in levels


def test_access_by_group(lab, machine):
    """A member of the group needs nothing else; a stranger is told which group."""
    machine.run("useradd", "--groups", "wicket", "member")
    machine.run("useradd", "stranger")
    machine.write(CONFIG, TURN_AWAY)
    machine.systemctl("start", "wicket.socket")
    machine.run("wicket", "open", "--for", "10s", prefix=as_user("member"))
    assert get(lab.outside, HOST4).server == "responder"
    assert "member" not in machine.run("wicket", "close", prefix=as_user("member")).stderr
    refused = machine.run("wicket", "status", prefix=as_user("stranger"), check=False)
    assert refused.returncode == 77
    assert "group wicket" in refused.stderr


def test_webroot_of_a_member(lab, machine):
    """A client that only writes files, with an account of its own, while the service runs."""
    machine.run("useradd", "--groups", "wicket", "member")
    machine.systemctl("start", "wicket.socket")
    token, key_authorization = new_challenge()
    script = f'printf {key_authorization} >"$WICKET_WEBROOT{PREFIX}{token}"; exec tail -f /dev/null'
    machine.run(
        *("systemd-run", "--unit=client", "--uid=member", "--setenv=PATH=/usr/local/bin:/bin"),
        *("wicket", "run", "--", "sh", "-c", f"umask 022; {script}"),
    )
    follow(machine, "port 80 is redirected", "-u", "wicket.service")
    answer = get(lab.outside, HOST4, PREFIX + token)
    assert answer.body == key_authorization.encode()
    machine.systemctl("stop", "client.service")


def test_reload_and_restart(lab, machine):
    """systemctl reload keeps the window, and a bad file is refused where it is seen."""
    machine.systemctl("start", "wicket.socket")
    machine.run("wicket", "open", "--for", "30s")
    machine.write(CONFIG, "other_requests: https\n")
    machine.systemctl("reload", "wicket.service")
    follow(machine, "wicket.yaml: in force", "-u", "wicket.service")
    assert get(lab.outside, HOST4).status == 308
    machine.write(CONFIG, "other_requests: nonsense\nwindow:\n  leese: 3s\n")
    machine.systemctl("reload", "wicket.service")
    follow(machine, "refused, the previous configuration stays", "-u", "wicket.service")
    errors = machine.journal("-u", "wicket.service", "-p", "err")
    assert "wicket.yaml:1:" in errors
    assert "wicket.yaml:3:" in errors
    assert get(lab.outside, HOST4).status == 308
    status = machine.show("wicket.service", "StatusText")
    assert status.startswith("A window is open")
    assert "configuration refused" in status
    assert machine.show("wicket.service", "ActiveState") == "active"
    # Its own mistake is no reason to try again and again.
    machine.systemctl("stop", "wicket.service")
    assert machine.systemctl("start", "wicket.service", check=False).returncode != 0
    assert machine.show("wicket.service", "NRestarts") == "0"
    assert machine.show("wicket.service", "ExecMainStatus") == "78"


def test_hung_responder_is_replaced(lab, machine):
    """The service's keeper may kill it, of another account, without CAP_KILL."""
    machine.write(CONFIG, TURN_AWAY + "window: {lease: 1s}\n")
    machine.systemctl("start", "wicket.socket")
    machine.run("wicket", "open", "--for", "30s")
    machine.systemctl("kill", "--kill-whom=all", "--signal=STOP", "wicket.service")
    machine.systemctl("kill", "--kill-whom=main", "--signal=CONT", "wicket.service")
    follow(machine, "the responder was killed by signal 9", "-u", "wicket.service")
    machine.run("wicket", "open", "--for", "30s")
    assert get(lab.outside, HOST4).server == "responder"
    assert "cannot kill" not in machine.journal("-u", "wicket.service")


def test_hung_keeper_is_replaced(lab, machine):
    """The watchdog: a keeper that is stopped is killed, and the next request starts another."""
    machine.write(
        "/etc/systemd/system/wicket.service.d/soon.conf", "[Service]\nWatchdogSec=1s\n"
    )
    machine.write(CONFIG, TURN_AWAY)
    machine.systemctl("daemon-reload")
    machine.systemctl("start", "wicket.socket")
    machine.run("wicket", "open", "--for", "30s")
    assert get(lab.outside, HOST4).server == "responder"
    machine.systemctl("kill", "--kill-whom=main", "--signal=STOP", "wicket.service")
    follow(machine, "Watchdog timeout", "-u", "wicket.service")
    follow(machine, "Scheduled restart job", "-u", "wicket.service")
    machine.run("wicket", "open", "--for", "30s")
    assert get(lab.outside, HOST4).server == "responder"
