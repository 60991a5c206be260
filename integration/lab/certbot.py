# SPDX-License-Identifier: GPL-2.0-or-later
"""certbot as the ACME client of the lab."""

import re

from .wicket import CONFIG


class Certbot:
    """One certbot, with directories of its own below /mnt."""

    def __init__(self, lab, name="certbot", prefix=(), host=None):
        self._lab = lab
        self._host = host or lab.host
        self._prefix = prefix
        self.name = name
        self._root = f"/mnt/{name}"

    def arguments(self, names, *more):
        return [
            *("certbot", "certonly", "-n", "-v"),
            *("--agree-tos", "--register-unsafely-without-email"),
            *("--server", self._lab.ca.url, "--key-type", "ecdsa", "--cert-name", "lab"),
            *("--config-dir", f"{self._root}/config", "--work-dir", f"{self._root}/work"),
            *("--logs-dir", f"{self._root}/logs", "--force-renewal"),
            *[part for name in names for part in ("-d", name)],
            *more,
        ]

    def manual(self, names, auth="{} auth", cleanup="{} cleanup"):
        """The arguments for manual mode with wicket's hooks; `{}` is certbot's. None: no such hook."""
        wicket = "wicket" if self._lab.method == "redirect" else f"wicket -c {CONFIG}"
        auth, cleanup = (
            text and text.replace("{}", f"{wicket} hook certbot") for text in (auth, cleanup)
        )
        return self.arguments(
            names,
            *("--manual", "--preferred-challenges", "http", "--manual-auth-hook", auth),
            *(("--manual-cleanup-hook", cleanup) if cleanup else ()),
        )

    @property
    def environment(self):
        return {"REQUESTS_CA_BUNDLE": self._lab.ca.bundle, "PYTHONDONTWRITEBYTECODE": "1"}

    def run(self, arguments, **more):
        return self._host.run(
            *arguments, environment=self.environment, prefix=self._prefix, timeout=120, **more
        )

    def start(self, arguments, **more):
        return self._host.start(
            *arguments, environment=self.environment, prefix=self._prefix, **more
        )

    def certificate(self):
        """Serial and names of the certificate it got, as openssl reads them."""
        text = self._host.run(
            *("openssl", "x509", "-noout", "-serial", "-ext", "subjectAltName"),
            *("-in", f"{self._root}/config/live/lab/cert.pem"),
        ).stdout
        serial = re.search(r"serial=(\w+)", text)[1]
        return serial, sorted(re.findall(r"DNS:([^,\s]+)", text))
