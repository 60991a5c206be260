# SPDX-License-Identifier: GPL-2.0-or-later
"""
Servers that people would have answer a challenge, each from Debian's package, with the smallest
configuration that is sensible and the settings that make it fastest here: one process on the
servers' core, no log, accepting deferred until the request is there where it can do that, and
nothing looked up twice where it can remember it.
"""

from pathlib import Path

from lab import network, programs
from lab.lab import HOST4
from lab.wicket import PREFIX

from .challenges import ROOT, Challenges
from .contender import Contender
from .wrong import Wrong

INSIDE = Path(__file__).with_name("inside")
PORT = 8080  # beside production, which is on port 80


def tree(pid):
    """A process and its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in tree(int(child)))]


class Answerer(Contender):
    """
    Answers challenges. `tokens_max`: with more of them it is not measured; `keeps`: it leaves
    connections open for further requests; `holds_strangers`: others are served meanwhile.
    """

    port = PORT
    tokens_max = 100000
    keeps = True
    holds_strangers = True
    accepts_silent = True
    knows_tokens = True
    _process = None

    def stop(self):
        if self._process:
            self._process.stop()
            self._process = None

    def pids(self):
        return tree(self._process.pid) if self._process else []

    def begin(self, setting):
        """Has it start, and does not wait until it is ready."""
        self.challenges = Challenges(setting.tokens)
        self._process = self.lab.host.start(
            *self._prepare(setting), name=self.name, prefix=self.cores.prefix
        )

    def _start(self, setting):
        self.begin(setting)
        self._wait_ready()

    def _prepare(self, setting):
        """Writes what it needs; returns its command."""
        raise NotImplementedError

    def _wait_ready(self):
        try:
            network.wait_listening(self.lab.host, HOST4, self.port)
        except AssertionError as error:
            raise Wrong(f"{self.name}: {error}; it said: {self.said()}") from None

    def said(self):
        return " ".join(self._process.output.text().split()) if self._process else "nothing"

    def _write(self, name, text):
        (self.lab.directory / name).write_text(text)
        return f"/mnt/{name}"

    def _write_list(self):
        self.challenges.write_list(self.lab.directory / "key-authorizations")
        return "/mnt/key-authorizations"

    def _get(self, path, timeout=10):
        return network.get(
            *(self.lab.outside, HOST4, path),
            **{"port": self.port, "source": self.sources[0], "timeout": timeout},
        )

    def answers(self):
        """Whether the challenge is answered, now."""
        answer = self._get(self.challenges.path, timeout=0.5)
        return (answer.status, answer.body) == (200, self.challenges.body)

    def _check(self, _setting):
        answer = self._get(self.challenges.path)
        if (answer.status, answer.body) != (200, self.challenges.body):
            got = f"{answer.status} {answer.body[:80]}" if answer.status else answer.error
            raise Wrong(f"{self.name}: the challenge is not answered, but {got}; {self.said()}")
        if self.knows_tokens and self._get(PREFIX + self.challenges.unknown).status == 200:
            raise Wrong(f"{self.name}: a token that nobody registered is answered")


class Canned(Answerer):
    """The bound: tests/benchmark/canned.c."""

    name = "canned"
    describe = "an epoll loop that reads and writes, and looks at nothing: the bound"
    knows_tokens = False

    def _prepare(self, setting):
        keep = ["keep"] if setting.keep else []
        (self.lab.directory / "body").write_bytes(self.challenges.body)
        return [
            *(programs.build_directory() / "tests/benchmark/canned", self.port, "/mnt/body"),
            *keep,
        ]


NGINX = """\
daemon off;
user www-data;
worker_processes 1;
worker_rlimit_nofile 20000;
pid /run/nginx-rival.pid;
error_log stderr crit;
events {{
    worker_connections 16000;
    multi_accept on;
}}
http {{
    client_body_temp_path /run/nginx-rival-body;
    proxy_temp_path /run/nginx-rival-proxy;
    fastcgi_temp_path /run/nginx-rival-fastcgi;
    uwsgi_temp_path /run/nginx-rival-uwsgi;
    scgi_temp_path /run/nginx-rival-scgi;
    access_log off;
    server_tokens off;
    default_type application/octet-stream;
    keepalive_timeout 300s;
    keepalive_requests 1000000000;
    {http}
    server {{
        listen 0.0.0.0:{port} deferred backlog=4096;
        {server}
    }}
}}
"""


class Nginx(Answerer):
    """Without its `http` and `server`."""

    def _prepare(self, setting):
        text = NGINX.format(port=self.port, http=self._http(), server=self._server())
        return ["nginx", "-c", self._write("nginx-rival.conf", text)]

    def _http(self):
        return ""

    def _server(self):
        raise NotImplementedError


class NginxFile(Nginx):
    name = "nginx-file"
    describe = "nginx, static files, deferred, with a cache of open files"

    def _http(self):
        self.challenges.write_files(self.lab.host)
        return "open_file_cache max=10000 inactive=600s; open_file_cache_valid 600s; sendfile off;"

    def _server(self):
        return f"root {ROOT};"


class NginxReturn(Nginx):
    name = "nginx-return"
    describe = "nginx, `return 200`, deferred; more than one token in a `map`"

    def _one(self):
        return len(self.challenges.tokens) == 1

    def _http(self):
        if self._one():
            return ""
        lines = "".join(f"{path} {body};\n" for path, body in self.challenges.pairs())
        buckets = max(2048, 2 * len(self.challenges.tokens))
        return (
            f"map_hash_max_size {buckets}; map_hash_bucket_size 256;\n"
            f"map $uri $key_authorization {{\n{lines}}}"
        )

    def _server(self):
        if self._one():
            body = self.challenges.body.decode()
            return f"location = {self.challenges.path} {{ return 200 {body}; }}"
        return (
            f"location {PREFIX} {{ if ($key_authorization) {{ return 200 $key_authorization; }}"
            " return 404; }"
        )


class Webfs(Answerer):
    name = "webfs"
    describe = "webfs, static files"

    def _prepare(self, setting):
        self.challenges.write_files(self.lab.host)
        return [
            *("webfsd", "-F", "-4", "-j", "-p", self.port, "-r", ROOT, "-c", 8192),
            *("-t", 300, "-u", "www-data", "-g", "www-data"),
        ]


LIGHTTPD = """\
server.document-root = "{root}"
server.bind = "0.0.0.0"
server.port = {port}
server.username = "www-data"
server.groupname = "www-data"
server.event-handler = "linux-sysepoll"
server.defer-accept = 1
server.listen-backlog = 4096
server.max-fds = 16384
server.max-connections = 8192
server.max-keep-alive-requests = 1000000000
server.max-keep-alive-idle = 300
server.max-read-idle = 300
server.stat-cache-engine = "simple"
server.errorlog = "/dev/null"
mimetype.assign = ( "" => "application/octet-stream" )
"""


class Lighttpd(Answerer):
    name = "lighttpd"
    describe = "lighttpd, static files, deferred"

    def _prepare(self, setting):
        self.challenges.write_files(self.lab.host)
        text = LIGHTTPD.format(root=ROOT, port=self.port)
        return ["lighttpd", "-D", "-f", self._write("lighttpd.conf", text)]


HAPROXY = """\
global
    nbthread 1
    maxconn 8000
