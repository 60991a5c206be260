# SPDX-License-Identifier: GPL-2.0-or-later
"""
The conformance table: what HTTP/1.1 (RFC 9110, RFC 9112) asks of an origin server that knows one
resource, and what an HTTP parser is known to trip over. Data only; conformance.py judges.

Each case is raw bytes and what may come of them. `status` has the codes that are good where the
responder answers everybody; 0 is none at all, the connection just ends. Where a range of codes
conforms, the ones that were decided for this server are listed: lines end in CRLF, nothing is
decoded or repaired, GET and HEAD announce no content. `answered`: in front of production it is the
responder that answers, all else reaches production byte for byte.
"""

from typing import NamedTuple

PATH = "/.well-known/acme-challenge/"
# What stands for the registered token, for all of it but the end, and for it in other letters.
TOKEN, SHORT, UPPER = "TOKEN", "SHORT", "UPPER"
TARGET = f"{PATH}{TOKEN}"
HOST = "example.lab"

# How the bytes are sent.
WHOLE = "whole"
BYTES = "byte by byte"
SPLIT = "split at every byte"  # two pieces, a connection for each place to split
END = "then half-close"
BYTES_END = "byte by byte, then half-close"
SILENT = "then silence"  # and the connection's deadline passes


class Case(NamedTuple):
    name: str
    clause: str
    request: bytes
    status: frozenset
    answered: bool
    send: str
    head: bool  # the answer has no content
    kept: bool  # the connection stays open behind the answer, for another request


CASES = []

# What is answered in front of production, unless a case says otherwise.
OF_THE_RESOURCE = {200, 206, 304, 405, 412, 417}


def case(name, clause, request, *status, answered=None, send=WHOLE, head=None, kept=False):
    if isinstance(request, str):
        request = request.encode("latin-1")
    if answered is None:
        answered = set(status) <= OF_THE_RESOURCE
    if head is None:
        head = request.lstrip(b"\r\n").startswith(b"HEAD ")
    CASES.append(Case(name, clause, request, frozenset(status), answered, send, head, kept))


def ask(*fields, method="GET", target=TARGET, version="HTTP/1.1", host=HOST, content=""):
    """A request; `host` None leaves the field out."""
    lines = [f"{method} {target} {version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    return "".join(f"{line}\r\n" for line in (*lines, *fields)) + f"\r\n{content}"


# --- methods ---

M = "9110 9.1"
case("GET", "9110 9.3.1", ask(), 200)
case("HEAD", "9110 9.3.2", ask(method="HEAD"), 200)
case("HEAD of nothing", "9110 9.3.2", ask(method="HEAD", target="/"), 404)
case("HEAD that is refused", "9110 9.3.2", ask(method="HEAD", host=None), 400)
case("HEAD with two Hosts", "9110 9.3.2", ask("Host: b", method="HEAD"), 400)
case("HEAD of a newer HTTP", "9110 9.3.2", ask(method="HEAD", version="HTTP/2.0"), 505)
case("HEAD with too many fields", "9110 9.3.2", ask(*["X: y"] * 120, method="HEAD"), 431)
for _method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT"):
    case(f"{_method} of the resource", "9110 15.5.6", ask(method=_method), 405)
case("TRACE is not echoed", "9110 9.3.8", ask("Cookie: secret", method="TRACE"), 405)
case("POST elsewhere", M, ask("Content-Length: 0", method="POST", target="/"), 404)
case("unknown method", M, ask(method="BREW"), 405, 501, answered=False)
case("unknown method elsewhere", M, ask(method="BREW", target="/"), 404, 405, 501)
case("methods have a case", M, ask(method="get"), 405, 501, answered=False)
case("methods have a case: Head", M, ask(method="Head"), 405, 501, answered=False)
case("a method's beginning", M, ask(method="GE"), 405, 501, answered=False)
case("a method and more", M, ask(method="GETS"), 405, 501, answered=False)
case("PROPFIND", M, ask("Depth: 0", method="PROPFIND"), 405, 501, answered=False)
case("PURGE", M, ask(method="PURGE"), 405, 501, answered=False)
case(
    "method of odd characters",
    "9110 5.6.2",
    ask(method="!#$%&'*+-.^_`|~"),
    405,
    501,
    answered=False,
)
case("method of 32", "9112 3.1", ask(method="M" * 32), 405, 501, answered=False)
case("method of 33", "9112 3.1", ask(method="M" * 33), 501)
case("method of 10,000", "9112 3.1", ask(method="M" * 10000), 501)
for _byte, _what in (
    ("(", "a bracket"),
    ("\0", "NUL"),
    ("/", "a slash"),
    ("\x7f", "DEL"),
    ("\xc3\xa9", "UTF-8"),
    (":", "a colon"),
    ("\x1b", "ESC"),
):
    case(f"method with {_what}", "9112 3.1", ask(method=f"GE{_byte}T"), 400)
case("no method", "9112 3.1", f" {TARGET} HTTP/1.1\r\nHost: a\r\n\r\n", 400)
case("quoted method", "9112 3.1", ask(method='"GET"'), 400)

# --- the request line ---

L = "9112 3"
case("two spaces after the method", L, f"GET  {TARGET} HTTP/1.1\r\nHost: a\r\n\r\n", 400)
case("two spaces after the target", L, f"GET {TARGET}  HTTP/1.1\r\nHost: a\r\n\r\n", 400)
case("space at its end", L, f"GET {TARGET} HTTP/1.1 \r\nHost: a\r\n\r\n", 400)
case("space at its beginning", L, " " + ask(), 400)
for _byte, _what in (
    ("\t", "TAB"),
    ("\v", "VT"),
    ("\f", "FF"),
    ("\r", "CR"),
    ("\0", "NUL"),
    ("\xa0", "NBSP"),
):
    case(f"{_what} after the method", L, f"GET{_byte}{TARGET} HTTP/1.1\r\nHost: a\r\n\r\n", 400)
    case(f"{_what} after the target", L, f"GET {TARGET}{_byte}HTTP/1.1\r\nHost: a\r\n\r\n", 400)
case("a fourth word", L, f"GET {TARGET} x HTTP/1.1\r\nHost: a\r\n\r\n", 400)
case("no target", L, "GET HTTP/1.1\r\nHost: a\r\n\r\n", 400)
case("empty target", L, "GET  HTTP/1.1\r\nHost: a\r\n\r\n", 400)
case("no version", L, f"GET {TARGET}\r\nHost: a\r\n\r\n", 400)
case("HTTP/0.9", "9112 A", f"GET {TARGET}\r\n", 400)
case("HTTP/0.9 with a newline only", "9112 A", f"GET {TARGET}\n", 400)
case("method alone", L, "GET\r\n\r\n", 400)
case("one empty line before", "9112 2.2", "\r\n" + ask(), 200)
case("one empty line before, HEAD", "9112 2.2", "\r\n" + ask(method="HEAD"), 200)
case("two empty lines before", "9112 2.2", "\r\n\r\n" + ask(), 400)
case("LF before", "9112 2.2", "\n" + ask(), 400)
case("CR before", "9112 2.2", "\r" + ask(), 400)
case("whitespace line before", "9112 2.2", " \r\n" + ask(), 400)
case("NUL before", "9112 2.2", "\0" + ask(), 400)
case("byte order mark before", "9112 2.2", "\xef\xbb\xbf" + ask(), 400)
case("target of 4,096", "9112 3", ask(target="/" + "a" * 4095), 404)
case("target of 4,097", "9110 15.5.15", ask(target="/" + "a" * 4096), 414)
case("target of 100,000", "9110 15.5.15", ask(target="/" + "a" * 99999), 414)
case("the token, then 5,000 more", "9110 15.5.15", ask(target=TARGET + "?" + "a" * 5000), 414)

# --- the version ---

V = "9112 2.3"
for _version in (
    "http/1.1",
    "Http/1.1",
    "HTTP/1.10",
    "HTTP/1.",
    "HTTP/1",
    "HTTP/",
    "HTTP",
    "HTTP/11",
    "HTTP/1,1",
    "HTTP/01.1",
    "HTTP/1.1x",
    "HTTP /1.1",
    "HTTP/ 1.1",
    "HTTP/1 .1",
    "HTTP/-1.1",
    "HTTP/+1.1",
    "HTTP/1.a",
    "HTTP/x.1",
    "HTTPS/1.1",
    "HTTP/1.1.1",
    "HTCPCP/1.0",
    "1.1",
    "HTTP\\1.1",
    "HTTP/1\0.1",
    "HTTP/1.1\0",
):
    case(f"version {ascii(_version)[1:-1]}", V, ask(version=_version), 400)
for _version in ("HTTP/0.9", "HTTP/0.0", "HTTP/2.0", "HTTP/2.1", "HTTP/3.0", "HTTP/9.9"):
    case(f"version {_version}", "9110 15.6.6", ask(version=_version), 505)
case("version HTTP/1.2", "9110 2.5", ask(version="HTTP/1.2"), 200)
case("version HTTP/1.9", "9110 2.5", ask(version="HTTP/1.9"), 200)
case("version HTTP/1.2 without Host", "9112 3.2", ask(version="HTTP/1.2", host=None), 400)
case("version HTTP/1.0", "9112 2.3", ask(version="HTTP/1.0"), 200)
case("version HTTP/1.0, HEAD", "9112 2.3", ask(version="HTTP/1.0", method="HEAD"), 200)
case("version HTTP/1.0 without Host", "9112 3.2", ask(version="HTTP/1.0", host=None), 200)
case(
    "version HTTP/1.0, kept alive",
    "9112 9.3",
    ask("Connection: keep-alive", version="HTTP/1.0"),
    200,
)

# --- not HTTP/1 at all ---

N = "9112 3"
case("TLS", N, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), 400)
case("SSH", N, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", 400)
case("SMTP", N, "EHLO example.lab\r\n", 400)
case(
    "HTTP/2 by prior knowledge", "9113 3.4", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\0" * 9, 400, 505
)
case("PROXY protocol, text", N, "PROXY TCP4 192.0.2.1 192.0.2.2 1 80\r\n" + ask(), 400)
case("PROXY protocol, binary", N, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12), 400)
case("Redis", N, "*1\r\n$4\r\nPING\r\n", 400)
case("a status line", N, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 400)
case("JSON", N, '{"method": "GET"}\r\n\r\n', 400)
case("every byte there is", N, bytes(range(256)), 400)
case("4,000 NULs", N, bytes(4000), 400)
case("an RTSP request", N, "DESCRIBE rtsp://h/a RTSP/1.0\r\nCSeq: 1\r\n\r\n", 400)

