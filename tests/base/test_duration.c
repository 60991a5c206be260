// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wicket/duration.h"

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ms;
    } rows[] = {
        {"0s", 0},
        {"0ms", 0},
        {"1ms", 1},
        {"500ms", 500},
        {"5s", 5000},
        {"90s", 90000},
        {"10m", 600000},
        {"1h", 3600000},
        {"8784h", DURATION_MAX_MS},
        {"31622400000ms", DURATION_MAX_MS},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t ms = 42;
        assert_true(duration_parse(rows[i].text, &ms));
        assert_int_equal(ms, rows[i].ms);
    }
}

static void test_parse_refuses(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "5",
        "s",
        "ms",
        "5 s",
        " 5s",
        "5s ",
        "-5s",
        "+5s",
        "5.5s",
        "5S",
        "5sec",
        "1d",
        "1w",
        "05s",
        "00s",
        "0x5s",
        "5s5s",
        "1h30m",
        "5,0s",
        "8785h",
        "31622400001ms",
        "18446744073709551616s",
        "99999999999999999999999999999999s",
        "1e3s",
        "5\xc2\xb5s",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t ms = 42;
        assert_false(duration_parse(rows[i], &ms));
        assert_int_equal(ms, 42);
    }
}

static void test_format(void **state)
{
    (void)state;
    static const struct {
        uint64_t ms;
        const char *text;
    } rows[] = {
        {0, "0s"},         {1, "1ms"},
        {1500, "1500ms"},  {5000, "5s"},
        {90000, "90s"},    {600000, "10m"},
        {5400000, "90m"},  {3600000, "1h"},
        {86400000, "24h"}, {DURATION_MAX_MS, "8784h"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[DURATION_TEXT];
        assert_string_equal(duration_format(out, sizeof(out), rows[i].ms), rows[i].text);
    }
}

static void test_format_parses_again(void **state)
{
    (void)state;
    for (uint64_t ms = 0; ms < DURATION_MAX_MS / 2; ms = ms * 3 / 2 + 1) {
        char out[DURATION_TEXT];
        uint64_t again = 0;
        assert_true(duration_parse(duration_format(out, sizeof(out), ms), &again));
        assert_int_equal(again, ms);
    }
}

static void test_describe(void **state)
{
    (void)state;
    static const struct {
        uint64_t ms;
        const char *text;
    } rows[] = {
        {0, "0 ms"},
        {350, "350 ms"},
        {999, "999 ms"},
        {1000, "1 s"},
        {1049, "1 s"},
        {1050, "1.1 s"},
        {12345, "12.3 s"},
        {59949, "59.9 s"},
        {59950, "1 min"},
        {60000, "1 min"},
        {250000, "4 min 10 s"},
        {3599499, "59 min 59 s"},
        {3599500, "1 h"},
        {3720000, "1 h 2 min"},
        {7199999, "2 h"},
        {UINT64_C(100) * 3600000, "100 h"},
        {UINT64_MAX, "5124095576030 h 26 min"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[DURATION_TEXT];
        assert_string_equal(duration_describe(out, sizeof(out), rows[i].ms), rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),    cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_format),   cmocka_unit_test(test_format_parses_again),
        cmocka_unit_test(test_describe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
