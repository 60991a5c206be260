# SPDX-License-Identifier: GPL-2.0-or-later
"""
The application behind production, which a web server alone cannot show: what takes long, both ways.

    application.py SOCKET

listens on that Unix socket, one request a connection, and says "ready".

    POST, PUT /upload   the SHA-256 of the body in hex
    GET /chunked?n=N    N lines of known content (see content()), a chunk each
    GET /slow           the same ten lines, with pauses between them
    GET /upgrade        101, and from then on every byte comes back
"""

import asyncio
import contextlib
import hashlib
import os
import signal
import sys
import urllib.parse

MOST_HEADERS = 100
PAUSE_S = 0.02  # of /slow, between its pieces


def content(count):
    """The lines of /chunked."""
    return [f"production of the lab, line {number}\n".encode() for number in range(count)]


async def read_head(reader):
    """(method, target, headers)."""
    method, target, _ = (await reader.readline()).decode("latin-1").split()
    headers = {}
    for _ in range(MOST_HEADERS):
        line = (await reader.readline()).decode("latin-1").strip()
        if not line:
            return method, target, headers
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    raise ValueError("too many headers")


async def read_body(reader, headers):
    """The body in pieces, whichever way its end is told."""
    if "chunked" in headers.get("transfer-encoding", ""):
        while size := int((await reader.readline()).split(b";")[0], 16):
            yield await reader.readexactly(size)
            await reader.readexactly(2)
        while (await reader.readline()).strip():
            pass  # trailers
        return
    left = int(headers.get("content-length", "0"))
    while left:
        piece = await reader.read(min(left, 65536))
        if not piece:
            raise EOFError("the body is cut short")
        left -= len(piece)
        yield piece


def answer(writer, status, *headers):
    lines = [f"HTTP/1.1 {status}", *headers, "", ""]
    writer.write("\r\n".join(lines).encode())


def answer_text(writer, status, text):
    body = text.encode()
    answer(
        writer, status, "Content-Type: text/plain", f"Content-Length: {len(body)}",
        "Connection: close",
    )  # fmt: skip
    writer.write(body)


async def upload(reader, writer, headers):
    if "100-continue" in headers.get("expect", "").lower():
        answer(writer, "100 Continue")
    digest = hashlib.sha256()
    async for piece in read_body(reader, headers):
        digest.update(piece)
    answer_text(writer, "200 OK", digest.hexdigest())


async def pieces(writer, lines, pause):
    answer(
        writer, "200 OK", "Content-Type: text/plain", "Transfer-Encoding: chunked",
        "Connection: close",
    )  # fmt: skip
    for line in lines:
        writer.write(b"%x\r\n%s\r\n" % (len(line), line))
        await writer.drain()
        if pause:
            # What is slow is slow.
            loop = asyncio.get_running_loop()
            moment = loop.create_future()
            loop.call_later(pause, moment.set_result, None)
            await moment
    writer.write(b"0\r\n\r\n")


async def echo(reader, writer, headers):
    if headers.get("upgrade", "").lower() != "echo":
        answer_text(writer, "426 Upgrade Required", "this speaks echo only\n")
        return
    answer(writer, "101 Switching Protocols", "Upgrade: echo", "Connection: Upgrade")
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()


async def serve(reader, writer):
    # Who goes away in the middle of a request is not answered.
    with contextlib.suppress(OSError, ValueError, EOFError):
        try:
            method, target, headers = await read_head(reader)
            path, _, query = target.partition("?")
            values = dict(urllib.parse.parse_qsl(query))
            if path == "/upload" and method in ("POST", "PUT"):
                await upload(reader, writer, headers)
            elif path == "/chunked":
                await pieces(writer, content(int(values.get("n", "10"))), 0)
            elif path == "/slow":
                await pieces(writer, content(10), PAUSE_S)
            elif path == "/upgrade":
                await echo(reader, writer, headers)
            else:
                answer_text(writer, "404 Not Found", "no such thing\n")
            await writer.drain()
        finally:
            writer.close()


async def main(path):
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    server = await asyncio.start_unix_server(serve, path)
    os.chmod(path, 0o666)  # the web server has an account of its own
    print("ready", flush=True)
    await stopped.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