# --- targets: origin-form ---

O = "9112 3.2.1"
A = "9110 4.2.3"
case("root", O, ask(target="/"), 404)
case("token that nobody registered", O, ask(target=f"{PATH}unknown"), 404)
case("no token", O, ask(target=PATH), 404)
case("no token, no slash", O, ask(target=PATH[:-1]), 404)
case("token and a letter", O, ask(target=f"{TARGET}x"), 404)
case("token less its last letter", O, ask(target=f"{PATH}{SHORT}"), 404)
case("token in capitals", O, ask(target=f"{PATH}{UPPER}"), 404)
case("token in the query", O, ask(target=f"{PATH}?TOKEN"), 404)
case("token in a parameter", O, ask(target=f"/?p={TARGET}"), 404)
for _tail in (
    "?",
    "?a=b",
    "/",
    "/.",
    "//",
    "/..",
    ".",
    "%20",
    "%00",
    "%0d%0a",
    ";a",
    "+",
    "\\",
    "%",
    "%zz",
    "%2e",
    "=",
    ".TOKEN",
    "&",
    "~",
    '"',
    "<x>",
    "{}",
    "|",
    "^",
    "`",
    "@",
    ":80",
    ",",
    "*",
):
    case(f"token and {_tail}", A, ask(target=f"{TARGET}{_tail}"), 404)
