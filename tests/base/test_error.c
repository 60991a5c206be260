// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wicket/error.h"

static void test_set(void **state)
{
    (void)state;
    struct error error = {0};
    assert_int_equal(error_set(&error, 65, "%s is %d", "port", 80), -1);
    assert_int_equal(error.exit_code, 65);
    assert_string_equal(error.text, "port is 80");
}

static void test_errno_is_appended(void **state)
{
    (void)state;
    struct error error = {0};
    errno = ENOENT;
    assert_int_equal(error_set_errno(&error, 74, "/etc/%s", "nothing"), -1);
    assert_int_equal(error.exit_code, 74);
    assert_string_equal(error.text, "/etc/nothing: No such file or directory");
}

static void test_prefix_keeps_the_code(void **state)
{
    (void)state;
    struct error error = {0};
    error_set(&error, 77, "not allowed");
    assert_int_equal(error_prefix(&error, "peer %d", 7), -1);
    assert_int_equal(error.exit_code, 77);
    assert_string_equal(error.text, "peer 7: not allowed");
}

static void test_without_an_error(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, 65, "x"), -1);
    assert_int_equal(error_set_errno(NULL, 65, "x"), -1);
    assert_int_equal(error_prefix(NULL, "x"), -1);
}

static void test_one_printable_line(void **state)
{
    (void)state;
    struct error error = {0};
    error_set(&error, 65, "a\nb\x1b[31m\xc3\xa9");
    assert_string_equal(error.text, "a\\x0ab\\x1b[31m\\xc3\\xa9");
}

static void test_may_quote_itself(void **state)
{
    (void)state;
    struct error error = {0};
    error_set(&error, 65, "inner");
    error_set(&error, 75, "outer (%s)", error.text);
    assert_string_equal(error.text, "outer (inner)");
}

static void test_long_text_is_cut(void **state)
{
    (void)state;
    struct error error = {0};
    char text[3000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    error_set(&error, 65, "%s", text);
    assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
    assert_string_equal(error.text + sizeof(error.text) - 5, "x...");

    error_prefix(&error, "in front");
    assert_memory_equal(error.text, "in front: xxx", 13);
    assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_errno_is_appended),
        cmocka_unit_test(test_prefix_keeps_the_code),
        cmocka_unit_test(test_without_an_error),
        cmocka_unit_test(test_one_printable_line),
        cmocka_unit_test(test_may_quote_itself),
        cmocka_unit_test(test_long_text_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
