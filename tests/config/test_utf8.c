// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/utf8.h"

/* RFC 3629 section 4. */
static void test_lengths(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
    } rows[] = {
        {"a", 1},
        {"\x7f", 1},
        {"\xc2\x80", 2},
        {"\xdf\xbf", 2},
        {"\xe0\xa0\x80", 3},
        {"\xed\x9f\xbf", 3},
        {"\xee\x80\x80", 3},
        {"\xef\xbf\xbf", 3},
        {"\xf0\x90\x80\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\x80", 0}, /* a continuation alone */
        {"\xc3", 0}, /* cut short */
        {"\xe2\x82", 0},
        {"\xf0\x9f\x98", 0},
        {"\xc3(", 0},
        {"\xc0\xaf", 0}, /* too long a form */
        {"\xc1\xbf", 0},
        {"\xe0\x9f\xbf", 0},
        {"\xf0\x8f\xbf\xbf", 0},
        {"\xed\xa0\x80", 0}, /* a surrogate */
        {"\xed\xbf\xbf", 0},
        {"\xf4\x90\x80\x80", 0}, /* over U+10FFFF */
        {"\xf8\x88\x80\x80\x80", 0},
        {"\xfe", 0},
        {"\xff", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(utf8_length((const unsigned char *)rows[i].bytes, strlen(rows[i].bytes)),
                         rows[i].length);
}

static void test_text(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        bool text;
    } rows[] = {
        {"\t", true},
        {"\n", true},
        {"\r", true},
        {" ", true},
        {"~", true},
        {"\xc2\x85", true},
        {"\xc2\xa0", true},
        {"\xf0\x9f\x98\x80", true},
        {"\x01", false},
        {"\x1b", false},
        {"\x7f", false},
        {"\xc2\x80", false},
        {"\xc2\x9b", false},
        {"\xef\xbf\xbe", false},
        {"\xef\xbf\xbf", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(utf8_is_text((const unsigned char *)rows[i].bytes, strlen(rows[i].bytes)),
                         rows[i].text);
    assert_false(utf8_is_text((const unsigned char *)"\0", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