for _target, _what in (
    (f"/.well-known/acme-challenge//TOKEN", "doubled slash"),
    (f"//.well-known/acme-challenge/TOKEN", "doubled slash at the beginning"),
    (f"/./.well-known/acme-challenge/TOKEN", "dot segment"),
    (f"/.well-known/acme-challenge/./TOKEN", "dot segment before the token"),
    (f"/x/../.well-known/acme-challenge/TOKEN", "dot-dot segment"),
    (f"{PATH}x/../TOKEN", "dot-dot segment before the token"),
    (f"{PATH}../acme-challenge/TOKEN", "out and in again"),
    (f"{PATH}../../../etc/passwd", "out of the directory"),
    (f"{PATH}..%2f..%2fetc/passwd", "out of the directory, escaped"),
    (f"{PATH}..\\..\\etc\\passwd", "out of the directory, backslashes"),
    (f"/%2ewell-known/acme-challenge/TOKEN", "escaped dot"),
    (f"/.well-known/acme-challenge%2fTOKEN", "escaped slash"),
    (f"/.well-known/acme-challeng%65/TOKEN", "escaped letter"),
    (f"/.Well-Known/acme-challenge/TOKEN", "another case"),
    (f"/.WELL-KNOWN/ACME-CHALLENGE/TOKEN", "upper case"),
    (f"/.well-known/acme-challenge/%TOKEN", "percent before the token"),
    (f"/.well-known;v=1/acme-challenge/TOKEN", "path parameter"),
    (f"/index.html", "another page"),
    (f"/cgi-bin/sh?{'A' * 2000}", "long query"),
    (f"/http://example.lab{PATH}TOKEN", "absolute form in a path"),
    (f"//example.lab{PATH}TOKEN", "authority in a path"),
):
    case(f"path: {_what}", A, ask(target=_target), 404)
for _byte, _what in (
    ("#x", "a fragment"),
    ("\xe9", "Latin-1"),
    ("\xc3\xa9", "UTF-8"),
    ("\x7f", "DEL"),
    ("\0", "NUL"),
    ("\0.txt", "NUL and more"),
    ("\x01", "SOH"),
    ("\x1b[31m", "ESC"),
    ("\x80", "0x80"),
    ("\xff", "0xff"),
):
    case(f"target with {_what}", O, ask(target=f"{TARGET}{_byte}"), 400)
case("target without a slash", O, ask(target=TARGET[1:]), 400)
case("escaped slash as the first", O, ask(target="%2f.well-known/acme-challenge/TOKEN"), 400)
case("backslash as the first", O, ask(target="\\.well-known/acme-challenge/TOKEN"), 400)
case("query alone", O, ask(target="?TOKEN"), 400)

# --- targets: absolute-form, authority-form, asterisk-form ---

A = "9112 3.2.2"
for _authority, _what in (
    ("example.lab", "a name"),
    ("example.lab:80", "a port"),
    ("example.lab:", "an empty port"),
    ("example.lab:8402", "another port"),
    ("192.0.2.1", "IPv4"),
    ("[2001:db8::1]", "IPv6"),
    ("[2001:db8::1]:80", "IPv6 and a port"),
    ("[v1.x:y]", "a future address"),
    ("EXAMPLE.LAB", "upper case"),
    ("other.lab", "another host than in Host"),
    ("ex%61mple.lab", "an escaped letter"),
):
    case(f"absolute-form: {_what}", A, ask(target=f"http://{_authority}{TARGET}"), 200)
case("absolute-form, HEAD", A, ask(method="HEAD", target=f"http://example.lab{TARGET}"), 200)
case("absolute-form, POST", A, ask(method="POST", target=f"http://example.lab{TARGET}"), 405)
case(
    "absolute-form, scheme in capitals",
    "9110 4.2.3",
    ask(target=f"HTTP://example.lab{TARGET}"),
    200,
)
case("absolute-form without Host", "9112 3.2", ask(target=f"http://a{TARGET}", host=None), 400)
case("absolute-form, bad Host", "9112 3.2", ask(target=f"http://a{TARGET}", host="a/b"), 400)
case("absolute-form, two Hosts", "9112 3.2", ask("Host: b", target=f"http://a{TARGET}"), 400)
case("absolute-form, empty Host", "9112 3.2.2", ask(target=f"http://a{TARGET}", host=""), 200)
case(
    "absolute-form, HTTP/1.0",
    A,
    ask(target=f"http://a{TARGET}", host=None, version="HTTP/1.0"),
    200,
)
case("absolute-form, root", A, ask(target="http://example.lab/"), 404)
case("absolute-form, no path", A, ask(target="http://example.lab"), 404)
case("absolute-form, query alone", A, ask(target="http://example.lab?x"), 404)
case("absolute-form, unknown token", A, ask(target=f"http://example.lab{PATH}unknown"), 404)
case("absolute-form, dot segment", A, ask(target=f"http://example.lab/.{TARGET}"), 404)
case("absolute-form, https", "9110 7.4", ask(target=f"https://example.lab{TARGET}"), 400, 421)
case(
    "absolute-form, https and port",
    "9110 7.4",
    ask(target=f"https://example.lab:80{TARGET}"),
    400,
    421,
)
for _target, _what in (
    (f"http://{TARGET}", "empty host"),
    (f"http:{TARGET}", "no authority"),
    ("http://", "nothing"),
    (f"http://:80{TARGET}", "port alone"),
    (f"http://u@example.lab{TARGET}", "a user"),
    (f"http://u:p@example.lab{TARGET}", "a user and a password"),
    (f"ftp://example.lab{TARGET}", "ftp"),
    (f"ws://example.lab{TARGET}", "ws"),
    ("urn:x:TOKEN", "urn"),
    ("file:///etc/passwd", "file"),
    (f"http://example.lab:65536{TARGET}", "port 65536"),
    (f"http://example.lab:x{TARGET}", "port x"),
    (f"http://example.lab:-1{TARGET}", "port -1"),
    (f"http://[::1{TARGET}", "open bracket"),
    (f"http://::1{TARGET}", "IPv6 without brackets"),
    (f"http://[fe80::1%25eth0]{TARGET}", "a zone"),
    (f"http://[::g]{TARGET}", "no IPv6"),
    (f"http://a%zz{TARGET}", "bad escape in the host"),
    (f"http://a\\b{TARGET}", "backslash in the host"),
    (f"http://a#{TARGET}", "fragment"),
    (f"http:\\\\example.lab{TARGET}", "backslashes"),
    (f"ttp://example.lab{TARGET}", "ttp"),
    (f"http://{'a' * 300}{TARGET}", "host of 300"),
):
    case(f"absolute-form: {_what}", "9110 4.2", ask(target=_target), 400)
case("asterisk-form, OPTIONS", "9112 3.2.4", ask(method="OPTIONS", target="*"), 400, 404, 405, 501)
case("asterisk-form, GET", "9112 3.2.4", ask(target="*"), 400)
case(
    "authority-form, CONNECT",
    "9112 3.2.3",
    ask(method="CONNECT", target="example.lab:80"),
    400,
    405,
    501,
)
case("authority-form, GET", "9112 3.2.3", ask(target="example.lab:80"), 400)

# --- Host ---