defaults
    mode http
    maxconn 8000
    timeout client 300s
    timeout http-request 300s
    timeout http-keep-alive 300s
frontend challenges
    bind 0.0.0.0:{port} defer-accept backlog 4096
    {rules}
    http-request deny deny_status 404
"""


class HAProxyReturn(Answerer):
    name = "haproxy"
    describe = "HAProxy, `http-request return`, deferred; more than one token in a map"

    def _prepare(self, setting):
        answer = 'http-request return status 200 content-type "application/octet-stream"'
        if len(self.challenges.tokens) == 1:
            body = self.challenges.body.decode()
            rules = f"{answer} string {body} if {{ path {self.challenges.path} }}"
        else:
            lines = "".join(f"{path} {body}\n" for path, body in self.challenges.pairs())
            file = self._write("challenges.map", lines)
            found = f"path,map_str({file})"
            rules = (
                f"http-request set-var(txn.body) {found}\n"
                f"    {answer} lf-string %[var(txn.body)] if {{ var(txn.body) -m found }}"
            )
        text = HAPROXY.format(port=self.port, rules=rules)
        return ["haproxy", "-db", "-f", self._write("haproxy-rival.cfg", text)]


APACHE = """\
ServerRoot /usr/lib/apache2
ServerName rival.lab
LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule authz_core_module modules/mod_authz_core.so
ServerLimit 1
StartServers 1
ThreadLimit 128
ThreadsPerChild 128
MaxRequestWorkers 128
MinSpareThreads 1
MaxSpareThreads 128
AsyncRequestWorkerFactor 128
PidFile /run/apache-rival.pid
DefaultRuntimeDir /run
Mutex posixsem
User www-data
Group www-data
Listen 0.0.0.0:{port}
ListenBacklog 4096
AcceptFilter http data
ErrorLog /dev/null
KeepAlive On
KeepAliveTimeout 300
MaxKeepAliveRequests 0
Timeout 300
DocumentRoot {root}
<Directory {root}>
    Require all granted
    Options FollowSymLinks
    AllowOverride None
</Directory>
"""


class Apache(Answerer):
    """
    Who is silent is held back by the kernel for 30 seconds. It has threads to spare: when none is
    idle, it closes connections that it has said it would keep.
    """

    name = "apache"
    accepts_silent = False
    describe = "Apache, event MPM, static files, deferred"

    def _prepare(self, setting):
        self.challenges.write_files(self.lab.host)
        text = APACHE.format(root=ROOT, port=self.port)
        return ["apache2", "-DFOREGROUND", "-f", self._write("apache-rival.conf", text)]


class Acmetool(Answerer):
    name = "acmetool"
    describe = "acmetool redirector, files"

    def _prepare(self, setting):
        self.challenges.write_files(self.lab.host)
        return [
            *("acmetool", "--state=/run/acmetool", "redirector", f"--bind=:{self.port}"),
            *(f"--path={ROOT}{PREFIX.rstrip('/')}", "--read-timeout=300s", "--write-timeout=300s"),
            *("--service.uid=33", "--service.gid=33"),
        ]


class Standalone(Answerer):
    """It looks for a token among all of them, one after the other, for every request."""

    name = "standalone"
    describe = (
        "certbot's standalone server: one at a time, so that one stranger stops it; HTTP/1.0,"
        " no connection is kept; all tokens are compared for each request"
    )
    tokens_max = 1000
    keeps = False
    holds_strangers = False

    def _prepare(self, setting):
        return ["/usr/bin/python3", "-B", INSIDE / "standalone.py", self.port, self._write_list()]

    def _wait_ready(self):
        self._process.output.wait_for("^ready$", timeout=60)


RIVALS = [
    *(Canned, NginxReturn, NginxFile, HAProxyReturn, Lighttpd, Webfs),
    *(Apache, Acmetool, Standalone),
]
