# SPDX-License-Identifier: GPL-2.0-or-later
"""
ACME clients of the lab, each as its users run it: one for every way of handing over a challenge.

All of them trust what is in the system's bundle, which trust() makes the CA's own certificate.
"""

import re
from pathlib import Path

SYSTEM_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
HOOKS = "/usr/local/libexec/wicket/hooks"
WEBROOT = "/var/lib/wicket/webroot"
# What pebble wants to be agreed to.
TERMS = "data:text/plain,Do%20what%20thou%20wilt"
FAR_OFF_DAYS = 100_000  # any certificate is due for renewal by then


def trust(lab, host=None):
    """Some clients cannot be told what to trust, so the CA's certificate hides the bundle."""
    (host or lab.host).run("mount", "--bind", lab.ca.bundle, SYSTEM_BUNDLE)


class Client:
    """
    One client with a directory of its own below /mnt. `prefix` is a command that executes the
    rest, as setpriv; `user` is who that makes it, if not root. `webroot`: writes files, and is
    to be run inside `wicket run`; `at_once`: tells the CA of a file as soon as it has written it,
    so that the window had better be open.
    """

    webroot = False
    at_once = False

    def __init__(self, lab, name, user=None, host=None):
        self.lab = lab
        self.host = host or lab.host
        self.name = name
        self.root = f"/mnt/{name}"
        self.user = user
        self.prefix = (
            ("setpriv", "--reuid", user, "--regid", user, "--init-groups", "--") if user else ()
        )
        self.host.run("mkdir", self.root)
        self.prepare()
        if user:
            self.host.run("chown", "-R", f"{user}:", self.root)

    def prepare(self):
        """Configuration files, written as root."""

    def write(self, name, text):
        path = self.host.path(f"{self.root}/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def script(self, names, renew):
        """The shell commands that get a certificate for `names`, or the next one."""
        raise NotImplementedError

    def certificate_path(self, names):
        raise NotImplementedError

    def command(self, names, renew=False):
        command = ["sh", "-euc", f"cd {self.root}\n{self.script(names, renew)}"]
        if not self.webroot:
            return command
        return ["wicket", "run", *(["--open"] if self.at_once else []), "--", *command]

    @property
    def environment(self):
        return {"HOME": self.root, "PYTHONDONTWRITEBYTECODE": "1"}

    def run(self, names, renew=False, **more):
        return self.host.run(
            *self.command(names, renew),
            environment=self.environment,
            prefix=self.prefix,
            timeout=180,
            **more,
        )

    def start(self, names, renew=False):
        return self.host.start(
            *self.command(names, renew),
            environment=self.environment,
            prefix=self.prefix,
            name=self.name,
        )

    def certificate(self, names):
        """Serial and names of the certificate it got, as openssl reads them."""
        text = self.host.run(
            *("openssl", "x509", "-noout", "-serial", "-ext", "subjectAltName"),
            *("-in", self.certificate_path(names)),
        ).stdout
        serial = re.search(r"serial=(\w+)", text)[1]
        return serial, sorted(re.findall(r"DNS:([^,\s]+)", text))


def options(letter, names):
    return " ".join(f"{letter} {name}" for name in names)


class CertbotManual(Client):
    how = (
        "--manual --preferred-challenges http --manual-auth-hook 'wicket hook certbot auth'"
        " --manual-cleanup-hook 'wicket hook certbot cleanup'"
    )

    def script(self, names, renew):
        directories = "--config-dir config --work-dir work --logs-dir logs"
        if renew:
            return f"certbot renew -n --force-renewal --no-random-sleep-on-renew {directories}"
        return (
            "certbot certonly -n --agree-tos --register-unsafely-without-email --cert-name lab"
            f" --server {self.lab.ca.url} {directories} {self.how} {options('-d', names)}"
        )

    def certificate_path(self, names):
        return f"{self.root}/config/live/lab/cert.pem"


class CertbotWebroot(CertbotManual):
    webroot = True
    how = '--webroot --webroot-path "$WICKET_WEBROOT"'


class Dehydrated(Client):
    chain = "no"

    def prepare(self):
        self.write("config", "".join(f'{k}="{v}"\n' for k, v in self.settings().items()))
        self.host.run("mkdir", f"{self.root}/challenges")

    def settings(self):
        return {
            "CA": self.lab.ca.url,
            "BASEDIR": self.root,
            "WELLKNOWN": f"{self.root}/challenges",
            "HOOK": f"{HOOKS}/dehydrated",
            "HOOK_CHAIN": self.chain,
        }

    def script(self, names, renew):
        force = " --force" if renew else ""
        register = "" if renew else "dehydrated -f config --register --accept-terms\n"
        return f"{register}dehydrated -f config --cron{force} {options('-d', names)}"

    def certificate_path(self, names):
        return f"{self.root}/certs/{names[0]}/cert.pem"


class DehydratedChain(Dehydrated):
    chain = "yes"


class DehydratedWebroot(Dehydrated):
    webroot = True

    def settings(self):
        return {
            "CA": self.lab.ca.url,
            "BASEDIR": self.root,
            "WELLKNOWN": f"{WEBROOT}/.well-known/acme-challenge",
        }


class Uacme(Client):
    def script(self, names, renew):
        common = f"-y -c {self.root} -a {self.lab.ca.url}"
        new = "" if renew else f"uacme {common} -t EC new\n"
        force = "-f " if renew else ""
        return f"{new}uacme {common} {force}-t EC -h {HOOKS}/uacme issue {' '.join(names)}"

    def certificate_path(self, names):
        return f"{self.root}/{names[0]}/cert.pem"


class Acmetool(Client):
    def prepare(self):
        # Its own self-test asks port 80 from this host, which is production's at all times.
        self.write(
            "state/conf/target",
            f"request:\n  provider: {self.lab.ca.url}\n  challenge:\n    http-self-test: false\n",
        )
        self.write("state/conf/responses", f'"acme-enter-email": ""\n"acme-agreement:{TERMS}": true\n')
        self.host.run("mkdir", f"{self.root}/hooks")
        self.host.run("ln", "-s", f"{HOOKS}/acmetool", f"{self.root}/hooks/wicket")

    def script(self, names, renew):
        common = f"acmetool --state {self.root}/state --hooks {self.root}/hooks --batch"
        if renew:
            # It renews in the last third of a certificate's time, and what is marked as revoked.
            return f": >{self.root}/state/live/{names[0]}/revoked\n{common} reconcile"
        return f"{common} want {' '.join(names)}"

    def certificate_path(self, names):
        return f"{self.root}/state/live/{names[0]}/cert"


class Lego(Client):
    webroot = True
    at_once = True

    def script(self, names, renew):
        what = f"renew --no-random-sleep --days {FAR_OFF_DAYS}" if renew else "run"
        return (
            f"lego --server {self.lab.ca.url} --accept-tos --email lab@example.lab"
            f' --path {self.root} --http --http.webroot "$WICKET_WEBROOT"'
            f" {options('-d', names)} {what}"
        )

    def certificate_path(self, names):
        return f"{self.root}/certificates/{names[0]}.crt"


class ShellWriter(Client):
    """Writes and removes challenge files with the very commands that acme.sh uses for that."""

    webroot = True
    at_once = True

    def prepare(self):
        self.write("client.py", Path(__file__).with_name("shell_writer.py").read_text())

    def script(self, names, renew):
        return f"/usr/bin/python3 client.py {self.lab.ca.url} {self.root} {' '.join(names)}"

    def certificate_path(self, names):
        return f"{self.root}/cert.pem"


ALL = {
    "certbot manual": CertbotManual,
    "certbot webroot": CertbotWebroot,
    "dehydrated hook": Dehydrated,
    "dehydrated chain": DehydratedChain,
    "dehydrated webroot": DehydratedWebroot,
    "uacme": Uacme,
    "acmetool": Acmetool,
    "lego": Lego,
    "acme.sh's way": ShellWriter,
}
HOOKED = [name for name, kind in ALL.items() if not kind.webroot]