H = "9112 3.2"
case("no Host", H, ask(host=None), 400)
case("no Host, another field", H, ask("A: b", host=None), 400)
for _host, _what in (
    ("", "empty"),
    ("example.lab:80", "with a port"),
    ("example.lab:", "with an empty port"),
    ("example.lab:65535", "port 65535"),
    ("192.0.2.1", "IPv4"),
    ("[2001:db8::1]", "IPv6"),
    ("[2001:db8::1]:80", "IPv6 and a port"),
    ("[::ffff:192.0.2.1]", "mapped IPv4"),
    ("[v1.x]", "a future address"),
    ("EXAMPLE.LAB", "upper case"),
    ("a_b.lab", "underscore"),
    ("example.lab.", "a dot at the end"),
    ("a" * 255, "255 characters"),
    ("ex%61mple", "an escape"),
    ("a,b", "a comma"),
    ("xn--e1afmkfd.lab", "punycode"),
    ("other.lab", "another name"),
):
    case(f"Host: {_what}", H, ask(host=_host), 200)
for _host, _what in (
    ("a b", "a space inside"),
    ("a\tb", "a TAB inside"),
    ("u@example.lab", "a user"),
    ("example.lab/x", "a path"),
    ("example.lab?x", "a query"),
    ("example.lab#x", "a fragment"),
    ("http://example.lab", "a URI"),
    ("example.lab:x", "port x"),
    ("example.lab:65536", "port 65536"),
    ("example.lab:-1", "port -1"),
    ("a:80:80", "two ports"),
    ("2001:db8::1", "IPv6 without brackets"),
    ("[2001:db8::1", "open bracket"),
    ("[]", "empty brackets"),
    ("[::1]x", "after the bracket"),
    ("[fe80::1%25eth0]", "a zone"),
    ("[192.0.2.1]", "IPv4 in brackets"),
    ("a%zz", "bad escape"),
    ("a%4", "short escape"),
    ("\xe9.lab", "Latin-1"),
    ("\xc3\xa9.lab", "UTF-8"),
    ("a\0b", "NUL"),
    ("a\x7fb", "DEL"),
    ("a" * 300, "300 characters"),
    ("a, b", "a list"),
    ("a\\b", "a backslash"),
    ('"a"', "quotes"),
    ("<a>", "angle brackets"),
    ("a\x1bb", "ESC"),
    ("a\rb", "CR inside"),
):
    case(f"Host: {_what}", H, ask(host=_host), 400)
case("two Hosts, the same", H, ask("Host: example.lab"), 400)
case("two Hosts, different", H, ask("Host: other.lab"), 400)
case("two Hosts, one empty", H, ask("Host:"), 400)
case("two Hosts, another case", H, ask("hOsT: other.lab"), 400)
case("two Hosts, HTTP/1.0", H, ask("Host: other.lab", version="HTTP/1.0"), 400)
case("bad Host, HTTP/1.0", H, ask(version="HTTP/1.0", host="a b"), 400)
case("HOST", "9110 5.1", ask("HOST: example.lab", host=None), 200)
case("Host at the end", "9110 5.3", ask("A: b", "C: d", "Host: a", host=None), 200)
case("Host without a space", "9112 5", ask("Host:example.lab", host=None), 200)
case("Host between TABs", "9112 5", ask("Host:\t \texample.lab \t ", host=None), 200)
case("space before Host's colon", "9112 5.1", ask("Host : example.lab", host=None), 400)
case("X-Host is no Host", H, ask("X-Host: example.lab", host=None), 400)
case("Host on a folded line", "9112 5.2", ask("A: b", " Host: example.lab", host=None), 400)
case("Host, its value folded", "9112 5.2", ask("Host:", " example.lab", host=None), 400)

# --- fields ---

F = "9112 5"
case(
    "a browser's request",
    F,
    ask(
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "Accept-Language: en-US,en;q=0.5",
        "Accept-Encoding: gzip, deflate, br, zstd",
        "DNT: 1",
        "Connection: keep-alive",
        "Upgrade-Insecure-Requests: 1",
        "Sec-Fetch-Mode: navigate",
    ),
    200,
    kept=True,
)
case(
    "a validator's request",
    F,
    ask(
        "User-Agent: Mozilla/5.0 (compatible; Let's Encrypt validation server; +https://www.letsencrypt.org)",
        "Accept: */*",
        "Accept-Encoding: gzip",
        "Connection: close",
    ),
    200,
)
case("no space after a colon", F, ask("A:b"), 200)
case("empty value", F, ask("A:"), 200)
case("value of spaces", F, ask("A:      "), 200)
case("value with colons", F, ask("A: b: c: d"), 200)
case("space inside and around a value", F, ask("A:  \t b  c \t "), 200)
case("value in Latin-1", "9110 5.5", ask("A: caf\xe9"), 200)
case("value in UTF-8", "9110 5.5", ask("A: caf\xc3\xa9"), 200)
case("name of odd characters", "9110 5.6.2", ask("!#$%&'*+-.^_`|~: b"), 200)
case("name of 1,000", F, ask("A" * 1000 + ": b"), 200)
case("value of 7,000", F, ask("A: " + "b" * 7000), 200)
case("a field 99 times", "9110 5.3", ask(*["A: b"] * 99), 200)
case("100 fields and one", "9110 5.4", ask(*["A: b"] * 100), 431)
case("1,000 fields", "9110 5.4", ask(*["A: b"] * 1000), 431)
case("value of 8,200", "9110 5.4", ask("A: " + "b" * 8200), 431)
case("value of 100,000", "9110 5.4", ask("A: " + "b" * 100000), 431)
case("name of 100,000", "9110 5.4", ask("A" * 100000 + ": b"), 431)
case("fields of 10,000 in all", "9110 5.4", ask(*["A: " + "b" * 500] * 20), 431)
case("space before a colon", "9112 5.1", ask("A : b"), 400)
case("TAB before a colon", "9112 5.1", ask("A\t: b"), 400)
case("no name", F, ask(": b"), 400)
case("no name, no value", F, ask(":"), 400)
case("no colon", F, ask("A"), 400)
case("a word and a value", F, ask("A b"), 400)
for _byte, _what in (
    (" ", "a space"),
    ("\0", "NUL"),
    ("(", "a bracket"),
    ("\xe9", "Latin-1"),
    ("\x7f", "DEL"),
    ("\r", "CR"),
    ("\n", "LF"),
    ("\x1b", "ESC"),
    ('"', "a quote"),
    ("/", "a slash"),
    ("@", "@"),
    ("\v", "VT"),
):
    case(f"name with {_what}", "9110 5.1", ask(f"A{_byte}B: c"), 400)
