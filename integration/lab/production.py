# SPDX-License-Identifier: GPL-2.0-or-later
"""The production server that owns port 80: Debian's Apache or nginx, before an application."""

import hashlib
import os
import re
import shutil
import threading
import time
from pathlib import Path
from typing import NamedTuple

from . import network

PAGE = "<html><body>production of the lab</body></html>\n"
PIECES = 8  # small pages, each different: /piece-0 …
DOWNLOAD_SIZE = 1 << 20
APPLICATION = "/run/application.sock"

APACHE = """\
ServerRoot /usr/lib/apache2
ServerName production.lab
LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule authz_core_module modules/mod_authz_core.so
LoadModule dir_module modules/mod_dir.so
LoadModule proxy_module modules/mod_proxy.so
LoadModule proxy_http_module modules/mod_proxy_http.so
# One process for all connections, so that Apache itself starts and ends none in a test.
ServerLimit 1
StartServers 1
ThreadLimit 128
ThreadsPerChild 128
MaxRequestWorkers 128
MinSpareThreads 1
MaxSpareThreads 128
PidFile /run/apache2.pid
DefaultRuntimeDir /run
Mutex posixsem
User www-data
Group www-data
{listen}
ErrorLog /dev/stderr
LogFormat "%h %>s %{{remote}}p %A \\"%r\\"" lab
CustomLog /mnt/production/access.log lab
KeepAlive On
KeepAliveTimeout 300
MaxKeepAliveRequests 0
DocumentRoot /mnt/production/pages
DirectoryIndex index.html
ErrorDocument 404 /missing.html
ProxyTimeout 60
ProxyPass /upload unix:{application}|http://application/upload
ProxyPass /chunked unix:{application}|http://application/chunked
ProxyPass /slow unix:{application}|http://application/slow
ProxyPass /upgrade unix:{application}|http://application/upgrade upgrade=ANY
<Directory /mnt/production/pages>
    Require all granted
</Directory>
"""

NGINX = """\
daemon off;
user www-data;
worker_processes 1;
worker_rlimit_nofile 20000;
pid /run/nginx.pid;
error_log stderr notice;
events {{
    worker_connections 16000;
}}
http {{
    client_body_temp_path /run/nginx-body;
    proxy_temp_path /run/nginx-proxy;
    fastcgi_temp_path /run/nginx-fastcgi;
    uwsgi_temp_path /run/nginx-uwsgi;
    scgi_temp_path /run/nginx-scgi;
    log_format lab '$remote_addr $status $remote_port $server_addr "$request"';
    access_log /mnt/production/access.log lab;
    keepalive_timeout 300s;
    keepalive_requests 1000000;
    client_max_body_size 64m;
    proxy_http_version 1.1;
    proxy_buffering off;
    proxy_request_buffering off;
    upstream application {{
        server unix:{application};
    }}
    server {{
        {listen}
        root /mnt/production/pages;
        index index.html;
        error_page 404 /missing.html;
        location ~ ^/(upload|chunked|slow)$ {{
            proxy_pass http://application;
        }}
        location = /upgrade {{
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_pass http://application;
        }}
    }}
}}
"""


class Request(NamedTuple):
    """A line of production's log. `local` is the address of its own that was asked."""

    address: str
    status: int
    port: int
    local: str
    line: str

    @property
    def path(self):
        """With the query. "": that was no request."""
        words = self.line.split(" ")
        return words[1] if len(words) == 3 else ""


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
        (pages / "download").write_bytes(os.urandom(DOWNLOAD_SIZE))
        for number in range(PIECES):
            (pages / f"piece-{number}").write_text(f"piece {number}: {PAGE}" * (number + 1))
        self.pages = pages
        self._start_application()
        families = ["0.0.0.0", "[::]"] if lab.ipv6 else ["0.0.0.0"]
        getattr(self, f"_start_{kind}")(families)
        # Whoever answers has taken on its final account and name.
        assert network.get(self.host, "127.0.0.1").server == "production"
        self.wait_for_requests(lambda requests: requests)

    def _start_application(self):
        shutil.copy(Path(__file__).with_name("application.py"), self._directory)
        self.application = self.host.start(
            *("/usr/bin/python3", "-B", "/mnt/production/application.py", APPLICATION),
            name="application",
        )
        self.application.output.wait_for("^ready$")

    def _start_apache(self, families):
        listen = "\n".join(f"Listen {address}:80" for address in families)
        (self._directory / "apache.conf").write_text(
            APACHE.format(listen=listen, application=APPLICATION)
        )
        self.process = self.host.start(
            "apache2", "-DFOREGROUND", "-f", "/mnt/production/apache.conf"
        )
        self.process.output.wait_for("resuming normal operations")

    def _start_nginx(self, families):
        listen = "\n        ".join(
            f"listen {address}:80{' ipv6only=on' if ':' in address else ''};"
            for address in families
        )
        (self._directory / "nginx.conf").write_text(
            NGINX.format(listen=listen, application=APPLICATION)
        )
        self.process = self.host.start("nginx", "-c", "/mnt/production/nginx.conf")
        self.process.output.wait_for("start worker process ")

    @property
    def log(self):
        return self._directory / "access.log"

    def requests(self, start=0):
        """What production logged, as Requests, from line number `start` on."""
        lines = self.log.read_text().splitlines()[start:]
        entries = [re.fullmatch(r'(\S+) (\d+) (\d+) (\S+) "(.*)"', line) for line in lines]
        assert all(entries), "a line of production's log is unreadable"
        return [Request(m[1], int(m[2]), int(m[3]), m[4], m[5]) for m in entries]

    def wait_for_requests(self, condition, start=0, timeout=5):
        """
        Until `condition` holds for the Requests from line `start` on, and these. A web server
        writes its line after the answer, and tells nobody.
        """
        deadline = time.monotonic() + timeout
        pause = threading.Event()
        while not condition(requests := self.requests(start)):
            assert time.monotonic() < deadline, f"production's log has {requests[-20:]}"
            pause.wait(0.01)
        return requests

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
