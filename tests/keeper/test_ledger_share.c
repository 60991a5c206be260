// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#include "keeper/ledger.h"

static unsigned int told(struct ledger *ledger, enum ledger_share share, unsigned int asked,
                         uint64_t now_ms)
{
    unsigned int count = 0;

    for (unsigned int i = 0; i < asked; i++)
        count += ledger_may_tell(ledger, share, now_ms);
    return count;
}

/* A member who asks without end leaves root's and the validators' lines their room. */
static void a_flood_takes_its_own_share(void **state)
{
    struct ledger ledger = {.wanted = true};

    (void)state;
    assert_int_equal(told(&ledger, ledger_share_of(1000), 100000, 5000), LEDGER_LINES_A_SECOND);
    assert_int_equal(ledger.left_out, 100000 - LEDGER_LINES_A_SECOND);
    assert_int_equal(told(&ledger, LEDGER_OF_VALIDATORS, 8, 5500), 8);
    assert_int_equal(told(&ledger, ledger_share_of(0), 8, 5999), 8);
    assert_int_equal(told(&ledger, ledger_share_of(1001), 1, 5999), 0);
    assert_int_equal(told(&ledger, LEDGER_OF_VALIDATORS, 1000, 5999), LEDGER_LINES_A_SECOND - 8);
    assert_int_equal(told(&ledger, ledger_share_of(1001), 1, 6000), 1);
    assert_int_equal(ledger_lost(&ledger), ledger.left_out_total);
}

static void without_a_ledger_nothing_is_left_out(void **state)
{
    struct ledger ledger = {0};

    (void)state;
    assert_int_equal(told(&ledger, LEDGER_OF_ROOT, 1000, 5000), 0);
    assert_int_equal(ledger_lost(&ledger), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flood_takes_its_own_share),
        cmocka_unit_test(without_a_ledger_nothing_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
