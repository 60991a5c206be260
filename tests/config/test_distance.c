// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/distance.h"
#include "config/schema.h"

static void test_distances(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        size_t distance;
    } rows[] = {
        {"", "", 0},         {"", "abc", 3},     {"port", "port", 0},
        {"prot", "port", 1}, {"por", "port", 1}, {"ports", "port", 1},
        {"part", "port", 1}, {"abc", "xyz", 3},  {"kitten", "sitting", 3},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *a = rows[i].a;
        const char *b = rows[i].b;
        assert_int_equal(distance_between(a, strlen(a), b, strlen(b)), rows[i].distance);
        assert_int_equal(distance_between(b, strlen(b), a, strlen(a)), rows[i].distance);
    }
    char text[DISTANCE_MAX + 1];
    memset(text, 'a', sizeof(text));
    assert_int_equal(distance_between(text, DISTANCE_MAX, "", 0), DISTANCE_MAX);
    assert_int_equal(distance_between(text, DISTANCE_MAX + 1, text, DISTANCE_MAX + 1), SIZE_MAX);
}

static void test_suggestions(void **state)
{
    (void)state;
    static const struct {
        const char *section, *name, *suggestion;
    } rows[] = {
        {"responder", "prot", "responder.port"},
        {"responder", "undecided-per-address", "responder.undecided_per_address"},
        {"responder", "deadlin", "responder.deadline"},
        {NULL, "responders", "responder"},
        {NULL, "otherrequests", "other_requests"},
        {NULL, "redirect.port", "redirect.port"},
        {NULL, "webroot", "tokens.webroot"},
        {"window", "webroot", "tokens.webroot"},
        {NULL, "port", NULL}, /* of two sections */
        {NULL, "colour", NULL},
        {"window", "xyzzy", NULL},
        {"window", "", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[64];
        const char *got =
            schema_suggest(out, sizeof(out), rows[i].section, rows[i].name, strlen(rows[i].name));
        if (rows[i].suggestion) {
            assert_non_null(got);
            assert_string_equal(got, rows[i].suggestion);
        } else {
            assert_null(got);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distances),
        cmocka_unit_test(test_suggestions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
