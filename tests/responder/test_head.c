// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "responder/head.h"

struct good {
    const char *bytes;
    const char *method, *target, *path, *host; /* host NULL: none */
    unsigned minor;
    bool body;
    size_t fields;
};

struct bad {
    unsigned status;
    const char *bytes;
    size_t length; /* 0: up to the NUL */
};

#define H "Host: a\r\n"
#define G "GET / HTTP/1.1\r\n"

static const struct good goods[] = {
    {G H "\r\n", "GET", "/", "/", "a", 1, false, 1},
    {"HEAD / HTTP/1.1\r\n" H "\r\n", "HEAD", "/", "/", "a", 1, false, 1},
    {"GET /.well-known/acme-challenge/t HTTP/1.1\r\nHost: example.org\r\n\r\n", "GET",
     "/.well-known/acme-challenge/t", "/.well-known/acme-challenge/t", "example.org", 1, false, 1},
    {"GET / HTTP/1.0\r\n\r\n", "GET", "/", "/", NULL, 0, false, 0},
    {"GET / HTTP/1.0\r\nHost: b:80\r\n\r\n", "GET", "/", "/", "b:80", 0, false, 1},
    {"GET / HTTP/1.2\r\n" H "\r\n", "GET", "/", "/", "a", 2, false, 1},
    {"GET / HTTP/1.9\r\n" H "\r\n", "GET", "/", "/", "a", 9, false, 1},
    {"\r\n" G H "\r\n", "GET", "/", "/", "a", 1, false, 1},
    {G "host:a\r\n\r\n", "GET", "/", "/", "a", 1, false, 1},
    {G "HOST: \t a \t \r\n\r\n", "GET", "/", "/", "a", 1, false, 1},
    {G "Host:\r\n\r\n", "GET", "/", "/", "", 1, false, 1},
    {G "Host: 192.0.2.1\r\n\r\n", "GET", "/", "/", "192.0.2.1", 1, false, 1},
    {G "Host: 192.0.2.1:8402\r\n\r\n", "GET", "/", "/", "192.0.2.1:8402", 1, false, 1},
    {G "Host: [2001:db8::1]\r\n\r\n", "GET", "/", "/", "[2001:db8::1]", 1, false, 1},
    {G "Host: [2001:db8::1]:80\r\n\r\n", "GET", "/", "/", "[2001:db8::1]:80", 1, false, 1},
    {G "Host: [::ffff:192.0.2.1]\r\n\r\n", "GET", "/", "/", "[::ffff:192.0.2.1]", 1, false, 1},
    {G "Host: [v1.a:b]\r\n\r\n", "GET", "/", "/", "[v1.a:b]", 1, false, 1},
    {G "Host: a_b.example\r\n\r\n", "GET", "/", "/", "a_b.example", 1, false, 1},
    {G "Host: xn--bcher-kva.example.\r\n\r\n", "GET", "/", "/", "xn--bcher-kva.example.", 1, false,
     1},
    {G "Host: a%20b\r\n\r\n", "GET", "/", "/", "a%20b", 1, false, 1},
    {G "Host: a:\r\n\r\n", "GET", "/", "/", "a:", 1, false, 1},
    {G "Host: a:65535\r\n\r\n", "GET", "/", "/", "a:65535", 1, false, 1},
    {"GET http://b/c HTTP/1.1\r\n" H "\r\n", "GET", "http://b/c", "/c", "a", 1, false, 1},
    {"GET http://b HTTP/1.1\r\n" H "\r\n", "GET", "http://b", "", "a", 1, false, 1},
    {"GET http://b?q HTTP/1.1\r\n" H "\r\n", "GET", "http://b?q", "?q", "a", 1, false, 1},
    {"GET HTTP://b:80/c HTTP/1.1\r\n" H "\r\n", "GET", "HTTP://b:80/c", "/c", "a", 1, false, 1},
    {"GET HtTp://b/ HTTP/1.1\r\n" H "\r\n", "GET", "HtTp://b/", "/", "a", 1, false, 1},
    {"GET http://[::1]:80/c HTTP/1.1\r\n" H "\r\n", "GET", "http://[::1]:80/c", "/c", "a", 1, false,
     1},
    {"GET http://192.0.2.1/c HTTP/1.0\r\n\r\n", "GET", "http://192.0.2.1/c", "/c", NULL, 0, false,
     0},
    {"GET //x HTTP/1.1\r\n" H "\r\n", "GET", "//x", "//x", "a", 1, false, 1},
    {"GET /a?b=c&d HTTP/1.1\r\n" H "\r\n", "GET", "/a?b=c&d", "/a?b=c&d", "a", 1, false, 1},
    {"GET /%2e%00 HTTP/1.1\r\n" H "\r\n", "GET", "/%2e%00", "/%2e%00", "a", 1, false, 1},
    {"GET /a|b^{}\\\"<>`[] HTTP/1.1\r\n" H "\r\n", "GET", "/a|b^{}\\\"<>`[]", "/a|b^{}\\\"<>`[]",
     "a", 1, false, 1},
    {"GET /../. HTTP/1.1\r\n" H "\r\n", "GET", "/../.", "/../.", "a", 1, false, 1},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\n", "POST", "/", "/", "a", 1, true, 2},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", "POST", "/", "/", "a", 1, false, 2},
    {"POST / HTTP/1.1\r\n" H "\r\n", "POST", "/", "/", "a", 1, false, 1},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", "POST", "/", "/", "a", 1, true,
     2},
    {"PUT / HTTP/1.1\r\ntransfer-encoding:CHUNKED\r\n" H "\r\n", "PUT", "/", "/", "a", 1, true, 2},
    {"POST / HTTP/1.0\r\nContent-Length: 999999999999999999\r\n\r\n", "POST", "/", "/", NULL, 0,
     true, 1},
    {G H "Content-Length: 000\r\n\r\n", "GET", "/", "/", "a", 1, false, 2},
    {"B!#$%&'*+-.^_`|~9 / HTTP/1.1\r\n" H "\r\n", "B!#$%&'*+-.^_`|~9", "/", "/", "a", 1, false, 1},
    {"get / HTTP/1.1\r\n" H "\r\n", "get", "/", "/", "a", 1, false, 1},
    {"OPTIONS / HTTP/1.1\r\n" H "\r\n", "OPTIONS", "/", "/", "a", 1, false, 1},
    {"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.0\r\n\r\n", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF", "/",
     "/", NULL, 0, false, 0},
    {G H "X:\r\n\r\n", "GET", "/", "/", "a", 1, false, 2},
    {G H "X: \x80\xff \t y\r\n\r\n", "GET", "/", "/", "a", 1, false, 2},
    {G "X: Host: b\r\n" H "\r\n", "GET", "/", "/", "a", 1, false, 2},
    {G H "Expect: 100-continue\r\nConnection: keep-alive\r\n\r\n", "GET", "/", "/", "a", 1, false,
     3},
    {G H "X-Content-Length: x\r\nX-Host: y\r\n\r\n", "GET", "/", "/", "a", 1, false, 3},
};

