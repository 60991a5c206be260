// SPDX-License-Identifier: GPL-2.0-or-later
/* The table in a real kernel, with real TCP: who is redirected, for how long, and who is not. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"
#include "sample.h"
#include "unit.h"

static const char *const outer[] = {"10.77.1.1", "fd77:1::1"}; /* the host's, as seen outside */
static const char *const own[] = {"127.0.0.1", "::1", "10.77.1.1", "fd77:1::1"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void must(int outcome, const struct error *error)
{
    if (outcome < 0)
        fail_msg("%d: %s", error->exit_code, error->text);
}

static struct redirect *install(const struct config *config)
{
    struct redirect *redirect = NULL;
    struct error error;

    must(redirect_create(&redirect, config, false, &error), &error);
    must(redirect_install(redirect, &error), &error);
    return redirect;
}

static void arm(struct redirect *redirect)
{
    struct error error;

    must(redirect_arm(redirect, &error), &error);
}

static struct redirect_counters count(struct redirect *redirect)
{
    struct redirect_counters counters;
    struct error error;

    must(redirect_read_counters(redirect, &counters, &error), &error);
    return counters;
}

static uint64_t redirected(struct redirect *redirect)
{
    struct redirect_counters counters = count(redirect);

    return counters.family[REDIRECT_IPV4].redirected + counters.family[REDIRECT_IPV6].redirected;
}

static void assert_nobody(struct redirect *redirect, enum redirect_family family)
{
    struct redirect_count now = count(redirect).family[family];

    assert_int_equal(now.redirected + now.arrived + now.missing, 0);
}

static void test_window(void **state)
{
    const struct lab *lab = *state;
    struct config config;
    struct error error;

    sample_defaults(&config);
    config.window.lease_ms = 60000;
    struct redirect *redirect = install(&config);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT(outer); i++)
            assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, outer[i], 0), LAB_PRODUCTION);
        arm(redirect);
        for (size_t i = 0; i < COUNT(outer); i++)
            assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, outer[i], 0), LAB_RESPONDER);
        arm(redirect);
        for (size_t i = 0; i < COUNT(outer); i++)
            assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, outer[i], 0), LAB_RESPONDER);
        must(redirect_shut(redirect, &error), &error);
        must(redirect_shut(redirect, &error), &error);
    }
    for (size_t i = 0; i < COUNT(outer); i++)
        assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, outer[i], 0), LAB_PRODUCTION);
    redirect_destroy(redirect);
    assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, outer[0], 0), LAB_PRODUCTION);
}

/* Something that was set between two moments and is to end by itself `length_ms` later. */
struct term {
    int64_t before_ns, after_ns;
    int64_t length_ms;
};

/* Connects again and again until production is reached. Nobody talks to the kernel about the table
 * meanwhile. On a busy machine a connection may take its time, hence the two bounds: one that was
 * made before the end belongs to the responder, one begun after it to production. */
static void assert_ends(const struct lab *lab, enum lab_place from, const char *address,
                        uint16_t source_port, struct term term)
{
    static const int64_t ms = 1000000;

    for (;;) {
        int64_t begin_ns = lab_now_ns();
        uint16_t port = lab_reaches(lab, from, address, source_port);

        if (port == LAB_PRODUCTION) {
            assert_true(lab_now_ns() >= term.before_ns + (term.length_ms - 10) * ms);
            return;
        }
        assert_int_equal(port, LAB_RESPONDER);
        assert_true(begin_ns <= term.after_ns + (term.length_ms + 20) * ms);
    }
}

static struct term arm_for(struct redirect *redirect, const struct config *config)
{
    struct term term = {.before_ns = lab_now_ns(), .length_ms = (int64_t)config->window.lease_ms};

    arm(redirect);
    term.after_ns = lab_now_ns();
    return term;
}

static void test_lease_expires(void **state)
{
    const struct lab *lab = *state;
    struct config config;

    sample_defaults(&config);
    config.window.lease_ms = 300;
    struct redirect *redirect = install(&config);
    for (int round = 0; round < 3; round++) /* the second revives what has expired */
        assert_ends(lab, LAB_OUTSIDE, outer[0], 0, arm_for(redirect, &config));
    redirect_destroy(redirect);
}

