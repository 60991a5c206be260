# SPDX-License-Identifier: GPL-2.0-or-later
"""
Visitors of every kind, all at once, who look closely at what they get. A program of its own, run
in the lab's host `outside`:

    storm.py PLAN

PLAN is a JSON file: "routes" has [from, to] addresses by family, "digests" the SHA-256 of what each
path of production serves, "crowd" how many visitors there are of each kind and family, "pause" the
seconds each of them rests after a visit, "log" where every request that was sent is written as
"PATH ADDRESS PORT", the visitor's.

Says "under way" once every kind over every family has had an answer or a failure. When its standard
input ends, those who are there finish their visit; then the last line is the result, in JSON:

    {"visits": {"IPv4": {"close": 120, ...}, ...}, "failures": [{...}, ...],
     "latency_ms": {"close": {"50": 0.4, "99": 2.0, "100": 9.1}, ...}}

A visit is one answer, whole and as expected. Anything else is a failure, with what was seen.
"""

import asyncio
import contextlib
import hashlib
import itertools
import json
import os
import socket
import sys
import time
from collections import Counter, defaultdict

TIMEOUT_S = 15  # of a visit
PIECES = 8
UPLOAD_SIZE = 1 << 20
REQUESTS = 25  # over a connection that is kept, before the visitor comes anew
IP_BIND_ADDRESS_NO_PORT = 24  # so that a port may serve several destinations
UPLOAD = os.urandom(UPLOAD_SIZE)
UPLOAD_DIGEST = hashlib.sha256(UPLOAD).hexdigest()


class Wrong(Exception):
    """An answer that is not what it should be."""


def chunked_content(count):
    return b"".join(b"production of the lab, line %d\n" % number for number in range(count))


async def read_answer(reader):
    """(status, headers, body) of the next answer."""
    line = await reader.readline()
    if not line:
        raise Wrong("closed without an answer")
    if not line.startswith(b"HTTP/1.1 "):
        raise Wrong(f"no answer of HTTP: {line[:60]!r}")
    status = int(line.split()[1])
    headers = {}
    while (line := await reader.readline()) != b"\r\n":
        if not line.endswith(b"\n"):
            raise Wrong("closed among the headers")
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return status, headers, await _read_body(reader, status, headers)


async def _read_body(reader, status, headers):
    if status == 101:
        return b""
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(await reader.readuntil(b"\n"), 16):
            body += await reader.readexactly(size)
            if await reader.readexactly(2) != b"\r\n":
                raise Wrong("a chunk does not end where it should")
        await reader.readuntil(b"\n")
        return body
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    return await reader.read()


