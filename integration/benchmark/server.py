# SPDX-License-Identifier: GPL-2.0-or-later
"""Production for the benchmark: one nginx worker with a small page, a large file and uploads."""

from lab import network
from lab.lab import HOST4
from lab.production import PAGE

from .wrong import Wrong

LARGE_BYTES = 64 << 20
# Uploads are kept in memory, so that no disk is measured.
UPLOADS = "/run/uploads"

NGINX = f"""\
daemon off;
user www-data;
worker_processes 1;
worker_rlimit_nofile 16384;
pid /run/nginx.pid;
error_log stderr notice;
events {{
    worker_connections 8192;
}}
http {{
    client_body_temp_path {UPLOADS}/temporary;
    proxy_temp_path /run/nginx-proxy;
    fastcgi_temp_path /run/nginx-fastcgi;
    uwsgi_temp_path /run/nginx-uwsgi;
    scgi_temp_path /run/nginx-scgi;
    access_log off;
    sendfile on;
    keepalive_timeout 300s;
    keepalive_requests 1000000000;
    client_max_body_size 0;
    client_body_buffer_size 1m;
    server {{
        listen 0.0.0.0:80 backlog=4096;
        root /mnt/production/pages;
        index index.html;
        location = /visitor {{
            return 200 "$remote_addr\\n";
        }}
        location /uploads/ {{
            root /run;
            dav_methods PUT;
        }}
    }}
}}
"""


def large_content():
    """Never the same twice at two places: lines that are numbered."""
    length = 16
    return b"".join(b"%015d\n" % number for number in range(LARGE_BYTES // length))


class Server:
    """The same one for all contenders."""

    def __init__(self, lab, cores):
        self._host = lab.host
        directory = lab.directory / "production"
        pages = directory / "pages"
        pages.mkdir(parents=True)
        self.page = pages / "index.html"
        self.page.write_text(PAGE)
        self.large = pages / "large.bin"
        self.large.write_bytes(large_content())
        self._uploaded = lab.host.path(f"{UPLOADS}/large.bin")
        lab.host.run("install", "-d", "-o", "www-data", UPLOADS)
        (directory / "nginx.conf").write_text(NGINX)
        process = lab.host.start("nginx", "-c", "/mnt/production/nginx.conf", prefix=cores.prefix)
        process.output.wait_for("start worker process ")
        network.wait_listening(lab.host, HOST4, 80)

    def pids(self):
        """Its processes call themselves "nginx: worker process" and the like."""
        processes = self._host.processes().items()
        return [pid for pid, command in processes if command[0].startswith(b"nginx: ")]

    def forget_upload(self):
        self._uploaded.unlink(missing_ok=True)

    def check_upload(self, who):
        if not self._uploaded.exists() or self._uploaded.read_bytes() != self.large.read_bytes():
            raise Wrong(f"{who}: what was uploaded is not what production has got")