for _byte, _what in (
    ("\0", "NUL"),
    ("\r", "CR"),
    ("\n", "LF"),
    ("\x7f", "DEL"),
    ("\x1b", "ESC"),
    ("\b", "BS"),
    ("\v", "VT"),
    ("\f", "FF"),
    ("\x01", "SOH"),
):
    case(f"value with {_what}", "9110 5.5", ask(f"A: b{_byte}c"), 400)
case("NUL alone as a value", "9110 5.5", ask("A: \0"), 400)
case("folded value, space", "9112 5.2", ask("A: b", " c"), 400)
case("folded value, TAB", "9112 5.2", ask("A: b", "\tc"), 400)
case("folded value, empty first line", "9112 5.2", ask("A:", "  b"), 400)
case("line of spaces", "9112 5.2", ask("A: b", "   "), 400)
case("line of spaces, then a field", "9112 5.2", ask("A: b", " ", "C: d"), 400)
case("space before the first field", "9112 2.2", f"GET {TARGET} HTTP/1.1\r\n Host: a\r\n\r\n", 400)
case("whitespace line first", "9112 2.2", f"GET {TARGET} HTTP/1.1\r\n \r\nHost: a\r\n\r\n", 400)
case("colon before the first field", F, f"GET {TARGET} HTTP/1.1\r\n:\r\nHost: a\r\n\r\n", 400)

# --- line ends ---

E = "9112 2.2"
case("LF alone, everywhere", E, ask().replace("\r\n", "\n"), 400)
case("LF alone after the request line", E, f"GET {TARGET} HTTP/1.1\nHost: a\r\n\r\n", 400)
case("LF alone after a field", E, f"GET {TARGET} HTTP/1.1\r\nHost: a\n\r\n", 400)
case("LF alone at the end", E, f"GET {TARGET} HTTP/1.1\r\nHost: a\r\n\n", 400)
case("CR alone, everywhere", E, ask().replace("\r\n", "\r"), 400)
case("CR alone after the request line", E, f"GET {TARGET} HTTP/1.1\rHost: a\r\n\r\n", 400)
case("CR alone after a field", E, f"GET {TARGET} HTTP/1.1\r\nHost: a\rA: b\r\n\r\n", 400)
case("CR alone at the end", E, f"GET {TARGET} HTTP/1.1\r\nHost: a\r\n\r \n", 400)
case("LF and CR", E, ask().replace("\r\n", "\n\r"), 400)
case("CR CR LF", E, ask().replace("\r\n", "\r\r\n"), 400)
case("NUL before CRLF", E, f"GET {TARGET} HTTP/1.1\r\nHost: a\0\r\n\r\n", 400)

# --- framing ---

C = "9112 6.3"
for _method in ("GET", "HEAD"):
    case(
        f"{_method} with Content-Length 0",
        "9110 9.3.1",
        ask("Content-Length: 0", method=_method),
        200,
    )
    case(
        f"{_method} with content",
        "9110 9.3.1",
        ask("Content-Length: 5", method=_method, content="hello"),
        400,
    )
    case(
        f"{_method} with chunked content",
        "9110 9.3.1",
        ask("Transfer-Encoding: chunked", method=_method, content="0\r\n\r\n"),
        400,
    )
case("POST with content", C, ask("Content-Length: 5", method="POST", content="hello"), 405)
case(
    "POST, length with zeros in front",
    "9110 8.6",
    ask("Content-Length: 005", method="POST", content="hello"),
    405,
)
case(
    "POST, content of 100,000",
    C,
    ask("Content-Length: 100000", method="POST", content="x" * 100000),
    405,
)
case("POST, content that never comes", C, ask("Content-Length: 1000000", method="POST"), 405)
case(
    "POST elsewhere with content",
    C,
    ask("Content-Length: 5", method="POST", target="/", content="hello"),
    404,
)
case(
    "POST, chunked",
    "9112 7.1",
    ask("Transfer-Encoding: chunked", method="POST", content="5\r\nhello\r\n0\r\n\r\n"),
    405,
)
case(
    "POST, chunks that are none",
    "9112 7.1",
    ask("Transfer-Encoding: chunked", method="POST", content="zz\r\n"),
    405,
)
case(
    "POST, Chunked",
    "9112 7",
    ask("Transfer-Encoding: Chunked", method="POST", content="0\r\n\r\n"),
    405,
)
case(
    "POST, chunked between spaces",
    "9112 7",
    ask("Transfer-Encoding:\t chunked \t", method="POST", content="0\r\n\r\n"),
    405,
)
for _length, _what in (
    ("", "empty"),
    ("-1", "-1"),
    ("+5", "+5"),
    ("0x5", "0x5"),
    ("5x", "5x"),
    ("5 5", "5 5"),
    ("5,5", "5,5"),
    ("5, 5", "5, 5"),
    ("5, 6", "5, 6"),
    ("5.0", "5.0"),
    ('"5"', "quoted"),
    ("5;a", "5;a"),
    ("1e1", "1e1"),
    ("\xb2", "superscript"),
    ("9" * 19, "19 digits"),
    ("9" * 100, "100 digits"),
    ("18446744073709551621", "2^64 + 5"),
    ("5\0", "NUL"),
    ("five", "five"),
    ("_5", "_5"),
    ("5_0", "5_0"),
    ("-0", "-0"),
):
    case(
        f"Content-Length {_what}",
        C,
        ask(f"Content-Length: {_length}", method="POST", content="hello"),
        400,
    )
    case(f"GET with Content-Length {_what}", C, ask(f"Content-Length: {_length}"), 400)
