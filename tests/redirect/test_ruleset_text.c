// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The text against golden files, tests/redirect/golden/NAME.nft. To make them anew, look at what
 * `wicket ruleset` prints, or run this with the directory and "write" as arguments.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "redirect/redirect.h"
#include "sample.h"
#include "unit.h"

static const char *golden; /* the directory, from argv */

static char *render(const struct sample *sample, bool owner, bool lease)
{
    struct config config;
    struct error error;
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);

    assert_non_null(stream);
    sample_config(&config, sample);
    if (redirect_write_text(stream, &config, REDIRECT_TABLE, owner, lease, &error) < 0)
        fail_msg("%s", error.text);
    fclose(stream);
    sample_free(&config);
    return text;
}

static char *read_golden(const char *name)
{
    static const size_t capacity = 65536;
    char path[4096];
    char *text = calloc(1, capacity);

    assert_non_null(text);
    snprintf(path, sizeof(path), "%s/%s.nft", golden, name);
    FILE *stream = fopen(path, "re");
    if (!stream) {
        fail_msg("%s: %s", path, strerror(errno));
        return text;
    }
    assert_true(fread(text, 1, capacity - 1, stream) < capacity - 1);
    fclose(stream);
    return text;
}

static void test_golden(void **state)
{
    (void)state;
    for (size_t i = 0; i < sample_count; i++) {
        if (samples[i].many > 0)
            continue;
        char *text = render(&samples[i], true, true);
        char *expected = read_golden(samples[i].name);

        assert_string_equal(text, expected);
        free(text);
        free(expected);
    }
}

static void test_options(void **state)
{
    char *bare = render(&samples[0], false, false);
    char *owner = render(&samples[0], true, false);
    char *lease = render(&samples[0], false, true);

    (void)state;
    assert_null(strstr(bare, "flags owner"));
    assert_null(strstr(bare, "80 timeout"));
    assert_non_null(strstr(owner, "\tflags owner\n"));
    assert_null(strstr(owner, "80 timeout"));
    assert_null(strstr(lease, "flags owner"));
    assert_non_null(strstr(lease, "elements = { 80 timeout 5s }\n"));
    free(bare);
    free(owner);
    free(lease);
}

static void test_ports_and_name(void **state)
{
    struct config config;
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);

    (void)state;
    assert_non_null(stream);
    sample_defaults(&config);
    config.responder.port = 65535;
    config.redirect.port = 8080;
    config.window.lease_ms = 1500;
    assert_int_equal(redirect_write_text(stream, &config, "other", false, true, NULL), 0);
    fclose(stream);
    assert_memory_equal(text, "table inet other {\n", 19);
    assert_non_null(strstr(text, "redirect to :65535"));
    assert_non_null(strstr(text, "tcp dport 65535 ct status dnat accept"));
    assert_non_null(strstr(text, "oif lo tcp dport 65535 counter drop comment \"looped\""));
    assert_non_null(strstr(text, "ct original proto-dst 8080 snat ip to "));
    assert_non_null(strstr(text, "{ 8080 timeout 1500ms }"));
    assert_null(strstr(text, "8402"));
    free(text);
}

/* What a window adds elsewhere, and only an open one. */
static void test_admissions(void **state)
{
    struct config_chain chains[] = {{"inet", "filter", "input"}, {"ip6", "filter", "INPUT"}};

    (void)state;
    for (int lease = 0; lease < 2; lease++) {
        struct config config;
        char *text = NULL;
        size_t length;
        FILE *stream = open_memstream(&text, &length);

        assert_non_null(stream);
        sample_defaults(&config);
        config.redirect.admit = chains;
        config.redirect.admit_count = 2;
        assert_int_equal(redirect_write_text(stream, &config, "wicket", true, lease == 1, NULL), 0);
        fclose(stream);
        const char *behind = strstr(text, "\n}\n");
        assert_non_null(behind);
        assert_string_equal(
            behind + 3,
            lease == 0
                ? ""
                : "\n# in the host's own firewall; behind its rules that ban by address, "
                  "wherever those are\n"
                  "insert rule inet filter input ct status dnat tcp dport 8402 accept comment "
                  "\"acme-wicket admission\"\n"
                  "insert rule ip6 filter INPUT ct status dnat tcp dport 8402 accept comment "
                  "\"acme-wicket admission\"\n");
        free(text);
    }
}

static void test_full_disk(void **state)
{
    FILE *stream = fopen("/dev/full", "we");
    struct config config;
    struct error error = {0};

    (void)state;
    assert_non_null(stream);
    sample_defaults(&config);
    assert_int_equal(redirect_write_text(stream, &config, "wicket", true, true, &error), -1);
    assert_int_equal(error.exit_code, EX_IOERR);
    assert_non_null(strstr(error.text, strerror(ENOSPC)));
    fclose(stream);
}

static int write_all(void)
{
    for (size_t i = 0; i < sample_count; i++) {
        char path[4096];
        char *text = samples[i].many > 0 ? NULL : render(&samples[i], true, true);
        FILE *stream;

        if (!text)
            continue;
        snprintf(path, sizeof(path), "%s/%s.nft", golden, samples[i].name);
        stream = fopen(path, "we");
        if (!stream || fputs(text, stream) < 0 || fclose(stream) != 0) {
            perror(path);
            return EX_IOERR;
        }
        free(text);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),         cmocka_unit_test(test_options),
        cmocka_unit_test(test_ports_and_name), cmocka_unit_test(test_admissions),
        cmocka_unit_test(test_full_disk),
    };

    if (argc < 2)
        return EX_USAGE;
    golden = argv[1];
    if (argc == 3 && strcmp(argv[2], "write") == 0)
        return write_all();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
