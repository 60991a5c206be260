// SPDX-License-Identifier: GPL-2.0-or-later
/* What the program answers, seen from the network. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "responder/head.h"
#include "wicket/challenge.h"

#define TOKEN "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"
#define BODY  TOKEN "." THUMBPRINT
#define END   " HTTP/1.1\r\nHost: example.org\r\n\r\n"

static int start(struct harness *harness, enum link_other_requests other)
{
    harness_start(harness, &(struct harness_options){.setup.other_requests = other});
    harness_token(harness, TOKEN);
    return 0;
}

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct harness));
    return start(*state, LINK_OTHER_NOT_FOUND);
}

static int setup_https(void **state)
{
    *state = calloc(1, sizeof(struct harness));
    return start(*state, LINK_OTHER_HTTPS);
}

static int teardown(void **state)
{
    harness_stop(*state);
    free(*state);
    return 0;
}

static bool has_line(const char *answer, const char *line)
{
    const char *end = strstr(answer, "\r\n\r\n");
    const char *found = strcasestr(answer, line);
    return found && end && found < end && found > answer && found[-1] == '\n' &&
           strncmp(found + strlen(line), "\r\n", 2) == 0;
}

static const char *body_of(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");
    assert_non_null(end);
    return end + 4;
}

static void assert_served(const char *answer)
{
    char line[64];

    assert_memory_equal(answer, "HTTP/1.1 200 OK\r\n", 17);
    assert_true(has_line(answer, "Content-Type: application/octet-stream"));
    assert_true(has_line(answer, "X-Content-Type-Options: nosniff"));
    assert_true(has_line(answer, "Cache-Control: no-store"));
    assert_true(has_line(answer, "Connection: close"));
    snprintf(line, sizeof(line), "Content-Length: %zu", strlen(BODY));
    assert_true(has_line(answer, line));
    assert_string_equal(body_of(answer), BODY);
}

static void test_get(void **state)
{
    static const char *const requests[] = {
        "GET " PATH(TOKEN) END,
        "\r\nGET " PATH(TOKEN) END,
        "GET " PATH(TOKEN) " HTTP/1.0\r\n\r\n",
        "GET " PATH(TOKEN) " HTTP/1.2\r\nHost: a\r\n\r\n",
        "GET " PATH(TOKEN) " HTTP/1.1\r\nHost: 192.0.2.1:80\r\n\r\n",
        "GET " PATH(TOKEN) " HTTP/1.1\r\nHost: [2001:db8::1]\r\n\r\n",
        "GET " PATH(TOKEN) " HTTP/1.1\r\nHost:\r\n\r\n",
        "GET http://example.org" PATH(TOKEN) END,
        "GET http://example.org:80" PATH(TOKEN) END,
        "GET HTTP://[2001:db8::1]:80" PATH(TOKEN) END,
        "GET http://192.0.2.1" PATH(TOKEN) " HTTP/1.0\r\n\r\n",
        "GET " PATH(TOKEN) " HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n"
                           "Accept-Encoding: gzip\r\nRange: bytes=0-3\r\n"
                           "Expect: 100-continue\r\nUpgrade: h2c\r\n\r\n",
        "GET " PATH(TOKEN) " HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    };
    char answer[4096];

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        harness_exchange(*state, requests[i], answer, sizeof(answer));
        assert_served(answer);
    }
}

/* An answer without the time. */
static void strip_date(char *answer)
{
    char *date = strstr(answer, "\r\nDate: ");

    assert_non_null(date);
    char *end = strstr(date + 2, "\r\n");
    assert_non_null(end);
    memmove(date, end, strlen(end) + 1);
}

/* A condition that holds goes through libmicrohttpd, what has none does not: nobody can tell. */
static void test_both_ways_are_alike(void **state)
{
    char plain[4096], other[4096];

    harness_exchange(*state, "GET " PATH(TOKEN) END, plain, sizeof(plain));
    harness_exchange(
        *state, "GET " PATH(TOKEN) " HTTP/1.1\r\nHost: example.org\r\nIf-None-Match: \"x\"\r\n\r\n",
        other, sizeof(other));
    strip_date(plain);
    strip_date(other);
    assert_string_equal(plain, other);
}

