// SPDX-License-Identifier: GPL-2.0-or-later
/* Who validated, from a ledger that may be long, broken, or full of strangers. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "cli/validators_print.h"
#include "cli/validators_read.h"

static void put(FILE *ledger, const char *time, const char *window, const char *family,
                const char *address)
{
    fprintf(ledger,
            "{\"v\":1,\"time\":\"2026-01-01T%s.000Z\",\"event\":\"validation\",\"keeper\":\"k\","
            "\"window\":\"%s\",\"family\":\"%s\",\"address\":\"%s\"}\n",
            time, window, family, address);
}

static void read_all(struct observations *observations, FILE *ledger)
{
    struct error error = {0};

    rewind(ledger);
    assert_int_equal(observations_read(observations, ledger, "ledger", &error), 0);
    fclose(ledger);
}

static const struct observed *find(const struct observations *observations, int family,
                                   uint8_t last)
{
    for (const struct observed *one = observations->list; one != NULL; one = one->hh.next)
        if (one->key.family == family && one->key.address[family == AF_INET ? 3 : 15] == last)
            return one;
    fail_msg("...%d is not among them", last);
    abort(); /* what a compiler does not know of fail_msg */
}

static void test_counts(void **state)
{
    struct observations observations = {0};
    FILE *ledger = tmpfile();

    (void)state;
    put(ledger, "10:00:00", "k/1", "IPv4", "192.0.2.1");
    put(ledger, "10:00:01", "k/1", "IPv4", "192.0.2.1");
    put(ledger, "10:00:02", "k/1", "IPv6", "2001:db8::2");
    /* Two keepers at the same time: k/2 and m/1. */
    put(ledger, "11:00:00", "k/2", "IPv4", "192.0.2.1");
    put(ledger, "11:00:00", "m/1", "IPv4", "192.0.2.1");
    put(ledger, "11:00:00", "k/2", "IPv4", "192.0.2.1");
    put(ledger, "11:00:01", "m/1", "IPv4", "192.0.2.1");
    put(ledger, "11:00:02", "m/1", "IPv4", "192.0.2.3");
    fputs("{\"v\":1,\"event\":\"window-shut\",\"window\":\"n/9\"}\n", ledger);
    read_all(&observations, ledger);

    assert_int_equal(HASH_COUNT(observations.list), 3);
    assert_int_equal(observations.broken, 0);
    const struct observed *one = find(&observations, AF_INET, 1);
    assert_int_equal(one->validations, 6);
    assert_int_equal(one->windows, 3);
    assert_string_equal(one->first, "2026-01-01T10:00:00.000Z");
    assert_string_equal(one->last, "2026-01-01T11:00:01.000Z");
    assert_false(observed_is_new(&observations, one));
    assert_false(observed_is_new(&observations, find(&observations, AF_INET6, 2)));
    assert_true(observed_is_new(&observations, find(&observations, AF_INET, 3)));
    observations_deinit(&observations);
}

static void test_broken_lines(void **state)
{
    struct observations observations = {0};
    FILE *ledger = tmpfile();

    (void)state;
    put(ledger, "10:00:00", "k/1", "IPv4", "192.0.2.1");
    fputs("{\"v\":1,\"time\":\"2026-01-01T10:0\n", ledger); /* cut, and ended since */
    fputs("\n", ledger);
    fputs("[1]\n{}\nnull\nrubbish\n{\"v\":\"1\",\"event\":\"validation\"}\n", ledger);
    put(ledger, "10:00:00", "k/1", "IPv4", "192.0.2.300");
    put(ledger, "10:00:00", "k/1", "IPv6", "192.0.2.3");
    put(ledger, "10:00", "k/1", "IPv4", "192.0.2.3");
    put(ledger, "10:00:xx", "k/1", "IPv4", "192.0.2.3");
    for (int i = 0; i < 3 * LEDGER_LINE_MAX; i++)
        fputc('{', ledger);
    fputs("\n{\"v\":2,\"event\":\"validation\",\"how\":\"unknown\"}\n", ledger);
    put(ledger, "10:00:05", "k/1", "IPv4", "192.0.2.1");
    fputs("{\"v\":1,\"time\":\"2026-01", ledger);
    read_all(&observations, ledger);

    assert_int_equal(observations.lines, 15);
    assert_int_equal(observations.broken, 12);
    assert_int_equal(observations.newer, 1);
    assert_int_equal(HASH_COUNT(observations.list), 1);
    assert_int_equal(observations.list->validations, 2);
    observations_deinit(&observations);
}

/* As many addresses as a stranger may have. */
static void test_many(void **state)
{
    enum { EXTRA = 500 };
    struct observations observations = {0};
    FILE *ledger = tmpfile();
    char address[64];

    (void)state;
    for (unsigned int i = 0; i < OBSERVED_ADDRESSES_MAX + EXTRA; i++) {
        snprintf(address, sizeof(address), "2001:db8::%x:%x", i >> 16, i & 0xffff);
        put(ledger, "10:00:00", i < 1000 ? "k/1" : "k/2", "IPv6", address);
    }
    for (unsigned int i = 0; i < 5000; i++)
        put(ledger, "11:00:00", "k/3", "IPv4", "192.0.2.1");
    put(ledger, "12:00:00", "k/4", "IPv6", "2001:db8::0:7");
    read_all(&observations, ledger);
    assert_int_equal(HASH_COUNT(observations.list), OBSERVED_ADDRESSES_MAX);
    assert_int_equal(observations.unlisted, EXTRA + 5000);
    const struct observed *one = find(&observations, AF_INET6, 7);
    assert_int_equal(one->validations, 2);
    assert_int_equal(one->windows, 2);
    observations_sort(&observations);
    const struct observed *last = NULL;
    for (one = observations.list; one != NULL; one = one->hh.next) {
        if (last != NULL)
            assert_true(memcmp(last->key.address, one->key.address, 16) < 0);
        last = one;
    }
    observations_deinit(&observations);
}

