// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "wicket/evidence.h"
#include "wicket/ledger.h"

static void check(const struct evidence *evidence, const char *name, const char *part)
{
    char text[EVIDENCE_TEXT];

    assert_string_equal(evidence_name(evidence_judge(evidence)), name);
    evidence_describe(text, evidence, 8402);
    if (strstr(text, part) == NULL)
        fail_msg("%s", text);
    assert_null(strchr(text, '\n'));
}

static void test_verdicts(void **state)
{
    (void)state;
    check(&(struct evidence){0}, "nobody", "not one connection from outside reached port 80");
    check(&(struct evidence){.redirected = 3}, "blocked",
          "3 connections came and none arrived: this host's own firewall");
    check(&(struct evidence){.redirected = 1}, "blocked", "1 connection came and none arrived");
    check(&(struct evidence){.redirected = 3, .arrived = 1, .passed = 1}, "visitors",
          "1 connection came, but none asked for a challenge");
    check(
        &(struct evidence){
            .redirected = 3, .arrived = 3, .unknown = 2, .unknown_address = "192.0.2.9"},
        "unknown-token",
        "2 requests came for a token that nobody registered here, the last from 192.0.2.9");
    check(&(struct evidence){.redirected = 3, .arrived = 3, .unknown = 1}, "unknown-token",
          "1 request came");
    /* Whoever else came besides. */
    check(&(struct evidence){.validations = 9, .addresses = 3, .unknown = 5, .arrived = 14},
          "answered", "the challenge was answered, 9 times to 3 addresses, and still it failed");
    check(&(struct evidence){.validations = 1, .addresses = 1}, "answered", "1 time to 1 address,");
}

/* The longest of each still ends as it should. */
static void test_fits(void **state)
{
    struct evidence most = {0, UINT64_MAX, UINT64_MAX, UINT64_MAX, 0, 0, UINT32_MAX, ""};
    char text[EVIDENCE_TEXT];

    (void)state;
    memset(most.unknown_address, 'f', 45);
    for (int i = 0; i < 5; i++) {
        if (i == 1)
            most.unknown = 0;
        if (i == 2)
            most.arrived = 0;
        if (i == 3)
            most.redirected = 0;
        if (i == 4)
            most.validations = UINT64_MAX;
        evidence_describe(text, &most, UINT16_MAX);
        assert_true(strlen(text) < EVIDENCE_TEXT - 1);
    }
}

static void test_time(void **state)
{
    static const struct {
        struct timespec time;
        const char *text;
    } rows[] = {
        {{0, 0}, "1970-01-01T00:00:00.000Z"},
        {{1709251199, 999999999}, "2024-02-29T23:59:59.999Z"},
        {{4102444800, 1000000}, "2100-01-01T00:00:00.001Z"},
    };
    char text[LEDGER_TIME_TEXT];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(ledger_time(text, &rows[i].time), rows[i].text);
}

static void test_own_lines(void **state)
{
    char line[256] = "";

    (void)state;
    size_t length = ledger_line_left_out(line, sizeof(line), "abc-1", UINT64_MAX);
    assert_int_equal(length, strlen(line));
    assert_non_null(strstr(line, "\"event\":\"left-out\",\"keeper\":\"abc-1\","
                                 "\"lines\":18446744073709551615}"));
    length = ledger_line_lost(line, sizeof(line), "abc-1");
    assert_int_equal(length, strlen(line));
    assert_non_null(strstr(line, "\"event\":\"keeper-lost\",\"keeper\":\"abc-1\"}"));
    assert_int_equal(ledger_line_lost(line, 20, "abc-1"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_fits),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_own_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