/* Arming again counts from then on, however old the lease is. */
static void test_arming_renews(void **state)
{
    const struct lab *lab = *state;
    struct config config;
    struct term term;
    int64_t begin_ns = lab_now_ns();

    sample_defaults(&config);
    config.window.lease_ms = 500;
    struct redirect *redirect = install(&config);
    do {
        term = arm_for(redirect, &config);
        for (size_t i = 0; i < 20; i++)
            assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, outer[i % 2], 0), LAB_RESPONDER);
    } while (term.after_ns - begin_ns < 1000000000);
    assert_ends(lab, LAB_OUTSIDE, outer[0], 0, term);
    redirect_destroy(redirect);
}

static void test_flush_by_another(void **state)
{
    const struct lab *lab = *state;
    struct config config;

    sample_defaults(&config);
    config.window.lease_ms = 60000;
    struct redirect *redirect = install(&config);
    arm(redirect);
    assert_true(lab_shell("nft flush ruleset"));
    assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, outer[0], 0), LAB_RESPONDER);
    redirect_destroy(redirect);
}

/* Conntrack is idle until the table is there: it sees the connections in mid-stream, as new. */
static void test_older_connections_go_on(void **state)
{
    const struct lab *lab = *state;
    struct config config;
    int clients[COUNT(outer) + COUNT(own)], servers[COUNT(outer) + COUNT(own)];
    size_t connections = 0;

    for (int local = 0; local < 2; local++) {
        connections = 0;
        for (size_t i = 0; i < COUNT(outer) + COUNT(own); i++) {
            bool from_outside = i < COUNT(outer);

            clients[i] =
                lab_connect(lab, from_outside ? LAB_OUTSIDE : LAB_HOST,
                            from_outside ? outer[i] : own[i - COUNT(outer)], LAB_PRODUCTION, 0);
            servers[i] = lab_accept(lab->production);
            assert_true(lab_passes_byte(clients[i], servers[i]));
            connections++;
        }
        sample_defaults(&config);
        config.window.lease_ms = 60000;
        config.redirect.local = local;
        struct redirect *redirect = install(&config);
        arm(redirect);
        for (size_t i = 0; i < connections; i++) {
            assert_true(lab_passes_byte(clients[i], servers[i]));
            assert_true(lab_passes_byte(servers[i], clients[i]));
        }
        assert_int_equal(redirected(redirect) + count(redirect).probed, 0);
        struct error error;
        must(redirect_shut(redirect, &error), &error);
        for (size_t i = 0; i < connections; i++) {
            assert_true(lab_passes_byte(clients[i], servers[i]));
            lab_close(clients[i]);
            lab_close(servers[i]);
        }
        redirect_destroy(redirect);
    }
}

/* A connection that was redirected goes on when the lease is over. */
static void test_redirected_connections_go_on(void **state)
{
    const struct lab *lab = *state;
    struct config config;
    struct error error;

    sample_defaults(&config);
    config.window.lease_ms = 60000;
    struct redirect *redirect = install(&config);
    arm(redirect);
    int client = lab_connect(lab, LAB_OUTSIDE, outer[0], LAB_PRODUCTION, 0);
    int server = lab_accept(lab->responder);
    must(redirect_shut(redirect, &error), &error);
    assert_true(lab_passes_byte(client, server));
    assert_true(lab_passes_byte(server, client));
    lab_close(client);
    lab_close(server);
    redirect_destroy(redirect);
}

static void test_transit_is_untouched(void **state)
{
    const struct lab *lab = *state;
    struct config config;

    sample_defaults(&config);
    config.window.lease_ms = 60000;
    struct redirect *redirect = install(&config);
    arm(redirect);
    assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, "10.77.2.2", 0), 0);
    assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, "fd77:2::2", 0), 0);
    assert_int_equal(redirected(redirect), 0);
    redirect_destroy(redirect);
}