case(
    "Content-Length twice, different",
    C,
    ask("Content-Length: 5", "Content-Length: 6", method="POST", content="hello!"),
    400,
)
case(
    "Content-Length twice, the same",
    C,
    ask("Content-Length: 5", "Content-Length: 5", method="POST", content="hello"),
    400,
)
case(
    "Content-Length twice, 0 and 5",
    C,
    ask("Content-Length: 0", "Content-Length: 5", content="hello"),
    400,
)
case(
    "both lengths",
    "9112 6.1",
    ask("Content-Length: 5", "Transfer-Encoding: chunked", method="POST", content="0\r\n\r\n"),
    400,
)
case(
    "both lengths, the other order",
    "9112 6.1",
    ask("Transfer-Encoding: chunked", "Content-Length: 5", method="POST", content="0\r\n\r\n"),
    400,
)
case(
    "both lengths, Content-Length 0",
    "9112 6.1",
    ask("Content-Length: 0", "Transfer-Encoding: chunked", method="POST", content="0\r\n\r\n"),
    400,
)
case(
    "Transfer-Encoding in HTTP/1.0",
    "9112 6.1",
    ask("Transfer-Encoding: chunked", method="POST", version="HTTP/1.0", content="0\r\n\r\n"),
    400,
)
case(
    "gzip, chunked",
    "9112 6.1",
    ask("Transfer-Encoding: gzip, chunked", method="POST", content="0\r\n\r\n"),
    501,
)
case(
    "chunked, chunked",
    "9112 6.1",
    ask("Transfer-Encoding: chunked, chunked", method="POST", content="0\r\n\r\n"),
    400,
    501,
)
for _coding, _what in (
    ("gzip", "gzip"),
    ("chunked, gzip", "chunked, gzip"),
    ("identity", "identity"),
    ("", "empty"),
    (",", "a comma"),
    ("chunked,identity", "chunked,identity"),
    ("xchunked", "xchunked"),
    ("chunkedx", "chunkedx"),
    ('"chunked"', "quoted"),
    ("chunked;a=b", "a parameter"),
    ("chunked\v", "VT behind"),
    ("chunked\0", "NUL behind"),
    ("chunk", "chunk"),
    ("chunked chunked", "no comma"),
    ("\xa0chunked", "NBSP before"),
    ("x chunked", "a word before"),
    ("gzip\tchunked", "TAB between"),
):
    case(
        f"Transfer-Encoding: {_what}",
        "9112 6.3",
        ask(f"Transfer-Encoding: {_coding}", method="POST", content="0\r\n\r\n"),
        400,
    )
case(
    "Transfer-Encoding twice",
    "9112 6.3",
    ask(
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: identity",
        method="POST",
        content="0\r\n\r\n",
    ),
    400,
)
case(
    "Transfer-Encoding twice, chunked last",
    "9112 6.3",
    ask(
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked",
        method="POST",
        content="0\r\n\r\n",
    ),
    400,
)

# --- smuggling: what two servers in a row could read in two ways ---

S = "9112 11.2"
INNER = ask(target=TARGET, host="inner.lab")
case(
    "CL.TE",
    S,
    ask(
        "Content-Length: 6",
        "Transfer-Encoding: chunked",
        method="POST",
        target="/",
        content="0\r\n\r\nG" + INNER,
    ),
    400,
)
case(
    "TE.CL",
    S,
    ask(
        "Transfer-Encoding: chunked",
        "Content-Length: 4",
        method="POST",
        target="/",
        content="5c\r\n" + INNER + "0\r\n\r\n",
    ),
    400,
)
case(
    "TE.TE, a space before the colon",
    S,
    ask("Transfer-Encoding : chunked", "Content-Length: 4", method="POST", content=INNER),
    400,
)
case("TE.TE, folded", S, ask("Transfer-Encoding:", " chunked", method="POST", content=INNER), 400)
case(
    "TE.TE, a TAB in the name",
    S,
    ask("Transfer-Encoding\t: chunked", method="POST", content=INNER),
    400,
)
case(
    "TE.TE, a CR in the name",
    S,
    ask("X: y\rTransfer-Encoding: chunked", method="POST", content=INNER),
    400,
)
case(
    "TE.TE, an LF in a value",
    S,
    ask("X: y\nTransfer-Encoding: chunked", method="POST", content=INNER),
    400,
)
case(
    "TE.TE, a NUL in the name",
    S,
    ask("Transfer-Encoding\0: chunked", method="POST", content=INNER),
    400,
)
case("CL.0", S, ask("Content-Length: 61", target="/", content=INNER), 400)
case("GET with a request as content", S, ask(f"Content-Length: {len(INNER)}", content=INNER), 400)
case(
    "POST with a request as content",
    S,
    ask("Content-Length: 50", method="POST", content=INNER),
    405,
)
case("Content_Length is another field", S, ask("Content_Length: 5"), 200)
case("Content-Length with a NUL", S, ask("Content-Length\0: 5", content="hello"), 400)
case("Content-Length with a space", S, ask("Content-Length : 5", content="hello"), 400)
case("Content-Length on a folded line", S, ask("X: y", " Content-Length: 5", content="hello"), 400)
case("a request behind a NUL", S, ask("X: y\0\r\n\r\n" + INNER), 400)
case("a request in the target", S, ask(target=f"/ HTTP/1.1\r\nHost: a\r\n\r\nGET {TARGET}"), 404)
case("a request behind bare line feeds", S, "GET / HTTP/1.1\nHost: a\n\n" + ask(), 400)
case("a request in a Host", S, ask(host="a\r\n\r\n" + INNER), 200)

# --- weaknesses of libmicrohttpd 0.9.75, which sits behind ---