static void test_head(void **state)
{
    char answer[4096], line[64];

    harness_exchange(*state, "HEAD " PATH(TOKEN) END, answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 200 OK\r\n", 17);
    snprintf(line, sizeof(line), "Content-Length: %zu", strlen(BODY));
    assert_true(has_line(answer, line));
    assert_true(has_line(answer, "Content-Type: application/octet-stream"));
    assert_string_equal(body_of(answer), "");
}

static void test_other_methods(void **state)
{
    static const char *const methods[] = {"POST", "PUT",  "DELETE", "OPTIONS",
                                          "get",  "BREW", "PATCH",  "HEADX"};
    char request[256], answer[4096];

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        snprintf(request, sizeof(request), "%s " PATH(TOKEN) END, methods[i]);
        harness_exchange(*state, request, answer, sizeof(answer));
        assert_memory_equal(answer, "HTTP/1.1 405 ", 13);
        assert_true(has_line(answer, "Allow: GET, HEAD"));
        assert_true(has_line(answer, "Connection: close"));
        assert_null(strstr(answer, THUMBPRINT));
        snprintf(request, sizeof(request), "%s /" END, methods[i]);
        assert_int_equal(harness_status(*state, request), 404);
    }
}

/* The answer is not lost to a reset when nobody reads what the client goes on sending. */
static void test_body_is_not_awaited(void **state)
{
    static const char *const heads[] = {
        "POST " PATH(TOKEN) " HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n",
        "POST " PATH(TOKEN) " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST " PATH(TOKEN) " HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n"
                            "Expect: 100-continue\r\n\r\n",
    };
    char *body = malloc(300000);
    char answer[4096];

    assert_non_null(body);
    memset(body, 'x', 300000);
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        int fd = harness_connect(*state);
        harness_write(fd, heads[i], strlen(heads[i]));
        harness_write(fd, body, 300000);
        harness_read(fd, answer, sizeof(answer));
        assert_memory_equal(answer, "HTTP/1.1 405 ", 13);
    }
    free(body);
}

static const char *const not_tokens[] = {
    "/",
    "/.well-known/acme-challenge/",
    "/.well-known/acme-challenge",
    PATH("unknown"),
    PATH(TOKEN) "?",
    PATH(TOKEN) "?a=b",
    PATH(TOKEN) "/",
    PATH(TOKEN) "x",
    PATH(TOKEN) "%00",
    PATH(TOKEN) "." THUMBPRINT,
    PATH("%4CoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"),
    "/%2ewell-known/acme-challenge/" TOKEN,
    "/.well-known%2facme-challenge/" TOKEN,
    "/./.well-known/acme-challenge/" TOKEN,
    "//.well-known/acme-challenge/" TOKEN,
    "/.well-known//acme-challenge/" TOKEN,
    "/x/../.well-known/acme-challenge/" TOKEN,
    "/.Well-Known/acme-challenge/" TOKEN,
    "/.well-known/acme-challenge/./" TOKEN,
    "/" TOKEN,
    "http://example.org",
    "http://example.org?" PATH(TOKEN),
    "http://example.org/" PATH(TOKEN),
};

static void test_not_found(void **state)
{
    char request[512], answer[4096];

    for (size_t i = 0; i < sizeof(not_tokens) / sizeof(not_tokens[0]); i++) {
        snprintf(request, sizeof(request), "GET %s" END, not_tokens[i]);
        harness_exchange(*state, request, answer, sizeof(answer));
        assert_memory_equal(answer, "HTTP/1.1 404 ", 13);
        assert_true(has_line(answer, "Content-Type: text/plain"));
        assert_true(has_line(answer, "Connection: close"));
        assert_string_equal(body_of(answer), "not found\n");
    }
}

