# SPDX-License-Identifier: GPL-2.0-or-later
"""The embedded CA: pebble, with pebble-challtestsrv as its DNS."""

import contextlib
import json
import threading
import urllib.request

from . import network

MANAGEMENT_PORT = 8055
ACME_PORT = 14000


class CA:
    """Files in `directory`/ca; certbot finds the CA's own certificate in `bundle`."""

    def __init__(self, host, directory, address, name, *, rejected_nonces=0, on_line=None):
        self._host = host
        self.url = f"https://{name}:{ACME_PORT}/dir"
        self.bundle = "/mnt/ca/tls.pem"
        own = directory / "ca"
        own.mkdir()
        host.run(
            *"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split(),
            *("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},IP:{address}"),
            *("-keyout", "/mnt/ca/tls.key", "-out", self.bundle),
        )
        (own / "pebble.json").write_text(
            json.dumps(
                {
                    "pebble": {
                        "listenAddress": f"[::]:{ACME_PORT}",
                        "managementListenAddress": "[::]:15000",
                        "certificate": self.bundle,
                        "privateKey": "/mnt/ca/tls.key",
                        "httpPort": 80,
                        "tlsPort": 443,
                        "ocspResponderURL": "",
                        "externalAccountBindingRequired": False,
                    }
                }
            )
        )
        self.dns = host.start(
            "pebble-challtestsrv",
            *("-dns01", ":53", "-management", f"127.0.0.1:{MANAGEMENT_PORT}"),
            *("-http01", "", "-https01", "", "-tlsalpn01", ""),
            *("-defaultIPv4", "", "-defaultIPv6", ""),
        )
        self.pebble = host.start(
            "pebble",
            *("-config", "/mnt/ca/pebble.json", "-dnsserver", "127.0.0.1:53"),
            environment={
                "PEBBLE_VA_NOSLEEP": "1",
                "PEBBLE_AUTHZREUSE": "0",
                "PEBBLE_WFE_NONCEREJECT": str(rejected_nonces),
            },
            on_line=on_line,
        )
        # Both say that they listen before they do.
        network.wait_listening(host, "127.0.0.1", MANAGEMENT_PORT)
        network.wait_listening(host, address, ACME_PORT)
        self._lock = threading.Lock()

    def _manage(self, what, **values):
        request = urllib.request.Request(
            f"http://127.0.0.1:{MANAGEMENT_PORT}/{what}", json.dumps(values).encode()
        )
        # The opener knows no proxy; it makes its socket in this thread.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with self._host.network(), contextlib.closing(opener.open(request, timeout=10)) as answer:
            assert answer.status == 200

    def set_name(self, name, ipv4=(), ipv6=()):
        """What the CA resolves `name` to."""
        with self._lock:
            self._manage("clear-a", host=f"{name}.")
            self._manage("clear-aaaa", host=f"{name}.")
            if ipv4:
                self._manage("add-a", host=f"{name}.", addresses=list(ipv4))
            if ipv6:
                self._manage("add-aaaa", host=f"{name}.", addresses=list(ipv6))
