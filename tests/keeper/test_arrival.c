// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#include "keeper/arrival.h"

/* A host whose counters the tests turn. */
struct rig {
    struct arrival arrival;
    struct redirect_counters counters;
};

static void begin(struct rig *rig)
{
    *rig = (struct rig){0};
    for (size_t i = 0; i < REDIRECT_FAMILIES; i++)
        rig->counters.family[i] =
            (struct redirect_count){.redirected = 40, .arrived = 33, .missing = 3};
    arrival_begin(&rig->arrival, &rig->counters, false);
}

static enum arrival_verdict look(struct rig *rig)
{
    return arrival_look(&rig->arrival, &rig->counters);
}

/* Connections that get through. */
static void arrive(struct rig *rig, enum redirect_family family, uint64_t connections)
{
    rig->counters.family[family].redirected += connections;
    rig->counters.family[family].arrived += connections;
}

/* Connections that do not, from so many addresses that were not missing before. */
static void miss(struct rig *rig, enum redirect_family family, uint64_t connections,
                 uint64_t addresses)
{
    rig->counters.family[family].redirected += connections;
    rig->counters.family[family].missing += addresses;
}

static void assert_looks(struct rig *rig, int looks, enum arrival_verdict verdict)
{
    for (int i = 0; i < looks; i++)
        assert_int_equal(look(rig), verdict);
}

static void quiet_port_says_nothing(void **state)
{
    struct rig rig;

    (void)state;
    begin(&rig);
    assert_looks(&rig, 100, ARRIVAL_UNKNOWN);
}

static void two_dropped_addresses_are_found_at_the_second_look(void **state)
{
    (void)state;
    for (enum redirect_family family = 0; family < REDIRECT_FAMILIES; family++) {
        struct rig rig;

        begin(&rig);
        miss(&rig, family, 2, 2);
        assert_int_equal(look(&rig), ARRIVAL_UNKNOWN);
        assert_int_equal(look(&rig), ARRIVAL_BLOCKED);
        /* Late arrivals do not open a window that has been judged. */
        arrive(&rig, family, 1);
        assert_int_equal(look(&rig), ARRIVAL_BLOCKED);
    }
}

/* Who is banned without a window is in one, and knocks: three of them, again and again. */
static void the_banned_say_nothing_where_bans_hold(void **state)
{
    struct rig rig;

    (void)state;
    begin(&rig);
    arrival_begin(&rig.arrival, &rig.counters, true);
    miss(&rig, REDIRECT_IPV4, 1000, ARRIVAL_SOME_ADDRESSES - 1);
    assert_looks(&rig, 1000, ARRIVAL_UNKNOWN);
    miss(&rig, REDIRECT_IPV4, 1, ARRIVAL_MANY_ADDRESSES - ARRIVAL_SOME_ADDRESSES + 1);
    for (int i = 1; i < ARRIVAL_LOOKS; i++)
        assert_int_equal(look(&rig), ARRIVAL_UNKNOWN);
    assert_int_equal(look(&rig), ARRIVAL_BLOCKED);
}

/* A firewall that lets nobody in is found out by the few that there are; but an arrival says that
 * these are banned. */
static void some_are_waited_for_where_bans_hold(void **state)
{
    struct rig rig;

    (void)state;
    for (int arrives = 0; arrives < 2; arrives++) {
        begin(&rig);
        arrival_begin(&rig.arrival, &rig.counters, true);
        miss(&rig, REDIRECT_IPV4, 4, ARRIVAL_SOME_ADDRESSES);
        assert_looks(&rig, ARRIVAL_LOOKS_PATIENT - 1, ARRIVAL_UNKNOWN);
        if (arrives)
            arrive(&rig, REDIRECT_IPV4, 1);
        assert_looks(&rig, 100, arrives ? ARRIVAL_PROVED : ARRIVAL_BLOCKED);
    }
}