W = "9112 5"
case(
    "parser: empty name ends the head",
    W,
    ask("A: b", ":", "Content-Length: 30", content=INNER),
    400,
)
case(
    "parser: empty name hides Host",
    W,
    f"GET {TARGET} HTTP/1.1\r\n: x\r\nHost: a\r\nHost: b\r\n\r\n",
    400,
)
case("parser: line folded into a name", "9112 5.2", ask("A", " B: c"), 400)
case(
    "parser: line folded into Host's name",
    "9112 5.2",
    f"GET {TARGET} HTTP/1.1\r\nHo\r\n st: a\r\n\r\n",
    400,
)
case(
    "parser: first of two lengths",
    "9112 6.3",
    ask("Content-Length: 0", f"Content-Length: {len(INNER)}", method="POST", content=INNER),
    400,
)
case("parser: NUL ends the target", "9112 3.2", ask(target=f"{TARGET}\0/../../x"), 400)
case("parser: NUL ends the method", "9112 3.1", ask(method="GET\0POST"), 400)
case("parser: NUL ends a name", "9112 5.1", ask("Host\0X: b"), 400)
case(
    "parser: NUL ends Content-Length",
    "9112 6.3",
    ask("Content-Length: 0\0005", method="POST", content="hello"),
    400,
)
case("parser: unescaped before it is compared", "9110 4.2.3", ask(target=f"{PATH}%54OKEN"), 404)
case("parser: %00 cuts what is compared", "9110 4.2.3", ask(target=f"{TARGET}%00x"), 404)
case("parser: plus is no space", "9110 4.2.3", ask(target=f"{PATH}+{TOKEN}"), 404)
case("parser: query is cut off", "9110 4.2.3", ask(target=f"{TARGET}?%00"), 404)
ARGUMENTS = "a=b&" * 63 + "c=d"
COOKIES = "Cookie: " + "a=b; " * 63 + "c=d"
case("parser: a query of 64 arguments", "9112 3.2.1", ask(target=f"/?{ARGUMENTS}"), 404)
case("parser: a query of 65 arguments", "9110 15.5.15", ask(target=f"/?{ARGUMENTS}&e"), 414)
case("parser: a query of 4,000 arguments", "9110 15.5.15", ask(target="/?" + "&" * 4000), 414)
case("parser: 64 cookies", "9110 5.5", ask(COOKIES), 200)
case("parser: 65 cookies", "9110 5.4", ask(f"{COOKIES}; e=f"), 431)
case("parser: 65 cookies in two fields", "9110 5.4", ask(COOKIES, "Cookie: e=f"), 431)
case("parser: 4,000 cookies", "9110 5.4", ask("Cookie: " + "a;" * 4000), 431)
case(
    "parser: as much of everything as may be",
    "9110 5.4",
    ask(*["A: b"] * 98, COOKIES + "d" * 3000, target=f"/?{ARGUMENTS}" + "d" * 3800),
    404,
)
case("parser: cookies are parsed", "9110 5.5", ask('Cookie: a="b; c=\\"; d'), 200)
case("parser: long cookie", "9110 5.5", ask("Cookie: a=" + "b" * 7000), 200)
case("parser: credentials that are none", "9110 11.6.2", ask("Authorization: Basic !!!"), 200)
case(
    "parser: multipart without a boundary",
    "9110 8.3",
    ask("Content-Type: multipart/form-data", "Content-Length: 2", method="POST", content="--"),
    405,
)

# --- fields that ask for something ---

