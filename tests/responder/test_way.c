// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "responder/way.h"
#include "wicket/challenge.h"
#include "wicket/link.h"

#define THUMBPRINT "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
#define TOKEN      "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
#define P          CHALLENGE_PATH_PREFIX
#define END        " HTTP/1.1\r\nHost: a\r\n\r\n"

/* A copy on the heap of exactly this size, so that the sanitizer sees a read behind its end. */
static enum way find(const struct tokens *tokens, const char *bytes, size_t length)
{
    char *copy = malloc(length > 0 ? length : 1);
    struct head head;

    assert_non_null(copy);
    memcpy(copy, bytes, length);
    enum way way = way_find(tokens, copy, length, &head);
    if (way == WAY_ANSWER) {
        assert_ptr_equal(head.method, copy + head.skip);
        assert_true(head.skip + head.length <= length);
    }
    free(copy);
    return way;
}

static int setup(void **state)
{
    struct tokens *tokens = malloc(sizeof(*tokens));

    assert_non_null(tokens);
    tokens_init(tokens);
    assert_true(tokens_put(tokens, TOKEN "." THUMBPRINT));
    assert_true(tokens_put(tokens, "t." THUMBPRINT));
    *state = tokens;
    return 0;
}

static int teardown(void **state)
{
    tokens_deinit(*state);
    free(*state);
    return 0;
}

static void fail_at(const char *bytes, size_t cut, enum way way)
{
    fail_msg("way %d of the first %zu bytes of: %s", (int)way, cut, bytes);
}

/* Waits until its last byte, and then is answered whatever follows. */
static void test_answered(void **state)
{
    static const char *const requests[] = {
        "GET " P TOKEN END,
        "GET " P "t" END,
        "HEAD " P "t" END,
        "POST " P "t" END,
        "DELETE " P "t" END,
        "\r\nGET " P "t" END,
        "GET " P "t HTTP/1.0\r\n\r\n",
        "GET " P "t HTTP/1.1\r\nhost: [2001:db8::1]:80\r\nX: y\r\nX: z\r\n\r\n",
        "GET http://example.org" P "t" END,
        "GET HTTP://example.org:80" P "t" END,
        "GET hTTps://[::1]" P "t" END,
        "GET https://example.org:443" P TOKEN END,
    };

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        size_t length = strlen(requests[i]);
        char longer[512];
        enum way way;

        for (size_t cut = 0; cut < length; cut++) {
            if ((way = find(*state, requests[i], cut)) != WAY_WAIT)
                fail_at(requests[i], cut, way);
        }
        if ((way = find(*state, requests[i], length)) != WAY_ANSWER)
            fail_at(requests[i], length, way);
        memcpy(longer, requests[i], length);
        memcpy(longer + length, "\0\r\n\xff", 4);
        assert_int_equal(find(*state, longer, length + 4), WAY_ANSWER);
    }
}

struct passed {
    const char *bytes;
    size_t shows; /* with so many of them it is clear */
    size_t length;
};

#define FROM(begin, text)                                 \
    {                                                     \
        begin text, sizeof(begin), sizeof(begin text) - 1 \
    }
#define HTTP(begin, rest) FROM(begin, rest END)
#define ANYTHING_BEHIND   "\r\nGET " P "t" END