static void bans_hold_with_tproxy_and_admission(void **state)
{
    struct config config = {.redirect.method = CONFIG_METHOD_REDIRECT};

    (void)state;
    assert_false(arrival_bans_hold(&config));
    config.redirect.admit_count = 1;
    assert_true(arrival_bans_hold(&config));
    config.redirect.admit_count = 0;
    config.redirect.method = CONFIG_METHOD_TPROXY;
    assert_true(arrival_bans_hold(&config));
}

static void one_dropped_address_says_nothing(void **state)
{
    struct rig rig;

    (void)state;
    begin(&rig);
    miss(&rig, REDIRECT_IPV4, 1, 1);
    assert_looks(&rig, 100, ARRIVAL_UNKNOWN);
    miss(&rig, REDIRECT_IPV4, ARRIVAL_MANY_CONNECTIONS - 2, 0);
    assert_looks(&rig, 100, ARRIVAL_UNKNOWN);
    arrive(&rig, REDIRECT_IPV4, 1);
    assert_looks(&rig, 100, ARRIVAL_PROVED);
}

static void a_load_balancer_is_one_address(void **state)
{
    struct rig rig;

    (void)state;
    begin(&rig);
    miss(&rig, REDIRECT_IPV4, ARRIVAL_MANY_CONNECTIONS, 1);
    assert_int_equal(look(&rig), ARRIVAL_UNKNOWN);
    assert_int_equal(look(&rig), ARRIVAL_BLOCKED);
}

static void one_slow_arrival_is_proof(void **state)
{
    struct rig rig;

    (void)state;
    begin(&rig);
    miss(&rig, REDIRECT_IPV6, 2, 2);
    assert_int_equal(look(&rig), ARRIVAL_UNKNOWN);
    rig.counters.family[REDIRECT_IPV6].arrived++;
    assert_looks(&rig, 100, ARRIVAL_PROVED);
}

static void addresses_must_be_missing_twice_in_a_row(void **state)
{
    struct rig rig;

    (void)state;
    begin(&rig);
    for (int i = 0; i < 20; i++) {
        miss(&rig, REDIRECT_IPV4, 0, 2);
        assert_int_equal(look(&rig), ARRIVAL_UNKNOWN);
        rig.counters.family[REDIRECT_IPV4].missing = 0;
        assert_int_equal(look(&rig), ARRIVAL_UNKNOWN);
    }
}

/* One family's arrivals say nothing about the other's filter. */
static void families_are_judged_apart(void **state)
{
    (void)state;
    for (enum redirect_family family = 0; family < REDIRECT_FAMILIES; family++) {
        enum redirect_family other = family == REDIRECT_IPV4 ? REDIRECT_IPV6 : REDIRECT_IPV4;
        struct rig rig;

        begin(&rig);
        arrive(&rig, other, 50);
        assert_int_equal(look(&rig), ARRIVAL_PROVED);
        miss(&rig, family, 2, 2);
        arrive(&rig, other, 50);
        assert_int_equal(look(&rig), ARRIVAL_UNKNOWN); /* no longer: something is suspicious */
        arrive(&rig, other, 50);
        assert_int_equal(look(&rig), ARRIVAL_BLOCKED);
        assert_int_equal(rig.arrival.family[family].verdict, ARRIVAL_BLOCKED);
        assert_int_equal(rig.arrival.family[other].verdict, ARRIVAL_PROVED);
    }
}

static void after_proof_a_few_banned_strangers_are_not_enough(void **state)
{
    struct rig rig;

    (void)state;
    begin(&rig);
    arrive(&rig, REDIRECT_IPV4, 5);
    assert_int_equal(look(&rig), ARRIVAL_PROVED);
    miss(&rig, REDIRECT_IPV4, 1000, ARRIVAL_MANY_ADDRESSES - 1);
    assert_looks(&rig, 100, ARRIVAL_PROVED);
    miss(&rig, REDIRECT_IPV4, 1, 1);
    assert_looks(&rig, ARRIVAL_LOOKS_PROVED - 1, ARRIVAL_UNKNOWN);
    assert_int_equal(look(&rig), ARRIVAL_BLOCKED);
}

/* Who is missing while others arrive is banned, however many they are and however often they
 * knock. */