/* Not inline: gcc takes what the stream's buffer is for the pointer to it. */
__attribute__((noinline)) static char *print(
    void (*function)(FILE *out, const struct observations *observations),
    const struct observations *observations)
{
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);

    function(stream, observations);
    assert_int_equal(fclose(stream), 0);
    return text;
}

static void fill(struct observations *observations)
{
    FILE *ledger = tmpfile();

    put(ledger, "10:00:00", "k/1", "IPv6", "2001:db8:1:2::3");
    put(ledger, "10:00:00", "k/1", "IPv4", "192.0.2.130");
    put(ledger, "11:00:00", "k/2", "IPv4", "192.0.2.9");
    put(ledger, "11:00:00", "k/2", "IPv4", "192.0.2.130");
    read_all(observations, ledger);
    observations_sort(observations);
}

static void test_text(void **state)
{
    struct observations observations = {0};

    (void)state;
    char *text = print(validators_print_text, &observations);
    assert_string_equal(text, "");
    free(text);
    fill(&observations);
    text = print(validators_print_text, &observations);
    assert_string_equal(
        text,
        "ADDRESS          NETWORK          FIRST SEEN                LAST SEEN                 "
        "VALIDATIONS  WINDOWS\n"
        "192.0.2.9        192.0.2.0/24     2026-01-01T11:00:00.000Z  2026-01-01T11:00:00.000Z  "
        "          1        1  new\n"
        "192.0.2.130      192.0.2.0/24     2026-01-01T10:00:00.000Z  2026-01-01T11:00:00.000Z  "
        "          2        2\n"
        "2001:db8:1:2::3  2001:db8:1::/48  2026-01-01T10:00:00.000Z  2026-01-01T10:00:00.000Z  "
        "          1        1\n");
    free(text);
    observations_deinit(&observations);
}

static void test_plain(void **state)
{
    struct observations observations = {0};

    (void)state;
    fill(&observations);
    char *text = print(validators_print_plain, &observations);
    assert_string_equal(
        text,
        "# wicket validators: " VALIDATORS_WARNING ".\n"
        "192.0.2.9 # 192.0.2.0/24, last seen 2026-01-01T11:00:00.000Z, validations 1, new\n"
        "192.0.2.130 # 192.0.2.0/24, last seen 2026-01-01T11:00:00.000Z, validations 2\n"
        "2001:db8:1:2::3 # 2001:db8:1::/48, last seen 2026-01-01T10:00:00.000Z, validations 1\n");
    free(text);
    observations_deinit(&observations);
}

static void test_nft(void **state)
{
    static const char head[] = "table inet acme_validators {\n"
                               "    set validators4 { type ipv4_addr; }\n"
                               "    set validators6 { type ipv6_addr; }\n"
                               "}\n"
                               "flush set inet acme_validators validators4\n"
                               "flush set inet acme_validators validators6\n";
    struct observations observations = {0};

    (void)state;
    char *text = print(validators_print_nft, &observations);
    assert_string_equal(strstr(text, "table"), head);
    free(text);
    fill(&observations);
    text = print(validators_print_nft, &observations);
    char *rest = strstr(text, head);
    assert_non_null(rest);
    assert_string_equal(rest + strlen(head), "add element inet acme_validators validators4 {\n"
                                             "    192.0.2.9,\n"
                                             "    192.0.2.130\n"
                                             "}\n"
                                             "add element inet acme_validators validators6 {\n"
                                             "    2001:db8:1:2::3\n"
                                             "}\n");
    free(text);
    observations_deinit(&observations);
}

static void test_json(void **state)
{
    struct observations observations = {0};
    struct error error;
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);

    (void)state;
    fill(&observations);
    assert_int_equal(validators_print_json(stream, &observations, "/var/\xff", &error), 0);
    assert_int_equal(fclose(stream), 0);
    json_t *document = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(document);
    assert_int_equal(json_integer_value(json_object_get(document, "version")), 1);
    assert_string_equal(json_string_value(json_object_get(document, "ledger")), "/var/\\xff");
    const json_t *list = json_object_get(document, "validators");
    assert_int_equal(json_array_size(list), 3);
    const json_t *first = json_array_get(list, 0);
    assert_string_equal(json_string_value(json_object_get(first, "address")), "192.0.2.9");
    assert_true(json_is_true(json_object_get(first, "new")));
    assert_int_equal(json_integer_value(json_object_get(first, "windows")), 1);
    json_decref(document);
    free(text);
    observations_deinit(&observations);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts), cmocka_unit_test(test_broken_lines),
        cmocka_unit_test(test_many),   cmocka_unit_test(test_text),
        cmocka_unit_test(test_plain),  cmocka_unit_test(test_nft),
        cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
