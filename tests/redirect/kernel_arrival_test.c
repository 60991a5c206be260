// SPDX-License-Identifier: GPL-2.0-or-later
/* What the table knows about connections that were redirected: which the host's own filter let
 * through, and whose are missing. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lab.h"
#include "redirect/ruleset.h"
#include "sample.h"
#include "spoof.h"
#include "unit.h"

#define HOST4 "10.77.1.1"
#define HOST6 "fd77:1::1"

static void must(int outcome, const struct error *error)
{
    if (outcome < 0)
        fail_msg("%d: %s", error->exit_code, error->text);
}

static struct redirect *install_armed(struct config *config)
{
    struct redirect *redirect = NULL;
    struct error error;

    sample_defaults(config);
    config->window.lease_ms = 60000;
    must(redirect_create(&redirect, config, false, &error), &error);
    must(redirect_install(redirect, &error), &error);
    must(redirect_arm(redirect, &error), &error);
    return redirect;
}

static struct redirect_counters count(struct redirect *redirect)
{
    struct redirect_counters counters;
    struct error error;

    must(redirect_read_counters(redirect, &counters, &error), &error);
    return counters;
}

static void assert_connections(struct redirect *redirect, enum redirect_family family,
                               uint64_t redirected, uint64_t arrived)
{
    struct redirect_counters counters;
    struct error error;

    must(redirect_read_connections(redirect, &counters, &error), &error);
    assert_int_equal(counters.family[family].redirected, redirected);
    assert_int_equal(counters.family[family].arrived, arrived);
    assert_int_equal(counters.family[family].missing, 0); /* whoever is: not looked for */
}

static void assert_count(struct redirect *redirect, enum redirect_family family,
                         uint64_t redirected, uint64_t arrived, uint64_t missing)
{
    struct redirect_count now = count(redirect).family[family];

    assert_int_equal(now.redirected, redirected);
    assert_int_equal(now.arrived, arrived);
    assert_int_equal(now.missing, missing);
    assert_connections(redirect, family, redirected, arrived);
}

/* Packets cross the veth in the kernel's own time. */
static void wait_for_redirected(struct redirect *redirect, enum redirect_family family,
                                uint64_t connections)
{
    int64_t begin_ns = lab_now_ns();

    while (count(redirect).family[family].redirected < connections)
        assert_true(lab_now_ns() - begin_ns < 2000000000);
}

/* Input rules as a host has them. */
static void filter(const char *rules)
{
    char command[512];

    snprintf(command, sizeof(command),
             "nft 'table inet firewall; flush table inet firewall; table inet firewall { chain "
             "input { type filter hook input priority filter; %s; }; }'",
             rules);
    assert_true(lab_shell(command));
}

/* The port that the host's filter sees. */
static unsigned int port_seen(void)
{
    return sample_method == CONFIG_METHOD_TPROXY ? LAB_PRODUCTION : LAB_RESPONDER;
}

static void filter_port(const char *before)
{
    char rule[128];

    snprintf(rule, sizeof(rule), "%s tcp dport %u drop", before, port_seen());
    filter(rule);
}

/* A connection to port 80 that the host's filter drops. */
static void knock(const struct lab *lab, struct redirect *redirect, const char *address)
{
    enum redirect_family family = strchr(address, ':') ? REDIRECT_IPV6 : REDIRECT_IPV4;
    uint64_t before = count(redirect).family[family].redirected;
    int client = lab_connect(lab, LAB_OUTSIDE, address, LAB_PRODUCTION, 0);

    wait_for_redirected(redirect, family, before + 1);
    lab_close(client);
}

static void test_connections_are_counted_by_family(void **state)
{
    const struct lab *lab = *state;
    struct config config;
    struct error error;
    struct redirect *redirect = install_armed(&config);

    for (size_t i = 0; i < 7; i++)
        assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, HOST4, 0), LAB_RESPONDER);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, HOST6, 0), LAB_RESPONDER);
    must(redirect_probe(redirect, 20000, 60000, &error), &error);
    assert_int_equal(lab_reaches(lab, LAB_HOST, "127.0.0.1", 20000), LAB_RESPONDER);
    assert_count(redirect, REDIRECT_IPV4, 7, 7, 0);
    assert_count(redirect, REDIRECT_IPV6, 3, 3, 0);
    assert_int_equal(count(redirect).probed, 1);
    assert_int_equal(count(redirect).guarded, 0);
    redirect_destroy(redirect);
}