static void test_own_connections(void **state)
{
    const struct lab *lab = *state;
    struct config config;
    struct error error;

    sample_defaults(&config);
    config.window.lease_ms = 60000;
    struct redirect *redirect = install(&config);
    arm(redirect);
    for (size_t i = 0; i < COUNT(own); i++) {
        uint16_t probe = (uint16_t)(20000 + i);

        assert_int_equal(lab_reaches(lab, LAB_HOST, own[i], 0), LAB_PRODUCTION);
        must(redirect_probe(redirect, probe, 60000, &error), &error);
        assert_int_equal(lab_reaches(lab, LAB_HOST, own[i], probe), LAB_RESPONDER);
        assert_int_equal(count(redirect).probed, i + 1);
        assert_int_equal(lab_reaches(lab, LAB_HOST, own[i], (uint16_t)(probe + 1000)),
                         LAB_PRODUCTION);
    }
    /* A probe's port is nothing special outside, nor without a lease. */
    must(redirect_shut(redirect, &error), &error);
    assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, outer[0], 20000), LAB_PRODUCTION);
    assert_int_equal(lab_reaches(lab, LAB_HOST, own[2], 20001), LAB_PRODUCTION);
    redirect_destroy(redirect);
}

static void test_probe_ends(void **state)
{
    const struct lab *lab = *state;
    struct config config;
    struct error error;
    struct term term = {.length_ms = 200};

    sample_defaults(&config);
    config.window.lease_ms = 60000;
    struct redirect *redirect = install(&config);
    arm(redirect);
    for (int round = 0; round < 2; round++) {
        term.before_ns = lab_now_ns();
        must(redirect_probe(redirect, 20000, 200, &error), &error);
        term.after_ns = lab_now_ns();
        assert_ends(lab, LAB_HOST, own[0], 20000, term);
    }
    redirect_destroy(redirect);
}

static void test_local(void **state)
{
    const struct lab *lab = *state;
    struct config config;

    sample_defaults(&config);
    config.window.lease_ms = 60000;
    config.redirect.local = true;
    struct redirect *redirect = install(&config);
    for (size_t i = 0; i < COUNT(own); i++)
        assert_int_equal(lab_reaches(lab, LAB_HOST, own[i], 0), LAB_PRODUCTION);
    arm(redirect);
    for (size_t i = 0; i < COUNT(own); i++)
        assert_int_equal(lab_reaches(lab, LAB_HOST, own[i], 0), LAB_RESPONDER);
    assert_int_equal(lab_reaches(lab, LAB_HOST, "10.77.2.2", 0), 0);
    assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, outer[0], 0), LAB_RESPONDER);
    redirect_destroy(redirect);
}

struct selection {
    struct sample sample;
    uint16_t v4, v6, other; /* what 10.77.1.1, fd77:1::1 and 10.77.1.3 lead to from outside */
};

static void test_selections(void **state)
{
    static const struct selection selections[] = {
        {{.interfaces = "eth7 out"}, LAB_RESPONDER, LAB_RESPONDER, LAB_RESPONDER},
        {{.interfaces = "in"}, LAB_PRODUCTION, LAB_PRODUCTION, LAB_PRODUCTION},
        {{.sources = "10.77.1.0/30"}, LAB_RESPONDER, LAB_PRODUCTION, LAB_RESPONDER},
        {{.sources = "10.77.1.3 10.77.1.1"}, LAB_PRODUCTION, LAB_PRODUCTION, LAB_PRODUCTION},
        {{.sources = "fd77:1::/64"}, LAB_PRODUCTION, LAB_RESPONDER, LAB_PRODUCTION},
        {{.sources = "0.0.0.0/0 ::/0"}, LAB_RESPONDER, LAB_RESPONDER, LAB_RESPONDER},
        {{.sources = "10.77.1.2", .many = 4000}, LAB_RESPONDER, LAB_PRODUCTION, LAB_RESPONDER},
        {{.addresses = "10.77.1.3"}, LAB_PRODUCTION, LAB_PRODUCTION, LAB_RESPONDER},
        {{.addresses = "10.77.1.1 fd77:1::1"}, LAB_RESPONDER, LAB_RESPONDER, LAB_PRODUCTION},
        {{.addresses = "10.77.1.1 fd77:1::1", .sources = "fd00::/8"},
         LAB_PRODUCTION,
         LAB_RESPONDER,
         LAB_PRODUCTION},
    };
    const struct lab *lab = *state;

    for (size_t i = 0; i < COUNT(selections); i++) {
        struct config config;

        sample_config(&config, &selections[i].sample);
        config.window.lease_ms = 60000;
        struct redirect *redirect = install(&config);
        arm(redirect);
        assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, outer[0], 0), selections[i].v4);
        assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, outer[1], 0), selections[i].v6);
        assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, "10.77.1.3", 0), selections[i].other);
        redirect_destroy(redirect);
        sample_free(&config);
    }
}

