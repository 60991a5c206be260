// SPDX-License-Identifier: GPL-2.0-or-later
// The heap against a plain array that is searched from end to end.
#include "keeper/deadlines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dice.h"

#define ITEMS  300
#define ROUNDS 200000

static void empty_heap_has_no_first(void **state)
{
    struct deadlines heap = {0};

    (void)state;
    assert_null(deadlines_first(&heap));
    deadlines_deinit(&heap);
    deadlines_deinit(&heap);
    assert_null(deadlines_first(&heap));
}

static void one_in_no_heap_is_left_alone(void **state)
{
    struct deadlines heap = {0};
    struct deadline in = {.at_ms = 5};
    struct deadline out = {.at_ms = 1};

    (void)state;
    assert_true(deadlines_add(&heap, &in));
    deadlines_remove(&heap, &out);
    deadlines_change(&heap, &out, 2);
    assert_ptr_equal(deadlines_first(&heap), &in);
    deadlines_remove(&heap, &in);
    assert_int_equal(in.position, 0);
    deadlines_remove(&heap, &in);
    assert_null(deadlines_first(&heap));
    deadlines_deinit(&heap);
}

/* Many are equal: every window has tokens that were registered in the same millisecond. */
static void comes_out_in_order(void **state)
{
    struct dice *dice = *state;
    struct deadlines heap = {0};
    struct deadline items[ITEMS] = {0};
    uint64_t last_ms = 0;

    for (size_t i = 0; i < ITEMS; i++) {
        items[i].at_ms = dice_once_in(dice, 10) ? UINT64_MAX : dice_roll(dice, ITEMS / 3);
        assert_true(deadlines_add(&heap, &items[i]));
    }
    for (size_t i = 0; i < ITEMS; i++) {
        struct deadline *first = deadlines_first(&heap);
        assert_non_null(first);
        assert_true(first->at_ms >= last_ms);
        last_ms = first->at_ms;
        deadlines_remove(&heap, first);
        assert_int_equal(first->position, 0);
    }
    assert_null(deadlines_first(&heap));
    deadlines_deinit(&heap);
}

static void check_against(const struct deadlines *heap, const struct deadline *items,
                          const bool *present)
{
    uint64_t least_ms = UINT64_MAX;
    size_t count = 0;

    for (size_t i = 0; i < ITEMS; i++) {
        if (!present[i]) {
            assert_int_equal(items[i].position, 0);
            continue;
        }
        count++;
        if (items[i].at_ms < least_ms)
            least_ms = items[i].at_ms;
        assert_in_range(items[i].position, 1, heap->count);
        assert_ptr_equal(heap->heap[items[i].position], &items[i]);
    }
    assert_int_equal(heap->count, count);
    if (count == 0)
        assert_null(deadlines_first(heap));
    else
        assert_int_equal(deadlines_first(heap)->at_ms, least_ms);
}

static void agrees_with_the_array(void **state)
{
    struct dice *dice = *state;
    struct deadlines heap = {0};
    struct deadline items[ITEMS] = {0};
    bool present[ITEMS] = {0};

    for (size_t round = 0; round < ROUNDS; round++) {
        size_t i = (size_t)dice_roll(dice, ITEMS);
        /* The bias changes, so that the heap is now nearly full, now nearly empty. */
        bool filling = (round / 2000) % 2 == 0;

        if (present[i] && dice_once_in(dice, 2)) {
            deadlines_change(&heap, &items[i], dice_roll(dice, 1000));
        } else if (present[i] && (!filling || dice_once_in(dice, 4))) {
            deadlines_remove(&heap, &items[i]);
            present[i] = false;
        } else if (!present[i] && (filling || dice_once_in(dice, 4))) {
            items[i].at_ms = dice_once_in(dice, 20) ? UINT64_MAX : dice_roll(dice, 1000);
            assert_true(deadlines_add(&heap, &items[i]));
            present[i] = true;
        }
        struct deadline *first = deadlines_first(&heap);
        if (first != NULL && dice_once_in(dice, 8)) {
            deadlines_remove(&heap, first);
            present[first - items] = false;
        }
        if (round % 16 == 0)
            check_against(&heap, items, present);
    }
    deadlines_deinit(&heap);
    assert_int_equal(heap.count, 0);
}

int main(int argc, char **argv)
{
    struct dice dice;

    dice_init(&dice, argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_heap_has_no_first),
        cmocka_unit_test(one_in_no_heap_is_left_alone),
        cmocka_unit_test_prestate(comes_out_in_order, &dice),
        cmocka_unit_test_prestate(agrees_with_the_array, &dice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