static void test_https(void **state)
{
    static const struct {
        const char *request, *location; /* NULL: a 404 instead */
    } rows[] = {
        {"GET /" END, "https://example.org/"},
        {"GET /a?b=c&d%20e HTTP/1.1\r\nHost: example.org:80\r\n\r\n",
         "https://example.org/a?b=c&d%20e"},
        {"GET /a HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n", "https://[2001:db8::1]/a"},
        {"GET http://other.example:80/x?y" END, "https://other.example/x?y"},
        {"GET http://other.example" END, "https://other.example/"},
        {"GET http://other.example?x" END, "https://other.example/?x"},
        {"GET //evil.example/" END, "https://example.org//evil.example/"},
        {"POST /a" END, "https://example.org/a"},
        {"HEAD /a" END, "https://example.org/a"},
        {"GET / HTTP/1.0\r\n\r\n", NULL},
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", NULL},
        {"GET / HTTP/1.1\r\nHost: :80\r\n\r\n", NULL},
        {"GET " PATH("unknown") END, NULL},
        {"GET " PATH(TOKEN) "?x" END, NULL},
        {"GET http://example.org" PATH("unknown") END, NULL},
    };
    char answer[8192], line[512];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        harness_exchange(*state, rows[i].request, answer, sizeof(answer));
        if (rows[i].location) {
            assert_memory_equal(answer, "HTTP/1.1 308 ", 13);
            snprintf(line, sizeof(line), "Location: %s", rows[i].location);
            assert_true(has_line(answer, line));
        } else {
            assert_memory_equal(answer, "HTTP/1.1 404 ", 13);
        }
    }
    harness_exchange(*state, "GET " PATH(TOKEN) END, answer, sizeof(answer));
    assert_served(answer);
    assert_int_equal(harness_status(*state, "PUT " PATH(TOKEN) END), 405);
}

static void test_https_longest_target(void **state)
{
    char request[5000] = "GET /", answer[8192];

    memset(request + 5, 'a', 4095);
    strcpy(request + 5 + 4095, END);
    assert_int_equal(harness_exchange(*state, request, answer, sizeof(answer)) > 4096, 1);
    assert_memory_equal(answer, "HTTP/1.1 308 ", 13);
}

/* Each byte in a packet of its own, and the last byte later. */
static void test_split(void **state)
{
    static const char request[] = "\r\nGET " PATH(TOKEN) END;
    char answer[4096];

    for (size_t cut = 1; cut < sizeof(request) - 1; cut++) {
        int fd = harness_connect(*state);
        harness_write(fd, request, cut);
        harness_write(fd, request + cut, sizeof(request) - 1 - cut);
        harness_read(fd, answer, sizeof(answer));
        assert_served(answer);
    }
    int fd = harness_connect(*state);
    for (size_t i = 0; i < sizeof(request) - 1; i++) {
        harness_write(fd, request + i, 1);
        /* A round trip through the loop: the byte has been looked at. */
        harness_ping(*state, NULL);
    }
    harness_read(fd, answer, sizeof(answer));
    assert_served(answer);
}