/* Connects straight to the responder's port and waits until the guard has counted a packet of it.
 */
static void assert_guarded(const struct lab *lab, struct redirect *redirect, const char *address)
{
    uint64_t before = count(redirect).guarded;
    int64_t begin_ns = lab_now_ns();
    int client = lab_connect(lab, LAB_OUTSIDE, address, LAB_RESPONDER, 0);
    struct pollfd items[] = {{.fd = client, .events = POLLOUT},
                             {.fd = lab->responder, .events = POLLIN}};

    while (count(redirect).guarded == before)
        assert_true(lab_now_ns() - begin_ns < 2000000000);
    assert_int_equal(poll(items, 2, 0), 0);
    lab_close(client);
}

static void test_guard(void **state)
{
    const struct lab *lab = *state;
    struct config config;

    sample_defaults(&config);
    config.window.lease_ms = 60000;
    struct redirect *redirect = install(&config);
    for (int armed = 0; armed < 2; armed++) {
        if (armed)
            arm(redirect);
        for (size_t i = 0; i < COUNT(outer); i++)
            assert_guarded(lab, redirect, outer[i]);
        lab_close(lab_connect(lab, LAB_HOST, own[0], LAB_RESPONDER, 0));
        lab_close(lab_accept(lab->responder)); /* from the host itself it is reached */
    }
    assert_int_equal(redirected(redirect), 0);
    assert_nobody(redirect, REDIRECT_IPV4);
    assert_nobody(redirect, REDIRECT_IPV6);
    redirect_destroy(redirect);
}

/* Untracked packets have no ct status: they must be dropped as well. */
static void test_guard_under_notrack(void **state)
{
    const struct lab *lab = *state;
    struct config config;

    sample_defaults(&config);
    config.window.lease_ms = 60000;
    assert_true(lab_shell("nft 'table inet rawish { chain early { type filter hook prerouting "
                          "priority raw; tcp dport 8402 notrack; }; chain early_out { type filter "
                          "hook output priority raw; tcp sport 8402 notrack; }; }'"));
    struct redirect *redirect = install(&config);
    for (int armed = 0; armed < 2; armed++) {
        if (armed)
            arm(redirect);
        for (size_t i = 0; i < COUNT(outer); i++)
            assert_guarded(lab, redirect, outer[i]);
    }
    redirect_destroy(redirect);
}

/* A DNAT at -100, as Docker's, registered before and after. */
static void test_competing_dnat(void **state)
{
    static const char *const rival =
        "nft 'table ip rival { chain pre { type nat hook prerouting priority -100; tcp dport 80 "
        "dnat to 10.77.2.2; }; }'";
    const struct lab *lab = *state;
    struct config config;

    sample_defaults(&config);
    config.window.lease_ms = 60000;
    for (int after = 0; after < 2; after++) {
        if (!after)
            assert_true(lab_shell(rival));
        struct redirect *redirect = install(&config);
        if (after)
            assert_true(lab_shell(rival));
        assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, outer[0], 0), 0);
        arm(redirect);
        assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, outer[0], 0), LAB_RESPONDER);
        assert_true(lab_shell("nft delete table ip rival"));
        redirect_destroy(redirect);
    }
}

#define LAB_TEST(test) cmocka_unit_test_setup_teardown(test, lab_setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_window),
        LAB_TEST(test_lease_expires),
        LAB_TEST(test_arming_renews),
        LAB_TEST(test_flush_by_another),
        LAB_TEST(test_older_connections_go_on),
        LAB_TEST(test_redirected_connections_go_on),
        LAB_TEST(test_transit_is_untouched),
        LAB_TEST(test_own_connections),
        LAB_TEST(test_probe_ends),
        LAB_TEST(test_local),
        LAB_TEST(test_selections),
        LAB_TEST(test_guard),
        LAB_TEST(test_guard_under_notrack),
        LAB_TEST(test_competing_dnat),
    };

    int failed = cmocka_run_group_tests_name("redirect", tests, NULL, NULL);

    sample_method = CONFIG_METHOD_TPROXY;
    return failed + cmocka_run_group_tests_name("tproxy", tests, NULL, NULL);
}