class Visitor:
    """One of a kind. Its `visit` is a whole connection."""

    kind = None
    path = "/"

    def __init__(self, storm, family, route):
        self.storm = storm
        self.family = family
        self.source, self.target = route
        self.port = 0
        self.asked = ""
        self.reader = self.writer = None

    async def visit(self):
        """One connection, or what became of it."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self.connect()
            await self.converse()
        except asyncio.TimeoutError:
            self.fail(began, f"nothing for {TIMEOUT_S} s")
        except asyncio.IncompleteReadError as error:
            self.fail(began, f"cut short: {len(error.partial)} of {error.expected} bytes")
        except (OSError, ValueError, asyncio.LimitOverrunError) as error:
            self.fail(began, f"{type(error).__name__}: {error}")
        except Wrong as error:
            self.fail(began, str(error))
        finally:
            if self.writer:
                self.writer.close()
                with contextlib.suppress(OSError):
                    await self.writer.wait_closed()
                self.writer = None

    async def connect(self):
        self.port, self.asked = 0, ""
        family = socket.AF_INET6 if ":" in self.source else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.bind((self.source, 0))
            await asyncio.get_running_loop().sock_connect(connection, (self.target, 80))
            self.port = connection.getsockname()[1]
        except BaseException:
            connection.close()
            raise
        self.reader, self.writer = await asyncio.open_connection(sock=connection, limit=1 << 21)

    async def converse(self):
        await self.ask_and_check("Connection: close")
        await self.expect_end()

    def request(self, *headers, path=None, method="GET"):
        """A request that the log can tell from all others; it is noted as sent."""
        path = path or self.path
        self.asked = f"{path}{'&' if '?' in path else '?'}{self.storm.number()}"
        self.storm.log.write(f"{self.asked} {self.source} {self.port}\n")
        name = f"[{self.target}]" if ":" in self.target else self.target
        lines = [f"{method} {self.asked} HTTP/1.1", f"Host: {name}", *headers, "", ""]
        return "\r\n".join(lines).encode()

    async def ask_and_check(self, *headers):
        """One visit: a request and its answer."""
        async with self.counted():
            self.writer.write(self.request(*headers))
            await self.check_page(self.path)

    async def check_page(self, path):
        status, _, body = await read_answer(self.reader)
        self.check(status == 200, f"status {status}")
        self.check_digest(body, self.storm.digests[path])

    def check(self, good, seen):
        if not good:
            raise Wrong(seen)

    def check_digest(self, body, digest):
        self.check(
            hashlib.sha256(body).hexdigest() == digest,
            f"another body: {len(body)} bytes, {body[:60]!r}",
        )

    async def expect_end(self):
        async with asyncio.timeout(TIMEOUT_S):
            rest = await self.reader.read(60)
        self.check(not rest, f"{rest!r} after the answer")

    @contextlib.asynccontextmanager
    async def counted(self):
        began = time.monotonic()
        async with asyncio.timeout(TIMEOUT_S):
            yield
        self.storm.succeeded(self, time.monotonic() - began)

    def fail(self, began, seen):
        self.storm.failed(self, began, seen)


class Close(Visitor):
    """One connection a request, which the server closes."""

    kind = "close"


class ClosesFirst(Visitor):
    """Takes the answer and goes, whatever the server would have liked."""

    kind = "closes first"

    async def converse(self):
        await self.ask_and_check()


class KeepAlive(Visitor):
    kind = "keep-alive"

    async def converse(self):
        for _ in range(REQUESTS):
            await self.ask_and_check()
            if self.storm.over.is_set():
                return
            await self.storm.rest()


class Pipelined(Visitor):
    """Eight requests in one write; the answers come in their order."""

    kind = "pipelined"

    async def converse(self):
        paths = [f"/piece-{number}" for number in range(PIECES)]
        async with self.counted():
            self.writer.write(b"".join(self.request(path=path) for path in paths))
            for path in paths:
                await self.check_page(path)


class Download(Visitor):
    kind = "download"
    path = "/download"


class Chunked(Visitor):
    """An answer in chunks, of another length each time."""

    kind = "chunked answer"

    async def converse(self):
        async with self.counted():
            count = 1 + self.storm.number() % 200
            path = f"/chunked?n={count}"
            self.writer.write(self.request("Connection: close", path=path))
            status, _, body = await read_answer(self.reader)
            self.check(status == 200, f"status {status}")
            self.check_digest(body, hashlib.sha256(chunked_content(count)).hexdigest())
        await self.expect_end()


class Slow(Visitor):
    """An answer that takes its time."""

    kind = "slow answer"
    path = "/slow"


class Upload(Visitor):
    kind = "upload"
    path = "/upload"
    header = f"Content-Length: {UPLOAD_SIZE}"

    async def send_body(self):
        self.writer.write(UPLOAD)
        await self.writer.drain()

    async def converse(self):
        async with self.counted():
            self.writer.write(self.request(self.header, method="POST"))
            await self.send_body()
            status, _, body = await read_answer(self.reader)
            self.check(status == 200, f"status {status}")
            self.check(body.decode() == UPLOAD_DIGEST, f"production got another body: {body!r}")


class UploadChunked(Upload):
    kind = "upload in chunks"
    header = "Transfer-Encoding: chunked"

    async def send_body(self):
        for start in range(0, UPLOAD_SIZE, 50_000):
            piece = UPLOAD[start : start + 50_000]
            self.writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await self.writer.drain()
        self.writer.write(b"0\r\n\r\n")


class Upgrade(Visitor):
    """Leaves HTTP behind: bytes go both ways."""

    kind = "upgrade"
    path = "/upgrade"

    async def converse(self):
        async with self.counted():
            self.writer.write(self.request("Connection: Upgrade", "Upgrade: echo"))
            status, headers, _ = await read_answer(self.reader)
            self.check(status == 101, f"status {status}")
            self.check(headers.get("upgrade", "").lower() == "echo", f"headers {headers}")
            for size in (1, 700, 30_000, 5):
                block = os.urandom(size)
                self.writer.write(block)
                self.check(await self.reader.readexactly(size) == block, "another echo")


class HalfClose(Visitor):
    """Says that no more will come, and reads on."""

    kind = "half-close"

    async def converse(self):
        async with self.counted():
            self.writer.write(self.request("Connection: close"))
            self.writer.write_eof()
            await self.check_page(self.path)
        await self.expect_end()


KINDS = (
    KeepAlive,
    Close,
    ClosesFirst,
    HalfClose,
    Pipelined,
    Chunked,
    Slow,
    Download,
    Upload,
    UploadChunked,
    Upgrade,
)


class Storm:
    def __init__(self, plan, log):
        self.digests = plan["digests"]
        self.log = log
        self.over = asyncio.Event()
        self._plan = plan
        self._numbers = itertools.count(1)
        self._visits = defaultdict(Counter)
        self._latencies = defaultdict(list)
        self._failures = []
        self._missing = {(family, kind.kind) for family in plan["routes"] for kind in KINDS}
        self._began = time.monotonic()

    def number(self):
        return next(self._numbers)

    def _seen(self, visitor):
        if self._missing:
            self._missing.discard((visitor.family, visitor.kind))
            if not self._missing:
                print("under way", flush=True)

    def succeeded(self, visitor, took):
        self._visits[visitor.family][visitor.kind] += 1
        self._latencies[visitor.kind].append(took)
        self._seen(visitor)

    def failed(self, visitor, began, seen):
        self._failures.append(
            {
                "kind": visitor.kind,
                "family": visitor.family,
                "source": f"{visitor.source} port {visitor.port}",
                "path": visitor.asked,
                "at_s": round(began - self._began, 3),
                "after_s": round(time.monotonic() - began, 3),
                "seen": seen,
            }
        )
        self._seen(visitor)

    async def rest(self):
        """The pace of a visitor, until it is over."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.over.wait(), self._plan["pause"])

    async def _come_again(self, kind, family, routes):
        for route in itertools.cycle(routes):
            await kind(self, family, route).visit()
            if self.over.is_set():
                return
            await self.rest()

    async def blow(self):
        loop = asyncio.get_running_loop()
        loop.add_reader(0, lambda: os.read(0, 4096) or self.over.set() or loop.remove_reader(0))
        crowd = []
        for family, routes in self._plan["routes"].items():
            for number, kind in enumerate(KINDS * self._plan["crowd"]):
                # Each begins with another address.
                start = number % len(routes)
                turn = routes[start:] + routes[:start]
                crowd.append(self._come_again(kind, family, turn))
        await asyncio.gather(*crowd)

    def result(self):
        latencies = {}
        for kind, values in self._latencies.items():
            values.sort()
            latencies[kind] = {
                str(percent): round(1000 * values[min(len(values) * percent // 100, len(values) - 1)], 2)
                for percent in (50, 99, 100)
            }
        return {"visits": self._visits, "failures": self._failures, "latency_ms": latencies}


async def main(path):
    with open(path, encoding="utf-8") as file:
        plan = json.load(file)
    with open(plan["log"], "w", encoding="utf-8") as log:
        storm = Storm(plan, log)
        await storm.blow()
    print(json.dumps(storm.result()), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
