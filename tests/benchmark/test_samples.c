// SPDX-License-Identifier: GPL-2.0-or-later
#include "samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void percentiles_are_exact(void **state)
{
    (void)state;
    struct samples samples = {0};
    /* 1 to 10000, in an order that is not theirs: 7 has no divisor in common with 10000. */
    for (uint64_t i = 0; i < 10000; i++) {
        assert_true(samples_add(&samples, i * 7 % 10000 + 1));
    }
    samples_sort(&samples);
    assert_int_equal(samples_percentile(&samples, 0), 1);
    assert_int_equal(samples_percentile(&samples, 0.5), 5000);
    assert_int_equal(samples_percentile(&samples, 0.99), 9900);
    assert_int_equal(samples_percentile(&samples, 0.999), 9990);
    assert_int_equal(samples_percentile(&samples, 1), 10000);
    samples_deinit(&samples);
}

static void few_samples(void **state)
{
    (void)state;
    struct samples samples = {0};
    samples_sort(&samples);
    assert_int_equal(samples_percentile(&samples, 0.5), 0);
    assert_true(samples_add(&samples, 42));
    samples_sort(&samples);
    assert_int_equal(samples_percentile(&samples, 0), 42);
    assert_int_equal(samples_percentile(&samples, 0.999), 42);
    samples_deinit(&samples);
    samples_deinit(&samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_are_exact),
        cmocka_unit_test(few_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
