// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#include "keeper/arrival.h"

static void quiet_port_says_nothing(void **state)
{
    struct arrival arrival;

    (void)state;
    arrival_begin(&arrival, 40, 700);
    for (int i = 0; i < 100; i++)
        assert_int_equal(arrival_look(&arrival, 40, 700), ARRIVAL_UNKNOWN);
}

static void dropped_connections_are_found_at_the_second_look(void **state)
{
    struct arrival arrival;

    (void)state;
    arrival_begin(&arrival, 40, 700);
    assert_int_equal(arrival_look(&arrival, 41, 700), ARRIVAL_UNKNOWN);
    assert_int_equal(arrival_look(&arrival, 41, 700), ARRIVAL_BLOCKED);
    /* Late arrivals do not open a window that has been judged. */
    assert_int_equal(arrival_look(&arrival, 41, 701), ARRIVAL_BLOCKED);
}

static void one_slow_arrival_is_proof(void **state)
{
    struct arrival arrival;

    (void)state;
    arrival_begin(&arrival, 0, 0);
    assert_int_equal(arrival_look(&arrival, 1, 0), ARRIVAL_UNKNOWN);
    assert_int_equal(arrival_look(&arrival, 1, 1), ARRIVAL_PROVED);
    assert_int_equal(arrival_look(&arrival, 1, 1), ARRIVAL_PROVED);
}

static void after_proof_a_banned_stranger_is_not_enough(void **state)
{
    struct arrival arrival;

    (void)state;
    arrival_begin(&arrival, 0, 0);
    assert_int_equal(arrival_look(&arrival, 5, 20), ARRIVAL_PROVED);
    for (uint64_t i = 1; i < ARRIVAL_MANY; i++)
        assert_int_equal(arrival_look(&arrival, 5 + i, 20), ARRIVAL_PROVED);
    assert_int_equal(arrival_look(&arrival, 5 + ARRIVAL_MANY, 20), ARRIVAL_BLOCKED);
}

static void after_proof_any_arrival_starts_the_count_anew(void **state)
{
    struct arrival arrival;

    (void)state;
    arrival_begin(&arrival, 0, 0);
    assert_int_equal(arrival_look(&arrival, 1, 1), ARRIVAL_PROVED);
    for (uint64_t i = 2; i < 10 * ARRIVAL_MANY; i += 2) {
        assert_int_equal(arrival_look(&arrival, i, i - 1), ARRIVAL_PROVED);
        assert_int_equal(arrival_look(&arrival, i + 1, i), ARRIVAL_PROVED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quiet_port_says_nothing),
        cmocka_unit_test(dropped_connections_are_found_at_the_second_look),
        cmocka_unit_test(one_slow_arrival_is_proof),
        cmocka_unit_test(after_proof_a_banned_stranger_is_not_enough),
        cmocka_unit_test(after_proof_any_arrival_starts_the_count_anew),
    };

    return cmocka_run_group_tests_name("arrival", tests, NULL, NULL);
}