static void after_proof_any_arrival_starts_the_count_anew(void **state)
{
    struct rig rig;

    (void)state;
    begin(&rig);
    arrive(&rig, REDIRECT_IPV4, 1);
    assert_int_equal(look(&rig), ARRIVAL_PROVED);
    for (int i = 0; i < 20; i++) {
        miss(&rig, REDIRECT_IPV4, 100, 50);
        assert_looks(&rig, ARRIVAL_LOOKS_PROVED - 1, ARRIVAL_UNKNOWN);
        arrive(&rig, REDIRECT_IPV4, 1);
        assert_looks(&rig, 100, ARRIVAL_PROVED);
        /* They are forgotten after a while, and come again. */
        rig.counters.family[REDIRECT_IPV4].missing -= 40;
        assert_looks(&rig, 100, ARRIVAL_PROVED);
        miss(&rig, REDIRECT_IPV4, 100, 40);
        assert_looks(&rig, 100, ARRIVAL_PROVED);
    }
}

static void assert_described(const struct rig *rig, const char *expected)
{
    char text[ARRIVAL_TEXT];

    assert_string_equal(arrival_describe(&rig->arrival, &rig->counters, text), expected);
}

static void it_says_what_is_blocked(void **state)
{
    struct rig rig;

    (void)state;
    begin(&rig);
    miss(&rig, REDIRECT_IPV6, 12, 3);
    miss(&rig, REDIRECT_IPV4, 1, 1);
    assert_looks(&rig, 1, ARRIVAL_UNKNOWN);
    assert_looks(&rig, 1, ARRIVAL_BLOCKED);
    assert_described(&rig, "over IPv6 (12 connections from 3 addresses, none arrived)");

    begin(&rig);
    miss(&rig, REDIRECT_IPV4, 8, 1);
    assert_looks(&rig, 1, ARRIVAL_UNKNOWN);
    assert_looks(&rig, 1, ARRIVAL_BLOCKED);
    assert_described(&rig, "over IPv4 (8 connections from 1 address, none arrived)");

    begin(&rig);
    miss(&rig, REDIRECT_IPV4, 3, 2);
    miss(&rig, REDIRECT_IPV6, 2, 2);
    assert_looks(&rig, 1, ARRIVAL_UNKNOWN);
    assert_looks(&rig, 1, ARRIVAL_BLOCKED);
    assert_described(&rig, "over IPv4 and IPv6 (5 connections from 4 addresses, none arrived)");
}

static void the_longest_text_fits(void **state)
{
    struct rig rig = {
        .arrival = {.family = {{.verdict = ARRIVAL_BLOCKED}, {.verdict = ARRIVAL_BLOCKED}}}};

    (void)state;
    rig.counters.family[0] =
        (struct redirect_count){.redirected = UINT64_MAX, .missing = UINT64_MAX};
    assert_described(&rig, "over IPv4 and IPv6 (18446744073709551615 connections from "
                           "18446744073709551615 addresses, none arrived)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quiet_port_says_nothing),
        cmocka_unit_test(two_dropped_addresses_are_found_at_the_second_look),
        cmocka_unit_test(the_banned_say_nothing_where_bans_hold),
        cmocka_unit_test(some_are_waited_for_where_bans_hold),
        cmocka_unit_test(bans_hold_with_tproxy_and_admission),
        cmocka_unit_test(one_dropped_address_says_nothing),
        cmocka_unit_test(a_load_balancer_is_one_address),
        cmocka_unit_test(one_slow_arrival_is_proof),
        cmocka_unit_test(addresses_must_be_missing_twice_in_a_row),
        cmocka_unit_test(families_are_judged_apart),
        cmocka_unit_test(after_proof_a_few_banned_strangers_are_not_enough),
        cmocka_unit_test(after_proof_any_arrival_starts_the_count_anew),
        cmocka_unit_test(it_says_what_is_blocked),
        cmocka_unit_test(the_longest_text_fits),
    };

    return cmocka_run_group_tests_name("arrival", tests, NULL, NULL);
}
