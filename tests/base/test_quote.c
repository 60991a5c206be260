// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wicket/quote.h"

static void test_forms(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        const char *quoted;
    } rows[] = {
        {"", 0, "\"\""},
        {"abc", 3, "\"abc\""},
        {"a\"b\\c", 5, "\"a\\\"b\\\\c\""},
        {"a\0b", 3, "\"a\\x00b\""},
        {"\n\t\x7f", 3, "\"\\x0a\\x09\\x7f\""},
        {"\xc3\xa9", 2, "\"\\xc3\\xa9\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(QUOTE(rows[i].bytes, rows[i].length), rows[i].quoted);
}

static void test_cut_within_every_capacity(void **state)
{
    (void)state;
    static const char *const texts[] = {"plain text that is long", "\n\n\n\n\n\n\n\n",
                                        "a\\\"\nb\\c\"d\ne"};
    for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++) {
        char whole[128];
        quote_bytes(whole, sizeof(whole), texts[t], strlen(texts[t]));
        size_t whole_length = strlen(whole);

        for (size_t capacity = 8; capacity <= whole_length + 1; capacity++) {
            char out[128];
            memset(out, 'Z', sizeof(out));
            assert_ptr_equal(quote_bytes(out, capacity, texts[t], strlen(texts[t])), out);
            size_t length = strlen(out);
            assert_true(length < capacity);
            assert_int_equal(out[capacity], 'Z');
            assert_int_equal(out[0], '"');
            assert_int_equal(out[length - 1], '"');
            if (capacity == whole_length + 1) {
                assert_string_equal(out, whole);
            } else {
                assert_memory_equal(out + length - 4, "...\"", 4);
                assert_memory_equal(out, whole, length - 4);
            }
        }
    }
}

static void test_never_cut_inside_an_escape(void **state)
{
    (void)state;
    char out[12];
    quote_bytes(out, sizeof(out), "abc\n\n\n", 6);
    assert_string_equal(out, "\"abc...\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_cut_within_every_capacity),
        cmocka_unit_test(test_never_cut_inside_an_escape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