static void test_a_long_transfer_is_one_arrival(void **state)
{
    const struct lab *lab = *state;
    struct config config;
    struct redirect *redirect = install_armed(&config);
    int client = lab_connect(lab, LAB_OUTSIDE, HOST4, LAB_PRODUCTION, 0);
    int server = lab_accept(lab->responder);

    for (size_t i = 0; i < 100; i++)
        assert_true(lab_passes_byte(client, server));
    assert_count(redirect, REDIRECT_IPV4, 1, 1, 0);
    lab_close(client);
    lab_close(server);
    redirect_destroy(redirect);
}

/* Whoever waits for a busy responder sends the first packet again. NAT takes the connection for
 * one; without it every packet counts, on either side. */
static void test_a_repeated_syn_is_no_riddle(void **state)
{
    const struct lab *lab = *state;
    struct config config;
    struct spoof spoof;
    struct redirect *redirect = install_armed(&config);

    spoof_init(&spoof, lab);
    uint64_t counted = sample_method == CONFIG_METHOD_TPROXY ? 5 : 1;
    for (size_t i = 0; i < 5; i++)
        spoof_send(&spoof, "198.51.100.7", HOST4, 4000);
    assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, HOST4, 0), LAB_RESPONDER);
    assert_count(redirect, REDIRECT_IPV4, counted + 1, counted + 1, 0);
    spoof_deinit(&spoof);
    redirect_destroy(redirect);
}

static void test_who_is_dropped_is_missing(void **state)
{
    const struct lab *lab = *state;
    struct config config;
    struct error error;
    struct redirect *redirect = install_armed(&config);

    filter("ip saddr 10.77.1.2 drop");
    knock(lab, redirect, HOST4);
    knock(lab, redirect, HOST4);
    assert_count(redirect, REDIRECT_IPV4, 2, 0, 1);
    filter("accept");
    assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, HOST4, 0), LAB_RESPONDER);
    assert_count(redirect, REDIRECT_IPV4, 3, 1, 0);
    filter_port("");
    knock(lab, redirect, HOST4);
    assert_count(redirect, REDIRECT_IPV4, 4, 1, 1);
    must(redirect_open(redirect, &error), &error);
    assert_count(redirect, REDIRECT_IPV4, 4, 1, 0);
    must(redirect_open(redirect, &error), &error);
    knock(lab, redirect, HOST4);
    assert_count(redirect, REDIRECT_IPV4, 5, 1, 1);
    redirect_destroy(redirect);
}

static void test_families_are_told_apart(void **state)
{
    const struct lab *lab = *state;
    struct config config;
    struct redirect *redirect = install_armed(&config);

    filter_port("meta nfproto ipv6");
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, HOST4, 0), LAB_RESPONDER);
    knock(lab, redirect, HOST6);
    assert_count(redirect, REDIRECT_IPV4, 3, 3, 0);
    assert_count(redirect, REDIRECT_IPV6, 1, 0, 1);
    redirect_destroy(redirect);
}

/* Made-up sources that the route lookup drops, for which no filter is to blame. */
static void test_martians_are_not_redirected(void **state)
{
    static const char *const martians[] = {
        HOST4, "10.77.1.3", "10.77.2.1", "127.0.0.9", "224.0.0.5", "10.77.1.255", "255.255.255.255",
    };
    const struct lab *lab = *state;
    struct config config;
    struct spoof spoof;
    struct redirect *redirect = install_armed(&config);

    spoof_init(&spoof, lab);
    for (size_t i = 0; i < sizeof(martians) / sizeof(martians[0]); i++)
        spoof_send(&spoof, martians[i], HOST4, 4000);
    spoof_send(&spoof, HOST6, HOST6, 4000);
    spoof_send(&spoof, "fd77:2::1", HOST6, 4000);
    assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, HOST4, 0), LAB_RESPONDER);
    assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, HOST6, 0), LAB_RESPONDER);
    assert_count(redirect, REDIRECT_IPV4, 1, 1, 0);
    assert_count(redirect, REDIRECT_IPV6, 1, 1, 0);
    /* The same from addresses that may be real: for IPv6, to which there is a way back. */
    spoof_send(&spoof, "198.51.100.7", HOST4, 4000);
    spoof_send(&spoof, "fd77:1::7", HOST6, 4000);
    wait_for_redirected(redirect, REDIRECT_IPV4, 2);
    wait_for_redirected(redirect, REDIRECT_IPV6, 2);
    assert_count(redirect, REDIRECT_IPV4, 2, 2, 0);
    assert_count(redirect, REDIRECT_IPV6, 2, 2, 0);
    spoof_deinit(&spoof);
    redirect_destroy(redirect);
}

