# SPDX-License-Identifier: GPL-2.0-or-later
"""The sidecar: next to a web server in a network namespace that they share, and nothing else."""

import os
import re
import signal
from pathlib import Path

import pytest
from lab.lab import HOST4, HOST6, VALIDATORS6
from lab.network import get
from lab.wicket import PREFIX, new_challenge

HERE = Path(__file__).resolve().parent
NAME = "www.example.lab"


class Sidecar:
    """The container of integration/sidecar, made by hand."""

    def __init__(self, lab):
        self._host = lab.host
        self.keeper = lab.host.start(
            *("unshare", "--mount", "--pid", "--fork", "--kill-child=TERM", "--"),
            *(HERE / "sidecar" / "enter", "wicket", "serve"),
            name="sidecar",
            environment={"TMPDIR": "/run"},
        )
        self.keeper.output.wait_for("wicket-keeper: ready$")
        children = Path(f"/proc/{self.keeper.pid}/task/{self.keeper.pid}/children")
        (self.pid,) = map(int, children.read_text().split())

    def run(self, *arguments, check=True, environment=None):
        """As `podman exec`."""
        return self._host.run(
            *("nsenter", "--target", self._pid_inside(), "--mount", "--pid", "--"),
            *("setpriv", "--bounding-set=-all,+net_admin", "--inh-caps=-all", "--no-new-privs"),
            *("--", *arguments),
            check=check,
            timeout=120,
            environment={"TMPDIR": "/run", "HOME": "/run", **(environment or {})},
        )

    def _pid_inside(self):
        """As the lab's host sees it."""
        numbers = Path(f"/proc/{self.pid}/status").read_text().split("NSpid:")[1].splitlines()[0]
        return numbers.split()[-2]


@pytest.fixture
def sidecar(lab, production):
    return Sidecar(lab)


def test_certificate(lab, production, sidecar):
    untouched = production.fingerprint()
    lab.ca.set_name(NAME, [HOST4], [HOST6])
    certbot = [
        *("certbot", "certonly", "-n", "-v", "--agree-tos", "--register-unsafely-without-email"),
        *("--server", lab.ca.url, "--force-renewal", "--manual", "--preferred-challenges", "http"),
        *("--manual-auth-hook", "wicket hook certbot auth"),
        *("--manual-cleanup-hook", "wicket hook certbot cleanup", "-d", NAME),
        *("--config-dir", "/run/certbot", "--work-dir", "/run/work", "--logs-dir", "/run/logs"),
    ]
    for _ in range(2):
        result = sidecar.run(*certbot, environment={"REQUESTS_CA_BUNDLE": lab.ca.bundle})
        assert "Successfully received certificate" in result.stdout
    sidecar.keeper.output.wait_for("port 80 is back with production")
    seen = set(re.findall(r"validation of \S+ from (\S+) ", sidecar.keeper.output.text()))
    assert seen == set(VALIDATORS6)
    assert get(lab.outside, HOST4).server == "production"
    assert production.fingerprint() == untouched


def test_it_has_nothing_else(lab, production, sidecar):
    """One capability, one file system to write to, and it says which mode it is."""
    assert '"mode":"sidecar"' in sidecar.run("wicket", "status", "--json").stdout.replace(" ", "")
    status = Path(f"/proc/{sidecar.pid}/status").read_text()
    assert re.findall(r"Cap(?:Prm|Eff|Bnd):\s+(\w+)", status) == ["0000000000001000"] * 3
    for place in ("/", "/etc", "/usr/local", "/mnt", "/var/lib", "/tmp"):
        assert sidecar.run("touch", f"{place}/x", check=False).returncode != 0
    sidecar.run("touch", "/run/x")
    assert sidecar.run("chroot", "/", "true", check=False).returncode != 0


def test_killed(lab, production, sidecar):
    token, key_authorization = new_challenge()
    sidecar.run("wicket", "add", key_authorization)
    assert get(lab.outside, HOST4, PREFIX + token).body == key_authorization.encode()
    assert get(lab.outside, HOST4).server == "production"
    os.kill(sidecar.pid, signal.SIGKILL)
    assert sidecar.keeper.wait_output() != 0
    assert get(lab.outside, HOST4, PREFIX + token).server == "production"
