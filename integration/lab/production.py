# SPDX-License-Identifier: GPL-2.0-or-later
"""The production server that owns port 80: Debian's Apache or nginx."""

import hashlib
import re
from pathlib import Path

from . import network

PAGE = "<html><body>production of the lab</body></html>\n"

APACHE = """\
ServerRoot /usr/lib/apache2
ServerName production.lab
LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule authz_core_module modules/mod_authz_core.so
LoadModule dir_module modules/mod_dir.so
# One process for all connections, so that Apache itself starts and ends none in a test.
ServerLimit 1
StartServers 1
ThreadsPerChild 48
MaxRequestWorkers 48
MinSpareThreads 1
MaxSpareThreads 48
PidFile /run/apache2.pid
DefaultRuntimeDir /run
Mutex posixsem
User www-data
Group www-data
{listen}
ErrorLog /dev/stderr
LogFormat "%h %>s %{{remote}}p %U" lab
CustomLog /mnt/production/access.log lab
KeepAlive On
KeepAliveTimeout 300
MaxKeepAliveRequests 0
DocumentRoot /mnt/production/pages
DirectoryIndex index.html
ErrorDocument 404 /missing.html
<Directory /mnt/production/pages>
    Require all granted
</Directory>
"""

NGINX = """\
daemon off;
user www-data;
worker_processes 1;
pid /run/nginx.pid;
error_log stderr notice;
events {{
}}
http {{
    client_body_temp_path /run/nginx-body;
    proxy_temp_path /run/nginx-proxy;
    fastcgi_temp_path /run/nginx-fastcgi;
    uwsgi_temp_path /run/nginx-uwsgi;
    scgi_temp_path /run/nginx-scgi;
    log_format lab '$remote_addr $status $remote_port $uri';
    access_log /mnt/production/access.log lab;
    keepalive_timeout 300s;
    keepalive_requests 1000000;
    server {{
        {listen}
        root /mnt/production/pages;
        index index.html;
        error_page 404 /missing.html;
    }}
}}
"""


class Production:
    """`kind` is "apache" or "nginx". Both families, unless the host has one only."""

    def __init__(self, lab, kind="apache", host=None):
        self.host = host or lab.host
        self.kind = kind
        self._directory = lab.directory / "production"
        pages = self._directory / "pages"
        pages.mkdir(parents=True)
        (pages / "index.html").write_text(PAGE)
        (pages / "missing.html").write_text(PAGE)
        (pages / "large.bin").write_bytes(b"production of the lab\n" * 40000)
        families = ["0.0.0.0", "[::]"] if lab.ipv6 else ["0.0.0.0"]
        getattr(self, f"_start_{kind}")(families)
        # Whoever answers has taken on its final account and name.
        assert network.get(self.host, "127.0.0.1").server == "production"

    def _start_apache(self, families):
        listen = "\n".join(f"Listen {address}:80" for address in families)
        (self._directory / "apache.conf").write_text(APACHE.format(listen=listen))
        self.process = self.host.start(
            "apache2", "-DFOREGROUND", "-f", "/mnt/production/apache.conf"
        )
        self.process.output.wait_for("resuming normal operations")

    def _start_nginx(self, families):
        listen = "\n        ".join(
            f"listen {address}:80{' ipv6only=on' if ':' in address else ''};"
            for address in families
        )
        (self._directory / "nginx.conf").write_text(NGINX.format(listen=listen))
        self.process = self.host.start("nginx", "-c", "/mnt/production/nginx.conf")
        self.process.output.wait_for("start worker process ")

    def requests(self):
        """What production logged: (address, status, port, path)."""
        lines = (self._directory / "access.log").read_text().splitlines()
        entries = [re.fullmatch(r"(\S+) (\d+) (\d+) (\S+)", line) for line in lines]
        assert all(entries), "a line of production's log is unreadable"
        return [(m[1], int(m[2]), int(m[3]), m[4]) for m in entries]

    def fingerprint(self):
        """
        Processes with their start times, listening sockets, open files, and every file with its
        content, mode and times: equal before and after means that nobody touched production.
        """
        processes = {}
        name = {"apache": b"apache2", "nginx": b"nginx"}[self.kind]
        for pid, command in self.host.processes().items():
            if not command[0].rsplit(b"/", 1)[-1].startswith(name):
                continue
            stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            parent, started = stat[1], stat[19]
            processes[pid] = (parent, started, command, Path(f"/proc/{pid}/maps").stat().st_uid)
        files = {}
        for path in sorted(self._directory.rglob("*")):
            if path.is_file() and path.name != "access.log":
                stat = path.stat()
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                files[str(path)] = (digest, stat.st_mode, stat.st_mtime_ns, stat.st_ctime_ns)
        listening = sorted(
            " ".join(line.split()[3:]) for line in self._listening().splitlines() if line
        )
        return {"processes": processes, "files": files, "listening": listening}

    def _listening(self):
        # -e: with the inode of each socket.
        return self.host.run("ss", "-Hltne", "sport = :80").stdout
