// SPDX-License-Identifier: GPL-2.0-or-later
/* What is too long, too large, too deep or too many; and that nothing of a bad file stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wicket/config.h"

static struct config_errors errors;
static char text[200000];

static int parse(size_t length)
{
    struct config config;
    int result = config_parse(&config, "w.yaml", text, length, &errors);
    config_deinit(&config);
    return result;
}

static void expect(size_t length, const char *line)
{
    assert_int_equal(parse(length), -1);
    assert_string_equal(errors.lines[0], line);
    assert_int_equal(errors.count, 1);
}

static void test_file_size(void **state)
{
    (void)state;
    memset(text, '#', sizeof(text));
    assert_int_equal(parse(65536), 0);
    expect(65537, "w.yaml: larger than 64 KiB: no configuration");
}

static void test_scalar_length(void **state)
{
    (void)state;
    /* One that is just short enough is judged by the rules of its key. */
    for (int length = 4096; length <= 4097; length++) {
        int written = snprintf(text, sizeof(text), "tokens:\n  webroot: /%0*d\n", length - 1, 0);
        assert_int_equal(parse((size_t)written), -1);
        assert_int_equal(errors.count, 1);
        if (length == 4097)
            assert_string_equal(errors.lines[0], "w.yaml:2:12: longer than 4096 bytes");
        else
            assert_non_null(strstr(errors.lines[0], "is too long: 4096 bytes, at most 107"));
    }
    int written = snprintf(text, sizeof(text), "redirect:\n  interfaces:\n  - %04097d\n", 0);
    expect((size_t)written, "w.yaml:3:5: longer than 4096 bytes");
    written = snprintf(text, sizeof(text), "? %04097d\n: 1\n", 0);
    expect((size_t)written, "w.yaml:1:3: longer than 4096 bytes");
}

static void test_path_length(void **state)
{
    (void)state;
    int written = snprintf(text, sizeof(text), "control:\n  socket: /%0106d\n", 0);
    assert_int_equal(parse((size_t)written), 0);
    written = snprintf(text, sizeof(text), "control:\n  socket: /%0107d\n", 0);
    assert_int_equal(parse((size_t)written), -1);
    assert_non_null(strstr(errors.lines[0], "is too long: 108 bytes, at most 107 are allowed"));
}

static void test_list_length(void **state)
{
    (void)state;
    for (int count = 4096; count <= 4100; count++) {
        size_t used = (size_t)snprintf(text, sizeof(text), "redirect:\n  interfaces:\n");
        for (int i = 0; i < count; i++)
            used += (size_t)snprintf(text + used, sizeof(text) - used, "  - e%d\n", i);
        if (count == 4096)
            assert_int_equal(parse(used), 0);
        else
            expect(used, "w.yaml:4099:5: redirect.interfaces: the list is too long: at most 4096 "
                         "entries are allowed");
    }
}

static void test_nesting(void **state)
{
    (void)state;
    /* Deep enough to overflow the stack of a parser that recurses. */
    memset(text, '[', 65536);
    assert_int_equal(parse(65536), -1);
    assert_string_equal(errors.lines[errors.count - 1],
                        "w.yaml:1:9: nested deeper than 8 levels; what follows was not read");
}

static void test_error_count(void **state)
{
    (void)state;
    for (size_t count = 19; count <= 22; count++) {
        size_t used = 0;
        for (size_t i = 0; i < count; i++)
            used += (size_t)snprintf(text + used, sizeof(text) - used, "colour%zu: 1\n", i);
        assert_int_equal(parse(used), -1);
        assert_int_equal(errors.count, count < CONFIG_ERRORS_MAX ? count : CONFIG_ERRORS_MAX);
        assert_true(errors.more == (count > CONFIG_ERRORS_MAX));
        for (size_t i = 0; i < errors.count; i++) {
            char line[128];
            snprintf(line, sizeof(line), "w.yaml:%zu:1: colour%zu: unknown key", i + 1, i);
            assert_string_equal(errors.lines[i], line);
        }
    }
}

static void test_long_names_and_keys(void **state)
{
    (void)state;
    char name[1000];
    struct config config;
    memset(name, 'n', sizeof(name));
    memcpy(name + sizeof(name) - 8, "/w.yaml", 8);
    int length = snprintf(text, sizeof(text), "%01000d: 1\n", 0);
    assert_int_equal(config_parse(&config, name, text, (size_t)length, &errors), -1);
    assert_non_null(strstr(errors.lines[0], "n/w.yaml:1:1: 000"));
    assert_non_null(strstr(errors.lines[0], "...: unknown key"));
    assert_memory_equal(errors.lines[0], "...nnn", 6);
}

/* Control characters and escapes of a file never reach a terminal. */
static void test_lines_are_printable(void **state)
{
    (void)state;
    static const char bad[] = "\"a\\e[31m\\n\xc3\xa9\": 1\n";
    struct config config;
    assert_int_equal(config_parse(&config, "w\n.yaml", bad, sizeof(bad) - 1, &errors), -1);
    assert_string_equal(errors.lines[0], "w\\x0a.yaml:1:1: a\\x1b[31m\\x0a\\xc3\\xa9: unknown key");
}

/* Lists that were read before the mistake are freed; the sanitizer watches. */
static void test_nothing_stays_of_a_bad_file(void **state)
{
    (void)state;
    static const char bad[] = "redirect:\n"
                              "  port: 81\n"
                              "  interfaces: [eth0, eth1, eth2]\n"
                              "  sources: [10.0.0.0/8]\n"
                              "colour: red\n";
    struct config config;
    struct config defaults;
    assert_int_equal(config_parse(&config, "w.yaml", bad, sizeof(bad) - 1, &errors), -1);
    config_init(&defaults);
    strcpy(defaults.path, "w.yaml");
    assert_memory_equal(&config, &defaults, sizeof(config));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_size),
        cmocka_unit_test(test_scalar_length),
        cmocka_unit_test(test_path_length),
        cmocka_unit_test(test_list_length),
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_error_count),
        cmocka_unit_test(test_long_names_and_keys),
        cmocka_unit_test(test_lines_are_printable),
        cmocka_unit_test(test_nothing_stays_of_a_bad_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
