// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/answer.h"

struct expected {
    const char *text;
    enum answer_state state; /* when nothing more will come */
    int status;
    const char *server; /* NULL: none */
    const char *body;   /* for 200 */
};

static const struct expected rows[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", ANSWER_COMPLETE, 200, NULL, "abc"},
    {"HTTP/1.1 200 OK\r\ncontent-length:\t3 \r\n\r\nabcdef", ANSWER_COMPLETE, 200, NULL, "abc"},
    {"HTTP/1.0 200\r\n\r\nabc", ANSWER_COMPLETE, 200, NULL, "abc"},
    {"HTTP/1.1 200 OK\nServer: x\n\nabc", ANSWER_COMPLETE, 200, "x", "abc"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ANSWER_COMPLETE, 200, NULL, ""},
    {"HTTP/1.1 404 Not Found\r\nServer: Apache/2.4\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
     ANSWER_COMPLETE, 404, "Apache/2.4", NULL},
    {"HTTP/1.1 301 Moved\r\nServer:\r\nServer: b\r\n\r\n", ANSWER_COMPLETE, 301, "", NULL},
    /* bad ones */
    {"", ANSWER_MALFORMED, 0, NULL, NULL},
    {"SSH-2.0-OpenSSH_9.2\r\n", ANSWER_MALFORMED, 0, NULL, NULL},
    {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", ANSWER_MALFORMED, 200, NULL, NULL},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", ANSWER_MALFORMED, 200,
     NULL, NULL},
    {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", ANSWER_MALFORMED, 200, NULL, NULL},
    {"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", ANSWER_MALFORMED, 200, NULL, NULL},
    {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", ANSWER_MALFORMED, 200, NULL,
     NULL},
    {"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", ANSWER_MALFORMED, 200, NULL, NULL},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ANSWER_MALFORMED, 200, NULL,
     NULL},
    {"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", ANSWER_MALFORMED, 200, NULL, NULL},
    {"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", ANSWER_MALFORMED, 200, NULL, NULL},
    {"HTTP/1.1 200 OK\r\n: b\r\n\r\n", ANSWER_MALFORMED, 200, NULL, NULL},
    {"HTTP/1.1 2000 OK\r\n\r\n", ANSWER_MALFORMED, 0, NULL, NULL},
    {"HTTP/1.1 20 OK\r\n\r\n", ANSWER_MALFORMED, 0, NULL, NULL},
    {"HTTP/1.1 099 OK\r\n\r\n", ANSWER_MALFORMED, 0, NULL, NULL},
    {"HTTP/1.1 600 OK\r\n\r\n", ANSWER_MALFORMED, 0, NULL, NULL},
    {"HTTP/1.1  200 OK\r\n\r\n", ANSWER_MALFORMED, 0, NULL, NULL},
    {"HTTP/2.0 200 OK\r\n\r\n", ANSWER_MALFORMED, 0, NULL, NULL},
    {"http/1.1 200 OK\r\n\r\n", ANSWER_MALFORMED, 0, NULL, NULL},
    {"HTTP/1.1 200 OK\r\nServer: x\r\n", ANSWER_MALFORMED, 0, NULL, NULL},
};

static void check(const struct expected *row, const struct answer *answer)
{
    if (row->state != ANSWER_COMPLETE)
        return;
    assert_int_equal(answer->status, row->status);
    if (row->server == NULL) {
        assert_null(answer->server);
    } else {
        assert_int_equal(answer->server_length, strlen(row->server));
        assert_memory_equal(answer->server, row->server, answer->server_length);
    }
    if (row->body != NULL) {
        assert_int_equal(answer->body_length, strlen(row->body));
        assert_memory_equal(answer->body, row->body, answer->body_length);
    }
}

static void test_whole_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct answer answer;
        assert_int_equal(answer_parse(&answer, rows[i].text, strlen(rows[i].text), true),
                         rows[i].state);
        check(&rows[i], &answer);
    }
}

/* However the bytes come in, the answer is the same, and what is malformed early stays so. */
static void test_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const size_t length = strlen(rows[i].text);
        struct answer answer;
        enum answer_state last = ANSWER_INCOMPLETE;
        for (size_t n = 0; n <= length && last == ANSWER_INCOMPLETE; n++) {
            /* A copy of exactly that length: a read behind it is the sanitizer's to see. */
            char *copy = malloc(n == 0 ? 1 : n);
            assert_non_null(copy);
            memcpy(copy, rows[i].text, n);
            last = answer_parse(&answer, copy, n, false);
            free(copy);
        }
        if (last != ANSWER_INCOMPLETE)
            assert_int_equal(last, rows[i].state);
    }
}

static void test_no_length_ends_with_the_stream(void **state)
{
    (void)state;
    static const char text[] = "HTTP/1.1 200 OK\r\n\r\nabc";
    struct answer answer;
    assert_int_equal(answer_parse(&answer, text, sizeof text - 1, false), ANSWER_INCOMPLETE);
    assert_int_equal(answer_parse(&answer, text, sizeof text - 1, true), ANSWER_COMPLETE);
}

static void test_too_long(void **state)
{
    (void)state;
    char bytes[ANSWER_MAX];
    struct answer answer;
    memset(bytes, 'a', sizeof bytes);
    memcpy(bytes, "HTTP/1.1 200 OK\r\nX: ", 20);
    assert_int_equal(answer_parse(&answer, bytes, sizeof bytes - 1, false), ANSWER_INCOMPLETE);
    assert_int_equal(answer_parse(&answer, bytes, sizeof bytes, false), ANSWER_MALFORMED);
    memcpy(bytes, "HTTP/1.1 200 OK\r\n\r\n", 19);
    assert_int_equal(answer_parse(&answer, bytes, sizeof bytes - 1, false), ANSWER_INCOMPLETE);
    assert_int_equal(answer_parse(&answer, bytes, sizeof bytes, false), ANSWER_MALFORMED);
    /* What is said of it does not change when it turns out to end there. */
    assert_int_equal(answer_parse(&answer, bytes, sizeof bytes, true), ANSWER_MALFORMED);
    assert_int_equal(answer_parse(&answer, bytes, sizeof bytes - 1, true), ANSWER_COMPLETE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_answers),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_no_length_ends_with_the_stream),
        cmocka_unit_test(test_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