/* A client that has ended its side still gets its answer. */
static void test_half_closed(void **state)
{
    static const char request[] = "GET " PATH(TOKEN) END;
    char answer[4096];
    int fd = harness_connect(*state);

    harness_write(fd, request, sizeof(request) - 1);
    shutdown(fd, SHUT_WR);
    harness_read(fd, answer, sizeof(answer));
    assert_served(answer);

    fd = harness_connect(*state);
    harness_write(fd, request, sizeof(request) - 2);
    harness_ping(*state, NULL);
    shutdown(fd, SHUT_WR);
    harness_read(fd, answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 400 ", 13);
}

/* The answer to a HEAD has no content, also when it says that the request was malformed. */
static void test_refused_head(void **state)
{
    static const char *const requests[] = {
        "HEAD / HTTP/1.1\r\n\r\n",
        "HEAD / HTTP/2.0\r\n\r\n",
        "HEAD / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    };
    char answer[4096];

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        harness_exchange(*state, requests[i], answer, sizeof(answer));
        assert_non_null(strstr(answer, "\r\nContent-Length: "));
        assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
    }
    harness_exchange(*state, "GET / HTTP/1.1\r\n\r\n", answer, sizeof(answer));
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\nBad Request\n");
}

/* As much as a head may have of everything that libmicrohttpd keeps an entry for: there is room. */
static void test_fullest_head(void **state)
{
    char request[HEAD_MAX + 1], answer[4096];
    char *at = stpcpy(request, "GET /?");

    for (size_t i = 1; i < HEAD_ARGUMENTS_MAX; i++)
        at = stpcpy(at, "a=b&");
    while (at - request < TARGET_MAX)
        *at++ = 'a';
    at = stpcpy(at, " HTTP/1.1\r\nHost: a\r\n");
    for (size_t i = 0; i < HEAD_FIELDS_MAX - 2; i++)
        at = stpcpy(at, "X: y\r\n");
    at = stpcpy(at, "Cookie: ");
    for (size_t i = 1; i < HEAD_COOKIES_MAX; i++)
        at = stpcpy(at, "a=b; ");
    at = stpcpy(at, "a=");
    while (at - request < HEAD_MAX - 4)
        *at++ = 'b';
    strcpy(at, "\r\n\r\n");
    harness_exchange(*state, request, answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 404 ", 13);
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\nnot found\n");
}

/* The second of two requests in one packet is not answered, and the first is not lost by it. */
static void test_pipelined(void **state)
{
    char request[20000] = "GET " PATH(TOKEN) END, answer[4096];
    size_t length = strlen(request);

    while (length + 64 < sizeof(request)) {
        strcpy(request + length, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        length += strlen(request + length);
    }
    harness_exchange(*state, request, answer, sizeof(answer));
    assert_served(answer);
}

static void test_malformed(void **state)
{
    static const struct {
        unsigned status;
        const char *request;
    } rows[] = {
        {400, "GET  " PATH(TOKEN) END},
        {400, "GET " PATH(TOKEN) " HTTP/1.1\nHost: a\n\n"},
        {400, "GET " PATH(TOKEN) "\r\n"},
        {400, "GET " PATH(TOKEN) " HTTP/1.1\r\n\r\n"},
        {400, "GET " PATH(TOKEN) " HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
        {400, "GET " PATH(TOKEN) " HTTP/1.1\r\nHost : a\r\n\r\n"},
        {400, "GET " PATH(TOKEN) " HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n"},
        {400, "GET " PATH(TOKEN) " HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"},
        {400, "GET " PATH(TOKEN) " HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"},
        {400, "GET " PATH(TOKEN) " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0"},
        {400, "GET http://u@h" PATH(TOKEN) END},
        {400, "GET " PATH(TOKEN) "#x" END},
        {400, "\r\n\r\nGET " PATH(TOKEN) END},
        {505, "GET " PATH(TOKEN) " HTTP/2.0\r\nHost: a\r\n\r\n"},
    };
    char answer[4096];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned status = 0;
        harness_exchange(*state, rows[i].request, answer, sizeof(answer));
        assert_int_equal(sscanf(answer, "HTTP/1.1 %u ", &status), 1);
        assert_int_equal(status, rows[i].status);
        assert_true(has_line(answer, "Connection: close"));
        assert_null(strstr(answer, THUMBPRINT));
    }
}

/* Too long, with more behind it than a socket buffer: the answer arrives all the same. */
static void test_too_long(void **state)
{
    size_t length = 1000000;
    char *request = malloc(length);
    char answer[4096];

    assert_non_null(request);
    memset(request, 'a', length);
    memcpy(request, "GET /", 5);
    int fd = harness_connect(*state);
    harness_write(fd, request, length);
    harness_read(fd, answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 414 ", 13);

    static const char line[] = "GET " PATH(TOKEN) " HTTP/1.1\r\nHost: a\r\nX: ";
    memcpy(request, line, sizeof(line) - 1);
    fd = harness_connect(*state);
    harness_write(fd, request, length);
    harness_read(fd, answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 431 ", 13);
    free(request);
}

static void test_ipv6(void **state)
{
    static const char request[] = "GET " PATH(TOKEN) END;
    struct harness harness;
    union link_message message;
    char answer[4096];

    (void)state;
    harness_start(&harness, &(struct harness_options){.setup.listeners = 2});
    harness_token(&harness, TOKEN);
    int fd = harness_connect6(&harness);
    harness_write(fd, request, sizeof(request) - 1);
    harness_read(fd, answer, sizeof(answer));
    assert_served(answer);
    harness_expect(&harness, LINK_VALIDATION, &message);
    assert_int_equal(message.validation.family, AF_INET6);
    assert_int_equal(message.validation.loopback, 1);
    assert_memory_equal(message.validation.address, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);

    harness_exchange(&harness, request, answer, sizeof(answer));
    assert_served(answer);
    harness_expect(&harness, LINK_VALIDATION, &message);
    assert_int_equal(message.validation.family, AF_INET);
    harness_stop(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_both_ways_are_alike),
        cmocka_unit_test(test_other_methods),
        cmocka_unit_test(test_body_is_not_awaited),
        cmocka_unit_test(test_not_found),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_half_closed),
        cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_refused_head),
        cmocka_unit_test(test_fullest_head),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_ipv6),
    };
    const struct CMUnitTest https[] = {
        cmocka_unit_test(test_https),
        cmocka_unit_test(test_https_longest_target),
    };
    int failures = cmocka_run_group_tests_name("not-found", tests, setup, teardown);
    return failures + cmocka_run_group_tests_name("https", https, setup_https, teardown);
}