#define READS 1000

static double read_us(struct redirect *redirect)
{
    int64_t begin_ns = lab_now_ns();

    for (int i = 0; i < READS; i++)
        count(redirect);
    return (double)(lab_now_ns() - begin_ns) / READS / 1000;
}

#define FLOOD 65000

/* From so many addresses, one packet each. */
static void flood(const struct spoof *spoof, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char source[32];

        snprintf(source, sizeof(source), "198.18.%u.%u", i >> 8, i & 255);
        spoof_send(spoof, source, HOST4, 4000);
    }
}

/* Those who arrive take room in the set until the kernel's next sweep, a second later; then who is
 * missing is noted again. */
static void test_arrivals_leave_room(void **state)
{
    enum { ARRIVALS = 2 * RULESET_MISSING_MAX };
    const struct lab *lab = *state;
    struct config config;
    struct spoof spoof;
    struct redirect *redirect = install_armed(&config);

    spoof_init(&spoof, lab);
    flood(&spoof, ARRIVALS);
    wait_for_redirected(redirect, REDIRECT_IPV4, ARRIVALS);
    assert_count(redirect, REDIRECT_IPV4, ARRIVALS, ARRIVALS, 0);
    filter_port("");
    int64_t begin_ns = lab_now_ns();
    while (count(redirect).family[REDIRECT_IPV4].missing == 0) {
        knock(lab, redirect, HOST4);
        assert_true(lab_now_ns() - begin_ns < 10000000000);
    }
    print_message("noted after %.0f ms\n", (double)(lab_now_ns() - begin_ns) / 1e6);
    spoof_deinit(&spoof);
    redirect_destroy(redirect);
}

/* A flood from made-up sources fills the set, and nothing else: who comes then is redirected. */
static void test_flood(void **state)
{
    const struct lab *lab = *state;
    struct config config;
    struct spoof spoof;
    struct redirect *redirect = install_armed(&config);
    double quiet_us = read_us(redirect);

    filter("ip saddr 198.18.0.0/15 drop");
    spoof_init(&spoof, lab);
    flood(&spoof, FLOOD);
    wait_for_redirected(redirect, REDIRECT_IPV4, FLOOD);
    assert_count(redirect, REDIRECT_IPV4, FLOOD, 0, RULESET_MISSING_MAX);
    print_message("reading takes %.1f us, %.1f us with a full set\n", quiet_us, read_us(redirect));
    assert_true(quiet_us < 5000);
    assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, HOST4, 0), LAB_RESPONDER);
    assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, HOST6, 0), LAB_RESPONDER);
    assert_count(redirect, REDIRECT_IPV4, FLOOD + 1, 1, RULESET_MISSING_MAX);
    spoof_deinit(&spoof);
    redirect_destroy(redirect);
}

#define LAB_TEST(test) cmocka_unit_test_setup_teardown(test, lab_setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_connections_are_counted_by_family),
        LAB_TEST(test_a_long_transfer_is_one_arrival),
        LAB_TEST(test_a_repeated_syn_is_no_riddle),
        LAB_TEST(test_who_is_dropped_is_missing),
        LAB_TEST(test_families_are_told_apart),
        LAB_TEST(test_martians_are_not_redirected),
        LAB_TEST(test_arrivals_leave_room),
        LAB_TEST(test_flood),
    };

    int failed = cmocka_run_group_tests_name("redirect", tests, NULL, NULL);

    sample_method = CONFIG_METHOD_TPROXY;
    return failed + cmocka_run_group_tests_name("tproxy", tests, NULL, NULL);
}