/* Waits until the byte that shows it, and goes to production from then on. */
static const struct passed passes[] = {
    /* another path, from its first byte that is another */
    HTTP("GET /", "x"),
    HTTP("GET /", " "),
    HTTP("GET /", "/.well-known/acme-challenge/t"),
    HTTP("GET /", "%2ewell-known/acme-challenge/t"),
    HTTP("GET /.", "./.well-known/acme-challenge/t"),
    HTTP("GET /.well-known", "%2facme-challenge/t"),
    HTTP("GET /.well-known/", "security.txt"),
    HTTP("GET /.well-known/", "/acme-challenge/t"),
    HTTP("GET /.well-known/", "ACME-challenge/t"),
    HTTP("GET /.well-known/acme-challenge", "?t"),
    HTTP("GET /.well-known/acme-challenge", " "),
    HTTP("GET ", "?/.well-known/acme-challenge/t"),
    HTTP("HEAD /", "index.html"),
    /* what no token can be */
    HTTP("GET " P, " "),
    HTTP("GET " P, "/t"),
    HTTP("GET " P, ".t"),
    HTTP("GET " P, "%74"),
    HTTP("GET " P "t", "/"),
    HTTP("GET " P "t", "?"),
    HTTP("GET " P "t", "%20"),
    HTTP("GET " P "t", "." THUMBPRINT),
    HTTP("GET " P "t", "="),
    /* no target of ours */
    HTTP("GET ", "*"),
    HTTP("GET ", "a"),
    HTTP("GET h", "ost:80"),
    HTTP("GET http:", ":" P "t"),
    HTTP("GET http:/", "x"),
    HTTP("GET http", "x://a" P "t"),
    HTTP("GET http://a", "?" P "t"),
    HTTP("GET http://a/", "x"),
    HTTP("GET http://a/", "/.well-known/acme-challenge/t"),
    FROM("GET http://u@a" P "t", " HTTP/1.1\r\n"),
    FROM("GET http://" P "t", " HTTP/1.1\r\n"),
    HTTP("GET ", "ftp://a" P "t"),
    HTTP("CONNECT ", "a:80"),
    /* no method of HTTP */
    HTTP("GET", "T " P "t"),
    HTTP("", "get " P "t"),
    HTTP("G", "O " P "t"),
    HTTP("P", "ROPFIND /"),
    HTTP("", "BREW " P "t"),
    /* malformed */
    FROM("GET ", " " P "t" END),
    FROM("GET", "\t" P "t" END),
    FROM("GET", "\r\n"),
    FROM("", "\n" ANYTHING_BEHIND),
    FROM("\r", "\r"),
    FROM("\r\n", "\r\n"),
    FROM("GET " P "t", "\r\n"),
    FROM("GET " P "t ", "\r\n"),
    FROM("GET " P "t ", "http/1.1\r\n"),
    FROM("GET " P "t HTTP/", "x"),
    FROM("GET " P "t HTTP/1.1", " \r\n"),
    FROM("GET " P "t HTTP/2.0", "\r\n"),
    FROM("GET " P "t HTTP/1.1\r", "X"),
    FROM("GET " P "t HTTP/1.1\r\n", " folded: x\r\n"),
    FROM("GET " P "t HTTP/1.1\r\nHost: a", "\n"),
    FROM("GET " P "t HTTP/1.1\r\nHost: a", "\0\r\n\r\n"),
    FROM("GET " P "t HTTP/1.1\r\nHost", " : a\r\n\r\n"),
    FROM("GET " P "t HTTP/1.1\r\nHost: a\r\nHost: b\r", "\n\r\n"),
    FROM("GET " P "t HTTP/1.1\r\n\r", "\n"),
    FROM("GET " P "t HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r", "\nx"),
    /* no HTTP at all */
    FROM("", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    FROM("", "SSH-2.0-OpenSSH_9.2p1\r\n"),
    FROM("", "EHLO example.org\r\n"),
    FROM("HE", "LO example.org\r\n"),
    FROM("", "*1\r\n$4\r\nPING\r\n"),
    FROM("P", "ING\r\n"),
    FROM("", "\0"),
    FROM("", "\0\0\0\0" ANYTHING_BEHIND),
    FROM("P", "RI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    FROM("G", "\0T " P "t" END),
    FROM("GET", "\0 " P "t" END),
    FROM("", "\xff\xfe"),
    FROM("", " GET " P "t" END),
    FROM("P", "ROXY TCP4 192.0.2.1 192.0.2.2 1 80\r\n"),
};

static void test_passed(void **state)
{
    static const char behind[] = ANYTHING_BEHIND;

    for (size_t i = 0; i < sizeof(passes) / sizeof(passes[0]); i++) {
        const struct passed *passed = &passes[i];
        char longer[512];
        enum way way;

        assert_true(passed->length + sizeof(behind) < sizeof(longer));
        memcpy(longer, passed->bytes, passed->length);
        memcpy(longer + passed->length, behind, sizeof(behind));
        for (size_t cut = 0; cut <= passed->length + sizeof(behind); cut++) {
            way = find(*state, longer, cut);
            if (way != (cut < passed->shows ? WAY_WAIT : WAY_PASS))
                fail_at(passed->bytes, cut, way);
        }
    }
}

/* A token that nobody registered: clear as soon as the whole of it is there. */
static void test_unknown(void **state)
{
    static const struct passed unknown[] = {
        FROM("GET " P "u", END),   FROM("GET " P "tt", END),     FROM("GET " P "T", END),
        FROM("HEAD " P "-_", END), FROM("\r\nPOST " P "u", END), FROM("GET http://a" P "u", END),
    };

    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        for (size_t cut = 0; cut <= unknown[i].length; cut++) {
            enum way way = find(*state, unknown[i].bytes, cut);
            if (way != (cut < unknown[i].shows ? WAY_WAIT : WAY_UNKNOWN))
                fail_at(unknown[i].bytes, cut, way);
        }
        /* It may have become known meanwhile, and be withdrawn. */
        struct tokens more;
        tokens_init(&more);
        static const char *const names[] = {"u", "tt", "T", "-_"};
        for (size_t j = 0; j < 4; j++) {
            char text[64];
            snprintf(text, sizeof(text), "%s." THUMBPRINT, names[j]);
            assert_true(tokens_put(&more, text));
        }
        assert_int_equal(find(&more, unknown[i].bytes, unknown[i].shows), WAY_WAIT);
        assert_int_equal(find(&more, unknown[i].bytes, unknown[i].length), WAY_ANSWER);
        tokens_deinit(&more);
    }
}

/* It waits for no more than the longest token there can be. */
static void test_long(void **state)
{
    char bytes[2 * HEAD_LOOK];
    size_t start = strlen("GET " P);

    memset(bytes, 'x', sizeof(bytes));
    memcpy(bytes, "GET " P, start);
    assert_int_equal(find(*state, bytes, start + CHALLENGE_TOKEN_MAX), WAY_WAIT);
    assert_int_equal(find(*state, bytes, start + CHALLENGE_TOKEN_MAX + 1), WAY_PASS);
    bytes[start + CHALLENGE_TOKEN_MAX] = ' ';
    assert_int_equal(find(*state, bytes, start + CHALLENGE_TOKEN_MAX + 1), WAY_UNKNOWN);
    bytes[start + CHALLENGE_TOKEN_MAX] = 'x';
    bytes[start + CHALLENGE_TOKEN_MAX + 1] = ' ';
    assert_int_equal(find(*state, bytes, start + CHALLENGE_TOKEN_MAX + 2), WAY_PASS);

    /* nor for a host, */
    memcpy(bytes, "GET http://", 11);
    memset(bytes + 11, 'x', sizeof(bytes) - 11);
    assert_int_equal(find(*state, bytes, 11 + TARGET_HOST_MAX), WAY_WAIT);
    assert_int_equal(find(*state, bytes, 11 + TARGET_HOST_MAX + 1), WAY_PASS);
    bytes[11 + TARGET_HOST_MAX] = '/';
    assert_int_equal(find(*state, bytes, 11 + TARGET_HOST_MAX + 1), WAY_WAIT);

    /* nor for a head. */
    static const char head[] = "GET " P "t HTTP/1.1\r\nHost: a\r\nX: ";
    memset(bytes, 'x', sizeof(bytes));
    memcpy(bytes, head, strlen(head));
    assert_int_equal(find(*state, bytes, HEAD_MAX - 1), WAY_WAIT);
    assert_int_equal(find(*state, bytes, HEAD_MAX), WAY_PASS);
    assert_int_equal(find(*state, bytes, sizeof(bytes)), WAY_PASS);
    memcpy(bytes + HEAD_MAX - 4, "\r\n\r\n", 4);
    assert_int_equal(find(*state, bytes, HEAD_MAX), WAY_ANSWER);
    assert_int_equal(find(*state, bytes, sizeof(bytes)), WAY_ANSWER);
}

#define LEAST "0123456789012345678901"

static void test_stateless(void **state)
{
    static const struct {
        const char *request;
        enum way without, with;
    } cases[] = {
        {"GET " P LEAST END, WAY_UNKNOWN, WAY_ANSWER},
        {"GET " P LEAST "-_azAZ" END, WAY_UNKNOWN, WAY_ANSWER},
        {"GET http://a" P LEAST END, WAY_UNKNOWN, WAY_ANSWER},
        {"GET " P "012345678901234567890" END, WAY_UNKNOWN, WAY_UNKNOWN},
        {"GET " P LEAST "?" END, WAY_PASS, WAY_PASS},
        {"GET " P LEAST "/" END, WAY_PASS, WAY_PASS},
        {"GET " P LEAST "%41" END, WAY_PASS, WAY_PASS},
        {"GET /x/" LEAST END, WAY_PASS, WAY_PASS},
        {"GET " P "t" END, WAY_ANSWER, WAY_ANSWER},
    };

    static_assert(sizeof(LEAST) - 1 == LINK_STATELESS_TOKEN_MIN, "the least there can be");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t length = strlen(cases[i].request);
        assert_int_equal(find(*state, cases[i].request, length), cases[i].without);
        tokens_set_stateless(*state, THUMBPRINT);
        assert_int_equal(find(*state, cases[i].request, length), cases[i].with);
        tokens_set_stateless(*state, "");
        assert_int_equal(find(*state, cases[i].request, length), cases[i].without);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answered),  cmocka_unit_test(test_passed),
        cmocka_unit_test(test_unknown),   cmocka_unit_test(test_long),
        cmocka_unit_test(test_stateless),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
