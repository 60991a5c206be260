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

#include "cli/report.h"

static void check(const struct control_report *report, const char *expected)
{
    char text[REPORT_TEXT];
    assert_string_equal(report_format(text, sizeof text, report), expected);
}

static void test_lines(void **state)
{
    (void)state;
    check(&(struct control_report){0}, "no window was opened");
    check(&(struct control_report){.open_ms = 3200,
                                   .windows = 1,
                                   .tokens = 3,
                                   .validations = 12,
                                   .addresses = 5,
                                   .passed = 41},
          "window open 3.2 s, 3 tokens, 12 validations from 5 addresses, 41 visitors passed to "
          "production");
    check(&(struct control_report){.open_ms = 65000,
                                   .windows = 2,
                                   .tokens = 1,
                                   .validations = 1,
                                   .addresses = 1,
                                   .turned_away = 1,
                                   .passed = 1},
          "2 windows open 1 min 5 s, 1 token, 1 validation from 1 address, 1 visitor passed to "
          "production, 1 other request turned away");
    /* The responder answers them, or production could not be reached. */
    check(&(struct control_report){.open_ms = 1300, .windows = 1, .tokens = 3, .turned_away = 54},
          "window open 1.3 s, 3 tokens, 0 validations from 0 addresses, 54 other requests turned "
          "away");
    /* It was open already when `run` began. */
    check(&(struct control_report){.open_ms = 500},
          "window open 500 ms, 0 tokens, 0 validations from 0 addresses, no visitors");
    /* Each of these alone is something that happened. */
    check(&(struct control_report){.turned_away = 2},
          "no window was opened, 0 tokens, 0 validations from 0 addresses, 2 other requests turned "
          "away");
    check(&(struct control_report){.passed = 2},
          "no window was opened, 0 tokens, 0 validations from 0 addresses, 2 visitors passed to "
          "production");
}

static void test_trouble(void **state)
{
    (void)state;
    check(&(struct control_report){.trouble = 1, .text = "port 8402 is taken"},
          "no window was opened; port 8402 is taken");
    check(&(struct control_report){.tokens = 1, .trouble = 1, .text = "the limit ended it"},
          "no window was opened, 1 token, 0 validations from 0 addresses, no visitors; the limit "
          "ended it");
    check(&(struct control_report){.windows = 1,
                                   .open_ms = 2000,
                                   .tokens = 1,
                                   .trouble = 1,
                                   .turned_away = 3,
                                   .passed = 7,
                                   .text = "production did not answer"},
          "window open 2 s, 1 token, 0 validations from 0 addresses, 7 visitors passed to "
          "production, 3 other requests turned away; production did not answer");
    check(&(struct control_report){.text = "not said without trouble"}, "no window was opened");
}

static void test_longest_text_fits(void **state)
{
    (void)state;
    struct control_report report = {.open_ms = UINT64_MAX,
                                    .windows = UINT32_MAX,
                                    .tokens = UINT32_MAX,
                                    .validations = UINT64_MAX,
                                    .addresses = UINT32_MAX,
                                    .trouble = 1,
                                    .turned_away = UINT64_MAX,
                                    .passed = UINT64_MAX};
    memset(report.text, 'x', sizeof report.text - 1);
    char text[REPORT_TEXT];
    report_format(text, sizeof text, &report);
    assert_string_equal(text + strlen(text) - (sizeof report.text - 1), report.text);
    assert_non_null(strstr(text, " visitors passed to production, 18446744073709551615 other "
                                 "requests turned away; xxx"));
}

/* When the command has failed. */
static void test_explanation(void **state)
{
    (void)state;
    struct control_report report = {.windows = 1, .open_ms = 1000, .tokens = 1};
    char text[EVIDENCE_TEXT];
    assert_true(report_explain(text, &report, 8402));
    assert_non_null(strstr(text, "nobody came"));
    report.redirected = 9;
    assert_true(report_explain(text, &report, 8409));
    assert_non_null(strstr(text, "tcp dport 8409 accept"));
    report.trouble = 1; /* which the line of counts has said */
    assert_false(report_explain(text, &report, 8402));
    report.trouble = 0;
    report.arrived = 9;
    report.unknown = 9;
    strcpy(report.unknown_address, "192.0.2.1");
    assert_true(report_explain(text, &report, 8402));
    assert_non_null(strstr(text, "the last from 192.0.2.1"));
    report.validations = 9;
    report.addresses = 3;
    assert_true(report_explain(text, &report, 8402));
    assert_non_null(strstr(text, "9 times to 3 addresses"));
    report.tokens = 0;
    assert_true(report_explain(text, &report, 8402));
    assert_non_null(strstr(text, "no token was registered"));
    /* Nothing was due, or nothing came of it: its own output says which. */
    report = (struct control_report){.tokens = 0};
    assert_false(report_explain(text, &report, 8402));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_trouble),
        cmocka_unit_test(test_longest_text_fits),
        cmocka_unit_test(test_explanation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
