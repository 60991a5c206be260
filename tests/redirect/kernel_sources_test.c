// SPDX-License-Identifier: GPL-2.0-or-later
/* Thousands of sources of both families in a real kernel: who is in them is redirected, and nobody
 * else. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab.h"
#include "sample.h"
#include "unit.h"

static void must(int outcome, const struct error *error)
{
    if (outcome < 0)
        fail_msg("%d: %s", error->exit_code, error->text);
}

/* Half of them IPv4, no two touching; the lab's own come last, or not at all. */
static void sample_sources(struct config *config, size_t count, bool ours)
{
    struct config_network *sources = calloc(count + 2, sizeof(*sources));

    assert_non_null(sources);
    for (size_t i = 0; i < count; i++) {
        uint32_t number = (uint32_t)(i / 2);

        if (i % 2 == 0) {
            sources[i] = (struct config_network){.family = AF_INET, .prefix = 31};
            sources[i].address.v4.s_addr = htonl(UINT32_C(0xac100000) + number * 4);
        } else {
            sources[i] = (struct config_network){.family = AF_INET6, .prefix = 64};
            inet_pton(AF_INET6, "2001:db8::", &sources[i].address.v6);
            sources[i].address.v6.s6_addr[5] = (uint8_t)(number >> 15);
            sources[i].address.v6.s6_addr[6] = (uint8_t)(number >> 7);
            sources[i].address.v6.s6_addr[7] = (uint8_t)(number << 1);
        }
    }
    if (ours) {
        sources[count] = (struct config_network){.family = AF_INET, .prefix = 32};
        inet_pton(AF_INET, "10.77.1.2", &sources[count].address);
        sources[count + 1] = (struct config_network){.family = AF_INET6, .prefix = 128};
        inet_pton(AF_INET6, "fd77:1::2", &sources[count + 1].address);
    }
    config->redirect.sources = sources;
    config->redirect.source_count = count + (ours ? 2 : 0);
}

static void assert_reaches(const struct lab *lab, uint16_t port)
{
    assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, "10.77.1.1", 0), port);
    assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, "fd77:1::1", 0), port);
}

static void try_count(const struct lab *lab, size_t count)
{
    struct redirect *redirect = NULL;
    struct config config, other;
    struct error error;

    sample_defaults(&config);
    sample_defaults(&other);
    sample_sources(&config, count, true);
    sample_sources(&other, count, false);
    must(redirect_create(&redirect, &config, false, &error), &error);
    int64_t begin_ns = lab_now_ns();
    must(redirect_install(redirect, &error), &error);
    int64_t installed_ns = lab_now_ns();
    must(redirect_arm(redirect, &error), &error);
    assert_reaches(lab, LAB_RESPONDER);
    int64_t replace_ns = lab_now_ns();
    must(redirect_replace(redirect, &other, 3000, NULL, 0, &error), &error);
    int64_t replaced_ns = lab_now_ns();
    assert_reaches(lab, LAB_PRODUCTION);
    must(redirect_replace(redirect, &config, 3000, NULL, 0, &error), &error);
    assert_reaches(lab, LAB_RESPONDER);
    print_message("%zu sources: installed in %lld ms, replaced in %lld ms\n", count,
                  (long long)(installed_ns - begin_ns) / 1000000,
                  (long long)(replaced_ns - replace_ns) / 1000000);
    redirect_destroy(redirect);
    free(config.redirect.sources);
    free(other.redirect.sources);
}

static void test_twenty_thousand(void **state)
{
    try_count(*state, 20000);
}

/* As many as a file of them may have lines. */
static void test_most(void **state)
{
    try_count(*state, 100000 - 2);
}

/* A file that has none: nobody, and not everyone. */
static void test_none(void **state)
{
    struct redirect *redirect = NULL;
    struct config config;
    struct error error;

    sample_defaults(&config);
    snprintf(config.redirect.sources_file, sizeof(config.redirect.sources_file), "/etc/sources");
    must(redirect_create(&redirect, &config, false, &error), &error);
    must(redirect_install(redirect, &error), &error);
    must(redirect_arm(redirect, &error), &error);
    assert_reaches(*state, LAB_PRODUCTION);
    struct redirect_counters counters;
    must(redirect_read_counters(redirect, &counters, &error), &error);
    must(redirect_read_connections(redirect, &counters, &error), &error);
    must(redirect_open(redirect, &error), &error);
    redirect_destroy(redirect);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_twenty_thousand),
        cmocka_unit_test(test_most),
    };

    return cmocka_run_group_tests(tests, lab_setup, lab_teardown);
}