static const struct bad bads[] = {
    /* the request line */
    {400, "\n", 0},
    {400, "\r\r", 0},
    {400, "\r\n\r\n", 0},
    {400, "\r\n\n", 0},
    {400, " GET / HTTP/1.1\r\n", 0},
    {400, "\tGET", 0},
    {400, "GET  / HTTP/1.1\r\n", 0},
    {400, "GET\t/ HTTP/1.1\r\n", 0},
    {400, "GET /\tHTTP/1.1\r\n", 0},
    {400, "GET /  HTTP/1.1\r\n", 0},
    {400, "GET / HTTP/1.1 \r\n", 0},
    {400, "GET /a b HTTP/1.1\r\n", 0},
    {400, "GET\r\n", 0},
    {400, "GET /\r\n", 0},
    {400, "GET / \r\n", 0},
    {400, "GET / HTTP/1.1\n", 0},
    {400, "GET / HTTP/1.1\rX", 0},
    {400, "GET / HTTP/1.1\r\r\n", 0},
    {400, "GET / HTTP/1.\r\n", 0},
    {400, "GET / HTTP/1\r\n", 0},
    {400, "GET / HTTP/11\r\n", 0},
    {400, "GET / HTTP/1.10\r\n", 0},
    {400, "GET / HTTP/1.a\r\n", 0},
    {400, "GET / HTTP/a.1\r\n", 0},
    {400, "GET / HTTP/-1.1\r\n", 0},
    {400, "GET / http/1.1\r\n", 0},
    {400, "GET / HTTPS/1.1\r\n", 0},
    {400, "GET / HTTP 1.1\r\n", 0},
    {400, "GET / XTTP", 0},
    {505, "GET / HTTP/2.0\r", 0},
    {505, "GET / HTTP/0.9\r", 0},
    {505, "GET / HTTP/3.1\r\n", 0},
    {400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0},
    {400, "OPTIONS * HTTP/1.1\r\n", 0},
    {400, "CONNECT a:80 HTTP/1.1\r\n", 0},
    {400, "GET a HTTP/1.1\r\n", 0},
    {400, "GET ftp://a/ HTTP/1.1\r\n", 0},
    {400, "GET https://a/ HTTP/1.1\r\n", 0},
    {400, "GET http:/a HTTP/1.1\r\n", 0},
    {400, "GET http:a HTTP/1.1\r\n", 0},
    {400, "GET http:// HTTP/1.1\r\n", 0},
    {400, "GET http:///a HTTP/1.1\r\n", 0},
    {400, "GET http://:80/a HTTP/1.1\r\n", 0},
    {400, "GET http://u@h/a HTTP/1.1\r\n", 0},
    {400, "GET http://u:p@h/a HTTP/1.1\r\n", 0},
    {400, "GET http://[::1/a HTTP/1.1\r\n", 0},
    {400, "GET http://[::g]/a HTTP/1.1\r\n", 0},
    {400, "GET http://h:x/ HTTP/1.1\r\n", 0},
    {400, "GET http://h\\x/ HTTP/1.1\r\n", 0},
    {400, "GET /a#b HTTP/1.1\r\n", 0},
    {400, "GET # HTTP/1.1\r\n", 0},
    {400, "GET /\x80 HTTP/1.1\r\n", 0},
    {400, "GET /\x7f HTTP/1.1\r\n", 0},
    {400, "GET /\x01 HTTP/1.1\r\n", 0},
    {400, "GET /\0 HTTP/1.1\r\n", 17},
    {400, "G\0T / HTTP/1.1\r\n", 16},
    {400, "GET / HTTP/1.1\0\r\n", 17},
    {400, "G(T / HTTP/1.1\r\n", 0},
    {400, "G:T", 0},
    {400, "G\x80T", 0},
    {400, "\"GET\"", 0},
    {400, "\x16\x03\x01", 0}, /* TLS */
    {400, "\0", 1},
    {501, "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG", 0},
    /* fields */
    {400, G " Host: a\r\n\r\n", 0},
    {400, G "\tHost: a\r\n\r\n", 0},
    {400, G H " folded\r\n\r\n", 0},
    {400, G H "X: y\r\n\tfolded\r\n\r\n", 0},
    {400, G "Host : a\r\n\r\n", 0},
    {400, G "Host\t: a\r\n\r\n", 0},
    {400, G ": a\r\n" H "\r\n", 0},
    {400, G H ":\r\n\r\n", 0},
    {400, G H "X\r\n\r\n", 0},
    {400, G H "X Y: z\r\n\r\n", 0},
    {400, G H "X(: z\r\n\r\n", 0},
    {400, G H "\x80: z\r\n\r\n", 0},
    {400, G H "X\0: z\r\n\r\n", sizeof(G H "X\0: z\r\n\r\n") - 1},
    {400, G H "X: a\0b\r\n\r\n", sizeof(G H "X: a\0b\r\n\r\n") - 1},
    {400, G H "X: a\x01\r\n\r\n", 0},
    {400, G H "X: a\x7f\r\n\r\n", 0},
    {400, G H "X: a\x0b\r\n\r\n", 0},
    {400, G H "X: a\n\r\n", 0},
    {400, G H "X: a\rb\r\n\r\n", 0},
    {400, G H "X: a\r\r\n", 0},
    {400, G H "\n", 0},
    {400, G H "\rX", 0},
    {400, "GET / HTTP/1.1\nHost: a\n\n", 0},
    /* Host */
    {400, G "\r\n", 0},
    {400, "GET / HTTP/1.2\r\n\r\n", 0},
    {400, G "X: y\r\n\r\n", 0},
    {400, "GET http://a/ HTTP/1.1\r\n\r\n", 0},
    {400, G H "Host: b\r\n\r\n", 0},
    {400, G H H "\r\n", 0},
    {400, G H "hOST: a\r\n\r\n", 0},
    {400, "GET / HTTP/1.0\r\n" H H "\r\n", 0},
    {400, G "Host: a b\r\n\r\n", 0},
    {400, G "Host: a,b\x80\r\n\r\n", 0},
    {400, G "Host: a/b\r\n\r\n", 0},
    {400, G "Host: a?b\r\n\r\n", 0},
    {400, G "Host: a#b\r\n\r\n", 0},
    {400, G "Host: a@b\r\n\r\n", 0},
    {400, G "Host: a\\b\r\n\r\n", 0},
    {400, G "Host: \"a\"\r\n\r\n", 0},
    {400, G "Host: <a>\r\n\r\n", 0},
    {400, G "Host: a%2\r\n\r\n", 0},
    {400, G "Host: a%zz\r\n\r\n", 0},
    {400, G "Host: a:b\r\n\r\n", 0},
    {400, G "Host: a:80:80\r\n\r\n", 0},
    {400, G "Host: a:65536\r\n\r\n", 0},
    {400, G "Host: a:-1\r\n\r\n", 0},
    {400, G "Host: 2001:db8::1\r\n\r\n", 0},
    {400, G "Host: [2001:db8::1\r\n\r\n", 0},
    {400, G "Host: [2001:db8::1]x\r\n\r\n", 0},
    {400, G "Host: [192.0.2.1]\r\n\r\n", 0},
    {400, G "Host: []\r\n\r\n", 0},
    {400, G "Host: [fe80::1%25eth0]\r\n\r\n", 0},
    {400, G "Host: [v.a]\r\n\r\n", 0},
    {400, G "Host: [v1.]\r\n\r\n", 0},
    {400, G "Host: [v1a]\r\n\r\n", 0},
    {400, G "Host: ]\r\n\r\n", 0},
    /* framing */
    {400, G H "Content-Length: 1\r\n\r\n", 0},
    {400, "HEAD / HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\n", 0},
    {400, G H "Transfer-Encoding: chunked\r\n\r\n", 0},
    {400, "HEAD / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 0},
    {400, "POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 0},
    {400, "POST / HTTP/1.1\r\n" H "Content-Length: 1\r\ncontent-length: 2\r\n\r\n", 0},
    {400, "POST / HTTP/1.1\r\n" H "Content-Length: 1, 1\r\n\r\n", 0},
    {400, "POST / HTTP/1.1\r\n" H "Content-Length: +1\r\n\r\n", 0},
    {400, "POST / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n", 0},
    {400, "POST / HTTP/1.1\r\n" H "Content-Length: 0x1\r\n\r\n", 0},
    {400, "POST / HTTP/1.1\r\n" H "Content-Length: 1 1\r\n\r\n", 0},
    {400, "POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", 0},
    {400, "POST / HTTP/1.1\r\n" H "Content-Length: 1000000000000000000\r\n\r\n", 0},
    {400, "POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 0},
    {400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", 0},
    {400,
     "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 0},
    {400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 0},
    {501, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", 0},
    {501, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip\t,\tCHUNKED\r\n\r\n", 0},
    {501, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: ,chunked\r\n\r\n", 0},
    {400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", 0},
    {400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, gzip\r\n\r\n", 0},
    {400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n", 0},
    {400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: x chunked\r\n\r\n", 0},
    {400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunk\r\n\r\n", 0},
    {400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n", 0},
};

/* A copy on the heap of exactly this size, so that the sanitizer sees a read behind its end. */
static enum head_verdict parse_copy(struct head *head, const char *bytes, size_t length,
                                    char **copy)
{
    *copy = malloc(length > 0 ? length : 1);
    assert_non_null(*copy);
    memcpy(*copy, bytes, length);
    return head_parse(head, *copy, length);
}

static void assert_text(const char *expected, const char *text, size_t length)
{
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(text, expected, length);
}

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
        const struct good *good = &goods[i];
        size_t length = strlen(good->bytes);
        struct head head;
        char *copy;

        if (parse_copy(&head, good->bytes, length, &copy) != HEAD_COMPLETE)
            fail_msg("refused (%s): %s", head.reason ? head.reason : "incomplete", good->bytes);
        assert_int_equal(head.skip + head.length, length);
        assert_int_equal(head.skip, good->bytes[0] == '\r' ? 2 : 0);
        assert_text(good->method, head.method, head.method_length);
        assert_text(good->target, head.target, head.target_length);
        assert_text(good->path, head.parts.path, head.parts.path_length);
        if (good->host)
            assert_text(good->host, head.host, head.host_length);
        else
            assert_null(head.host);
        assert_int_equal(head.minor, good->minor);
        assert_int_equal(head.body, good->body);
        assert_int_equal(head.fields, good->fields);
        free(copy);
    }
}

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
        const struct bad *bad = &bads[i];
        struct head head;
        char *copy;
        enum head_verdict verdict = parse_copy(
            &head, bad->bytes, bad->length > 0 ? bad->length : strlen(bad->bytes), &copy);

        if (verdict != HEAD_REFUSED || head.status != bad->status)
            fail_msg("row %zu: verdict %d, status %u: %s", i, (int)verdict, head.status,
                     bad->bytes);
        assert_non_null(head.reason);
        assert_null(head.target);
        assert_int_equal(head.asks_head, strncmp(bad->bytes, "HEAD ", 5) == 0);
        free(copy);
    }
}

/* However a head is cut: incomplete until its last byte, complete with anything behind it. */
static void test_good_in_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
        size_t length = strlen(goods[i].bytes);
        char longer[512];
        struct head head;
        char *copy;

        for (size_t cut = 0; cut < length; cut++) {
            if (parse_copy(&head, goods[i].bytes, cut, &copy) != HEAD_INCOMPLETE)
                fail_msg("cut at %zu: %s", cut, goods[i].bytes);
            free(copy);
        }
        assert_true(length + 4 < sizeof(longer));
        memcpy(longer, goods[i].bytes, length);
        memcpy(longer + length, "\0\n\r\xff", 4);
        assert_int_equal(head_parse(&head, longer, length + 4), HEAD_COMPLETE);
        assert_int_equal(head.skip + head.length, length);
    }
}

/* Never complete on the way to a refusal, and refused for good. */
static void test_bad_in_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
        size_t length = bads[i].length > 0 ? bads[i].length : strlen(bads[i].bytes);
        bool refused = false;

        for (size_t cut = 0; cut <= length; cut++) {
            struct head head;
            char *copy;
            enum head_verdict verdict = parse_copy(&head, bads[i].bytes, cut, &copy);
            free(copy);
            assert_true(verdict != HEAD_COMPLETE);
            assert_true(verdict == HEAD_REFUSED || !refused);
            refused = verdict == HEAD_REFUSED;
        }
        assert_true(refused);
    }
}

/* "GET /aaa… HTTP/1.1\r\nHost: a\r\nX: bbb…\r\n\r\n" with these numbers of a and b */
static char *make(size_t target, size_t value, size_t *length)
{
    static const char middle[] = " HTTP/1.1\r\n" H "X: ";
    char *bytes = malloc(target + value + 64);
    char *at = bytes;

    assert_non_null(bytes);
    memcpy(at, "GET /", 5);
    memset(at + 5, 'a', target);
    at += 5 + target;
    memcpy(at, middle, sizeof(middle) - 1);
    at += sizeof(middle) - 1;
    memset(at, 'b', value);
    at += value;
    memcpy(at, "\r\n\r\n", 4);
    *length = (size_t)(at + 4 - bytes);
    return bytes;
}

static enum head_verdict parse_made(size_t target, size_t value, size_t cut, unsigned *status)
{
    struct head head;
    size_t length;
    char *bytes = make(target, value, &length);
    enum head_verdict verdict = head_parse(&head, bytes, cut < length ? cut : length);
    *status = head.status;
    free(bytes);
    return verdict;
}

static void test_lengths(void **state)
{
    unsigned status;
    size_t rest;

    (void)state;
    free(make(0, 0, &rest));
    assert_int_equal(parse_made(TARGET_MAX - 1, 0, SIZE_MAX, &status), HEAD_COMPLETE);
    assert_int_equal(parse_made(TARGET_MAX, 0, SIZE_MAX, &status), HEAD_REFUSED);
    assert_int_equal(status, 414);
    /* 414 as soon as it is known. */
    assert_int_equal(parse_made(TARGET_MAX, 0, 4 + TARGET_MAX, &status), HEAD_INCOMPLETE);
    assert_int_equal(parse_made(TARGET_MAX, 0, 5 + TARGET_MAX, &status), HEAD_REFUSED);
    assert_int_equal(status, 414);

    assert_int_equal(parse_made(0, HEAD_MAX - rest, SIZE_MAX, &status), HEAD_COMPLETE);
    assert_int_equal(parse_made(0, HEAD_MAX - rest, HEAD_MAX - 1, &status), HEAD_INCOMPLETE);
    assert_int_equal(parse_made(0, HEAD_MAX - rest + 1, SIZE_MAX, &status), HEAD_REFUSED);
    assert_int_equal(status, 431);
    assert_int_equal(parse_made(0, HEAD_MAX, HEAD_MAX - 1, &status), HEAD_INCOMPLETE);
    assert_int_equal(parse_made(0, HEAD_MAX, HEAD_MAX, &status), HEAD_REFUSED);
    assert_int_equal(status, 431);
}

/* The empty line before the request does not count into HEAD_MAX. */
static void test_length_after_empty_line(void **state)
{
    size_t rest, length;
    struct head head;
    char *bytes;

    (void)state;
    free(make(0, 0, &rest));
    bytes = make(0, HEAD_MAX - rest, &length);
    assert_int_equal(length, HEAD_MAX);
    char *longer = malloc(HEAD_LOOK);
    assert_non_null(longer);
    memcpy(longer, "\r\n", 2);
    memcpy(longer + 2, bytes, length);
    assert_int_equal(head_parse(&head, longer, HEAD_LOOK), HEAD_COMPLETE);
    assert_int_equal(head.length, HEAD_MAX);
    longer[HEAD_LOOK - 1] = 'x'; /* instead of the last LF */
    assert_int_equal(head_parse(&head, longer, HEAD_LOOK), HEAD_REFUSED);
    free(longer);
    free(bytes);
}

static void test_field_count(void **state)
{
    char bytes[HEAD_MAX];
    struct head head;
    size_t at;

    (void)state;
    for (size_t count = HEAD_FIELDS_MAX; count <= HEAD_FIELDS_MAX + 1; count++) {
        at = sizeof(G H) - 1;
        memcpy(bytes, G H, at);
        for (size_t i = 1; i < count; i++, at += 4)
            memcpy(bytes + at, "x:\r\n", 4);
        memcpy(bytes + at, "\r\n", 2);
        enum head_verdict verdict = head_parse(&head, bytes, at + 2);
        if (count == HEAD_FIELDS_MAX) {
            assert_int_equal(verdict, HEAD_COMPLETE);
            assert_int_equal(head.fields, count);
        } else {
            assert_int_equal(verdict, HEAD_REFUSED);
            assert_int_equal(head.status, 431);
        }
    }
}

static void test_long_host(void **state)
{
    char bytes[512] = G "Host: ";
    size_t start = strlen(bytes);
    struct head head;

    (void)state;
    memset(bytes + start, 'a', TARGET_HOST_MAX);
    memcpy(bytes + start + TARGET_HOST_MAX, "\r\n\r\n", 5);
    assert_int_equal(head_parse(&head, bytes, strlen(bytes)), HEAD_COMPLETE);
    memcpy(bytes + start + TARGET_HOST_MAX, "a\r\n\r\n", 6);
    assert_int_equal(head_parse(&head, bytes, strlen(bytes)), HEAD_REFUSED);
}

/* What validators send; and what makes the answer another. */
static void test_plain(void **state)
{
    static const struct {
        const char *bytes;
        bool plain;
    } rows[] = {
        {G H "\r\n", true},
        {G H "User-Agent: a\r\nAccept: */*\r\nRange: bytes=0-1\r\nIf: x\r\n\r\n", true},
        {"GET / HTTP/1.2\r\n" H "\r\n", true},
        {"GET / HTTP/1.0\r\n" H "\r\n", false},
        {"HEAD / HTTP/1.1\r\n" H "\r\n", false},
        {"POST / HTTP/1.1\r\n" H "\r\n", false},
        {G H "If-Match: *\r\n\r\n", false},
        {G H "if-none-match: *\r\n\r\n", false},
        {G H "IF-MODIFIED-SINCE: x\r\n\r\n", false},
        {G H "Expect: 100-continue\r\n\r\n", false},
        {G H "Content-Length: 0\r\n\r\n", false},
    };
    struct head head;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(head_parse(&head, rows[i].bytes, strlen(rows[i].bytes)), HEAD_COMPLETE);
        assert_int_equal(head.plain, rows[i].plain);
    }
}

static void test_keep(void **state)
{
    static const struct {
        const char *bytes;
        bool keep;
    } rows[] = {
        {G H "\r\n", false},
        {G H "Connection: keep-alive\r\n\r\n", true},
        {G H "CONNECTION:Keep-Alive\r\n\r\n", true},
        {G H "Connection: \t,, upgrade ,keep-alive\t,\r\n\r\n", true},
        {G H "Connection: upgrade\r\nConnection: keep-alive\r\n\r\n", true},
        {G H "Connection: keep-alive, close\r\n\r\n", false},
        {G H "Connection: Close\r\nConnection: keep-alive\r\n\r\n", false},
        {G H "Connection: keep-aliv\r\n\r\n", false},
        {G H "Connection: keep-alive2\r\n\r\n", false},
        {G H "Connection: keep-alive upgrade\r\n\r\n", false},
        {G H "Connection:\r\n\r\n", false},
        {G H "Keep-Alive: keep-alive\r\n\r\n", false},
    };
    struct head head;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(head_parse(&head, rows[i].bytes, strlen(rows[i].bytes)), HEAD_COMPLETE);
        assert_int_equal(head.keep, rows[i].keep);
    }
}

static void test_user_agent(void **state)
{
    static const char twice[] = G H "user-agent:  a b \r\nUser-Agent: c\r\n\r\n";
    struct head head;

    (void)state;
    assert_int_equal(head_parse(&head, twice, strlen(twice)), HEAD_COMPLETE);
    assert_int_equal(head.user_agent_length, 3);
    assert_memory_equal(head.user_agent, "a b", 3);
    assert_int_equal(head_parse(&head, G H "\r\n", strlen(G H "\r\n")), HEAD_COMPLETE);
    assert_null(head.user_agent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),           cmocka_unit_test(test_bad),
        cmocka_unit_test(test_good_in_pieces), cmocka_unit_test(test_bad_in_pieces),
        cmocka_unit_test(test_lengths),        cmocka_unit_test(test_length_after_empty_line),
        cmocka_unit_test(test_field_count),    cmocka_unit_test(test_long_host),
        cmocka_unit_test(test_plain),          cmocka_unit_test(test_keep),
        cmocka_unit_test(test_user_agent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