case(
    "Expect with content",
    "9110 10.1.1",
    ask("Expect: 100-continue", "Content-Length: 5", method="POST"),
    405,
    417,
)
case("Expect without content", "9110 10.1.1", ask("Expect: 100-continue"), 200, 417)
case(
    "Expect elsewhere",
    "9110 10.1.1",
    ask("Expect: 100-continue", "Content-Length: 5", method="PUT", target="/"),
    404,
    417,
)
case("Expect in HTTP/1.0", "9110 10.1.1", ask("Expect: 100-continue", version="HTTP/1.0"), 200)
case("Expect something else", "9110 10.1.1", ask("Expect: the-impossible"), 200, 417)
case("Connection: close", "9112 9.6", ask("Connection: close"), 200)
case(
    "Connection: keep-alive",
    "9112 9.6",
    ask("Connection: keep-alive", "Keep-Alive: timeout=60"),
    200,
    kept=True,
)
K = "9112 9.3"
case(
    "keep-alive, byte by byte", K, ask("Connection: keep-alive"), 200, send=BYTES, kept=True
)
case("keep-alive in capitals", K, ask("CONNECTION:KEEP-ALIVE"), 200, kept=True)
case("keep-alive in a list", K, ask("Connection: te ,\tkeep-alive,"), 200, kept=True)
case("keep-alive and close", K, ask("Connection: keep-alive, close"), 200)
case("keep-alive, then close", K, ask("Connection: keep-alive", "Connection: close"), 200)
case("keep-alive in one word with more", K, ask("Connection: keep-alive2"), 200)
case("keep-alive elsewhere", K, ask("Connection: keep-alive", target="/"), 404)
case("keep-alive, HEAD", K, ask("Connection: keep-alive", method="HEAD"), 200)
case("keep-alive with a condition", K, ask("Connection: keep-alive", "If-None-Match: *"), 304)
case("keep-alive, two requests", K, ask("Connection: keep-alive") * 2, 200)
case("Connection: a list", "9110 7.6.1", ask("Connection: te, x, close", "TE: trailers"), 200)
case(
    "Upgrade to h2c",
    "9110 7.8",
    ask("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
    200,
)
case(
    "Upgrade to websocket",
    "9110 7.8",
    ask(
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ),
    200,
)
case("Range", "9110 14.2", ask("Range: bytes=0-3"), 200)
case("Range beyond the end", "9110 14.2", ask("Range: bytes=100000-"), 200)
case("Range of many parts", "9110 14.2", ask("Range: bytes=" + ",".join(["0-0"] * 500)), 200)
case("Range that is none", "9110 14.2", ask("Range: lines=1"), 200)
case("If-Range", "9110 13.1.5", ask('If-Range: "x"', "Range: bytes=0-3"), 200)
case(
    "If-Modified-Since", "9110 13.1.3", ask("If-Modified-Since: Sat, 29 Oct 2094 19:43:31 GMT"), 200
)
case(
    "If-Unmodified-Since",
    "9110 13.1.4",
    ask("If-Unmodified-Since: Sat, 29 Oct 1994 19:43:31 GMT"),
    200,
)
case("If-None-Match, anything", "9110 13.1.2", ask("If-None-Match: *"), 304)
case("If-None-Match, anything, HEAD", "9110 13.1.2", ask("If-None-Match: *", method="HEAD"), 304)
case("If-None-Match elsewhere", "9110 13.2.1", ask("If-None-Match: *", target="/"), 404)
case("If-None-Match, POST", "9110 13.2.1", ask("If-None-Match: *", method="POST"), 405)
case("If-Match, a tag", "9110 13.1.1", ask('If-Match: "x"'), 412)
case("If-Match, a tag, HEAD", "9110 13.1.1", ask('If-Match: W/"x", "y"', method="HEAD"), 412)
case("If-Match, anything", "9110 13.1.1", ask("If-Match: *"), 200)
case("If-Match elsewhere", "9110 13.2.1", ask('If-Match: "x"', target="/"), 404)
case("If-Match before If-None-Match", "9110 13.2.2", ask('If-Match: "x"', "If-None-Match: *"), 412)
case("If-None-Match, a tag", "9110 13.1.2", ask('If-None-Match: "x"'), 200)
case("Accept nothing we have", "9110 12.5.1", ask("Accept: text/html"), 200)
case(
    "Accept-Encoding without identity",
    "9110 12.5.3",
    ask("Accept-Encoding: gzip, identity;q=0"),
    200,
)
case("Content-Encoding without content", "9110 8.4", ask("Content-Encoding: gzip"), 200)
case("Max-Forwards", "9110 7.6.2", ask("Max-Forwards: 0", method="TRACE"), 405)
case("Trailer", "9110 6.6.2", ask("Trailer: X"), 200)
case("Origin of another site", "9110 3.7", ask("Origin: https://evil.lab"), 200)
case("X-HTTP-Method-Override", "9110 9.1", ask("X-HTTP-Method-Override: DELETE"), 200)
case("X-Forwarded-Host", "9110 7.2", ask("X-Forwarded-Host: a", "X-Original-URL: /"), 200)

# --- pipelining: one answer, then the end ---

P = "9112 9.6"
case("two requests", P, ask() * 2, 200)
case("fifty requests", P, ask() * 50, 200)
case("HEAD, then GET", P, ask(method="HEAD") + ask(), 200)
case("GET, then HEAD", P, ask() + ask(method="HEAD"), 200)
case("GET, then another page", P, ask() + ask(target="/"), 200)
case("another page, then GET", P, ask(target="/") + ask(), 404)
case("unknown token, then GET", P, ask(target=f"{PATH}unknown") + ask(), 404)
case("GET, then rubbish", P, ask() + "\0\1\2\3" * 100, 200)
case("GET, then half a request", P, ask() + "GET /half", 200)
case("GET, then CRLF", P, ask() + "\r\n", 200)
case("GET, then 100,000 bytes", P, ask() + "x" * 100000, 200)
case("POST, then GET", P, ask("Content-Length: 5", method="POST", content="hello") + ask(), 405)
case(
    "POST, chunked, then GET",
    P,
    ask("Transfer-Encoding: chunked", method="POST", content="0\r\n\r\n") + ask(),
    405,
)
case("refused, then GET", P, ask(host=None) + ask(), 400)
case("malformed, then GET", P, "GARBAGE\r\n\r\n" + ask(), 400)
case("HTTP/2 preface, then GET", P, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + ask(), 400, 505)
case("two requests, the first HTTP/1.0", P, ask(version="HTTP/1.0") + ask(), 200)

# --- the client ends its side ---

X = "9112 8"
case("GET and the end", "9112 9.5", ask(), 200, send=END)
case("HEAD and the end", "9112 9.5", ask(method="HEAD"), 200, send=END)
case("another page and the end", "9112 9.5", ask(target="/"), 404, send=END)
case("absolute-form and the end", "9112 9.5", ask(target=f"http://a{TARGET}"), 200, send=END)
case("two requests and the end", "9112 9.5", ask() * 2, 200, send=END)
case("refused and the end", "9112 9.5", ask(host=None), 400, send=END)
case("the end, nothing before", X, "", 0, send=END)
case("the end in the method", X, "GE", 400, send=END)
case("the end in the target", X, f"GET {PATH}", 400, send=END)
case("the end behind the token", X, f"GET {TARGET}", 400, send=END)
case("the end in the version", X, f"GET {TARGET} HTTP/1", 400, send=END)
case("the end in Host", X, f"GET {TARGET} HTTP/1.1\r\nHost: a", 400, send=END)
case("the end before the last CRLF", X, f"GET {TARGET} HTTP/1.1\r\nHost: a\r\n", 400, send=END)
case("the end before the last LF", X, f"GET {TARGET} HTTP/1.1\r\nHost: a\r\n\r", 400, send=END)
case(
    "the end in the content",
    X,
    ask("Content-Length: 50", method="POST", content="hello"),
    405,
    send=END,
)
case(
    "the end in a chunk",
    X,
    ask("Transfer-Encoding: chunked", method="POST", content="ff\r\nhello"),
    405,
    send=END,
)
case("the end behind CRLF", X, "\r\n", 400, send=END)

# --- the client goes on waiting ---

case("silence", "9110 15.5.9", "", 0, 408, send=SILENT)
case("silence behind CRLF", "9110 15.5.9", "\r\n", 0, 408, send=SILENT)
case("silence in the method", "9110 15.5.9", "GE", 0, 408, send=SILENT)
case("silence in the token", "9110 15.5.9", f"GET {TARGET}", 0, 408, send=SILENT)
case("silence in Host", "9110 15.5.9", f"GET {TARGET} HTTP/1.1\r\nHo", 0, 408, send=SILENT)
case(
    "silence before the last LF",
    "9110 15.5.9",
    f"GET {TARGET} HTTP/1.1\r\nHost: a\r\n\r",
    0,
    408,
    send=SILENT,
)

# --- pieces ---

B = "9112 2.1"
case("GET", B, ask(), 200, send=BYTES)
case("HEAD", B, ask(method="HEAD"), 200, send=BYTES)
case("absolute-form", B, ask(target=f"HTTP://example.lab:80{TARGET}"), 200, send=BYTES)
case("one empty line before", B, "\r\n" + ask(), 200, send=BYTES)
case(
    "POST with content",
    B,
    ask("Content-Length: 5", method="POST", content="hello"),
    405,
    send=BYTES,
)
case("HTTP/1.0", B, ask(version="HTTP/1.0", host=None), 200, send=BYTES)
case("another page", B, ask(target="/x"), 404, send=BYTES)
case("unknown token", B, ask(target=f"{PATH}unknown"), 404, send=BYTES)
case("folded value", B, ask("A: b", " c"), 400, send=BYTES)
case("two Hosts", B, ask("Host: b"), 400, send=BYTES)
case("two requests", B, ask() * 2, 200, send=BYTES)
case("a newer HTTP", B, ask(version="HTTP/2.0"), 505, send=BYTES)
case("GET and the end", B, ask(), 200, send=BYTES_END)
case("another page and the end", B, ask(target="/x"), 404, send=BYTES_END)
case("half a request and the end", B, f"GET {TARGET} HTTP/1.1\r\nHost: a\r\n", 400, send=BYTES_END)
case("GET", B, ask("Accept: */*"), 200, send=SPLIT)
case("HEAD, absolute-form", B, ask(method="HEAD", target=f"http://a{TARGET}"), 200, send=SPLIT)
case("one empty line before", B, "\r\n" + ask(), 200, send=SPLIT)
case(
    "both lengths",
    B,
    ask("Content-Length: 5", "Transfer-Encoding: chunked", method="POST"),
    400,
    send=SPLIT,
)
case("another page", B, ask(target="/"), 404, send=SPLIT)
