// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/network.h"
#include "wicket/sources.h"

static int parse(struct config_network **out, size_t *count, const char *text, struct error *error)
{
    *out = NULL;
    *count = 0;
    return sources_parse(out, count, "sources", text, strlen(text), error);
}

static void test_lines(void **state)
{
    static const char text[] = "# validators\n"
                               "\n"
                               "192.0.2.0/24\n"
                               "  198.51.100.7\t # one of them\r\n"
                               "2001:db8::/32#and these\n"
                               "192.0.2.7\n"
                               "192.0.2.7\n"
                               " \t\r\n"
                               "::1";
    static const char *const expected[] = {"192.0.2.0/24", "198.51.100.7", "2001:db8::/32",
                                           "192.0.2.7",    "192.0.2.7",    "::1"};
    struct config_network *networks;
    struct error error;
    char formatted[NETWORK_TEXT];
    size_t count;

    (void)state;
    assert_int_equal(parse(&networks, &count, text, &error), 0);
    assert_int_equal(count, 6);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(network_format(formatted, sizeof(formatted), &networks[i]),
                            expected[i]);
    free(networks);
}

static void test_nothing(void **state)
{
    static const char *const texts[] = {"", "\n", "#", "# none\n\n", " \t"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct config_network *networks;
        struct error error;
        size_t count;

        assert_int_equal(parse(&networks, &count, texts[i], &error), 0);
        assert_int_equal(count, 0);
        free(networks);
    }
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *text, *line;
    } rows[] = {
        {"192.0.2.0/24 198.51.100.0/24\n",
         "sources:1: \"192.0.2.0/24 198.51.100.0/24\": the prefix must be a number from 0 to 32"},
        {"::1\n\n192.0.2.1/24\n", "sources:3: \"192.0.2.1/24\" is not a network, since bits behind "
                                  "the prefix are set: 192.0.2.0/24 is"},
        {"192.0.2.0/33", "sources:1: \"192.0.2.0/33\": the prefix must be a number from 0 to 32"},
        {"\n;comment\n", "sources:2: \";comment\" is no IPv4 or IPv6 address or network"},
        {"::ffff:192.0.2.1\n",
         "sources:1: \"::ffff:192.0.2.1\" is an IPv4 address in IPv6 form: write it as IPv4"},
        {"\n\nexample.org # our own\n",
         "sources:3: \"example.org\" is no IPv4 or IPv6 address or network"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "sources:1: "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config_network *networks;
        struct error error;
        size_t count;

        assert_int_equal(parse(&networks, &count, rows[i].text, &error), -1);
        assert_int_equal(error.exit_code, EX_CONFIG);
        assert_null(networks);
        if (strncmp(error.text, rows[i].line, strlen(rows[i].line)) != 0)
            fail_msg("\"%s\" was to begin \"%s\"", error.text, rows[i].line);
    }
    struct config_network *networks = NULL;
    struct error error;
    size_t count = 0;
    assert_int_equal(sources_parse(&networks, &count, "sources", "::1\0::2", 7, &error), -1);
    assert_null(networks);
}

static void test_too_many_lines(void **state)
{
    char *text = malloc(SOURCES_LINES_MAX + 2);
    struct config_network *networks = NULL;
    struct error error;
    size_t count = 0;

    (void)state;
    assert_non_null(text);
    memset(text, '\n', SOURCES_LINES_MAX + 1);
    assert_int_equal(sources_parse(&networks, &count, "sources", text, SOURCES_LINES_MAX, &error),
                     0);
    assert_int_equal(
        sources_parse(&networks, &count, "sources", text, SOURCES_LINES_MAX + 1, &error), -1);
    assert_string_equal(error.text,
                        "sources:100001: more than 100000 lines, which is all it may have");
    free(text);
}

static char path[] = "/tmp/wicket-sources-XXXXXX";

static void write_file(const char *text, size_t length)
{
    FILE *stream = fopen(path, "we");

    assert_non_null(stream);
    assert_int_equal(fwrite(text, 1, length, stream), length);
    assert_int_equal(fclose(stream), 0);
}

static void test_file(void **state)
{
    struct config config;
    struct error error;
    char *large = calloc(1, SOURCES_BYTES_MAX + 1);
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0 && large);
    close(fd);
    config_init(&config);
    assert_int_equal(sources_read(&config, &error), 0); /* without a file */
    assert_int_equal(config.redirect.source_count, 0);

    struct config_network listed;
    assert_int_equal(network_parse(&listed, "192.0.2.0/24", &error), 0);
    config.redirect.sources = malloc(sizeof(listed));
    assert_non_null(config.redirect.sources);
    config.redirect.sources[0] = listed;
    config.redirect.source_count = 1;
    memcpy(config.redirect.sources_file, path, sizeof(path));
    write_file("2001:db8::/32\nbad\n", 18);
    assert_int_equal(sources_read(&config, &error), -1);
    assert_int_equal(error.exit_code, EX_CONFIG);
    assert_non_null(strstr(error.text, ":2: \"bad\""));
    assert_int_equal(config.redirect.source_count, 1);
    memset(large, '\n', SOURCES_BYTES_MAX + 1);
    write_file(large, SOURCES_BYTES_MAX + 1);
    assert_int_equal(sources_read(&config, &error), -1);
    assert_non_null(strstr(error.text, "more than 1000000 bytes"));
    write_file("2001:db8::/32\n198.51.100.1\n", 27);
    assert_int_equal(sources_read(&config, &error), 0);
    assert_int_equal(config.redirect.source_count, 3);
    assert_int_equal(config.redirect.source_listed, 1);
    assert_int_equal(config.redirect.sources[0].family, AF_INET);
    assert_int_equal(config.redirect.sources[1].family, AF_INET6);

    unlink(path);
    config.redirect.source_count = 1;
    assert_int_equal(sources_read(&config, &error), -1);
    assert_int_equal(error.exit_code, EX_CONFIG);
    assert_non_null(strstr(error.text, "No such file or directory"));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(sources_read(&config, &error), -1);
    assert_non_null(strstr(error.text, "not a regular file"));
    unlink(path);
    config_deinit(&config);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),    cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_mistakes), cmocka_unit_test(test_too_many_lines),
        cmocka_unit_test(test_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
