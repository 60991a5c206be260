// SPDX-License-Identifier: GPL-2.0-or-later
// What ends a window, and who may not open the next one.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rig.h"

static void deadline_ends_a_reason(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    rig_begin(&rig, WINDOW_TOKEN, 1, 3000);
    rig_begin(&rig, WINDOW_HAND, 2, 1000);
    rig_begin(&rig, WINDOW_RUN, 3, WINDOW_FOREVER);
    struct window_reason *last = rig_begin(&rig, WINDOW_TOKEN, 4, 2000);
    uint64_t start_ms = rig.now_ms;

    assert_int_equal(window_next_ms(&rig.window), start_ms + 1000);
    rig_tick_at(&rig, start_ms + 999);
    assert_int_equal(rig.window.reason_count, 4);
    rig_tick_at(&rig, start_ms + 1000);
    assert_int_equal(rig_ended(&rig, WINDOW_END_DEADLINE), 1);
    assert_int_equal(rig.window.reason_count, 3);
    assert_int_equal(window_next_ms(&rig.window), start_ms + 2000);
    assert_ptr_equal(rig.window.reasons_last, last);
    /* A late tick ends all that is due; the one without a deadline keeps the window. */
    rig_tick_at(&rig, start_ms + 5000);
    assert_int_equal(rig_ended(&rig, WINDOW_END_DEADLINE), 2);
    assert_int_equal(rig.window.state, WINDOW_OPEN);
    assert_int_equal(rig.window.reason_count, 1);
    assert_int_equal(window_next_ms(&rig.window), start_ms + RIG_LIMIT_MS);
    rig_deinit(&rig);
}

static void last_deadline_shuts(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    struct window_reason *reason = rig_lease(&rig);
    uint64_t at_ms = reason->deadline.at_ms;
    rig_tick_at(&rig, at_ms);
    assert_int_equal(rig_actions_but_ping(&rig), WINDOW_DO_SHUT);
    assert_int_equal(rig.window.state, WINDOW_DRAINING);
    assert_int_equal(rig_ended(&rig, WINDOW_END_DEADLINE), 1);
    assert_int_equal(rig.window.drain_at_ms, at_ms + WINDOW_LINGER_MS);
    rig_deinit(&rig);
}

static void again_counts_and_takes_the_later_deadline(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    struct window_reason *reason = rig_begin(&rig, WINDOW_TOKEN, 1, 3000);
    uint64_t start_ms = rig.now_ms;

    assert_int_equal(reason->count, 1);
    window_again(&rig.window, rig.now_ms, reason, start_ms + 1000);
    assert_int_equal(reason->count, 2);
    assert_int_equal(window_next_ms(&rig.window), start_ms + 3000);
    window_again(&rig.window, rig.now_ms, reason, start_ms + 5000);
    assert_int_equal(reason->count, 3);
    assert_int_equal(window_next_ms(&rig.window), start_ms + 5000);
    window_release(&rig.window, rig.now_ms, reason);
    window_release(&rig.window, rig.now_ms, reason);
    assert_int_equal(rig_ended(&rig, WINDOW_END_REMOVED), 0);
    window_release(&rig.window, rig.now_ms, reason);
    assert_int_equal(rig_ended(&rig, WINDOW_END_REMOVED), 1);
    assert_int_equal(rig.window.state, WINDOW_ARMED);
    rig_deinit(&rig);
}

static void finish_does_not_count(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    struct window_reason *reason = rig_begin(&rig, WINDOW_TOKEN, 1, 3000);
    window_again(&rig.window, rig.now_ms, reason, rig.now_ms);
    window_finish(&rig.window, rig.now_ms, reason, WINDOW_END_REMOVED);
    assert_int_equal(rig_ended(&rig, WINDOW_END_REMOVED), 1);
    assert_int_equal(rig.window.reason_count, 0);
    rig_deinit(&rig);
}

/* The reasons in the middle and at both ends of the list go without breaking it. */
static void list_stays_whole(void **state)
{
    struct rig rig;
    struct window_reason *reasons[5];

    (void)state;
    rig_init(&rig);
    for (unsigned int i = 0; i < 5; i++)
        reasons[i] = rig_begin(&rig, WINDOW_TOKEN, i, 1000 * (uint64_t)(i + 1));
    window_release(&rig.window, rig.now_ms, reasons[2]);
    window_release(&rig.window, rig.now_ms, reasons[0]);
    window_release(&rig.window, rig.now_ms, reasons[4]);
    assert_ptr_equal(rig.window.reasons, reasons[1]);
    assert_ptr_equal(reasons[1]->next, reasons[3]);
    assert_ptr_equal(reasons[3]->previous, reasons[1]);
    assert_ptr_equal(rig.window.reasons_last, reasons[3]);
    assert_int_equal(window_next_ms(&rig.window), reasons[1]->deadline.at_ms);
    assert_int_equal(rig_ended(&rig, WINDOW_END_REMOVED), 3);
    rig_deinit(&rig);
}

static void limit_ends_all_and_is_paid_for(void **state)
{
    struct rig rig;
    uint64_t until_ms = 0;

    (void)state;
    rig_init(&rig);
    struct window_reason *reason = rig_lease(&rig); /* RIG_UID, which ends in time */
    uint64_t limit_ms = rig.now_ms + RIG_LIMIT_MS;
    rig_begin(&rig, WINDOW_HAND, 1, WINDOW_FOREVER);
    rig_begin(&rig, WINDOW_RUN, 2, WINDOW_FOREVER);
    rig_begin(&rig, WINDOW_TOKEN, 3, RIG_LIMIT_MS + 1);
    window_release(&rig.window, rig.now_ms, reason);
    assert_int_equal(rig_ended(&rig, WINDOW_END_REMOVED), 1);
    window_responder_down(&rig.window, rig.now_ms); /* no pings between here and the limit */
    (void)rig_actions(&rig);

    assert_int_equal(window_next_ms(&rig.window), limit_ms);
    rig_tick_at(&rig, limit_ms - 1);
    assert_int_equal(rig.window.state, WINDOW_OPEN);
    rig_tick_at(&rig, limit_ms);
    assert_int_equal(rig.window.state, WINDOW_DRAINING);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_SHUT);
    assert_int_equal(rig_ended(&rig, WINDOW_END_LIMIT), 3);

    for (uid_t uid = 1; uid <= 3; uid++) {
        assert_int_equal(rig_refused(&rig, WINDOW_TOKEN, uid, &until_ms), WINDOW_REFUSED_PENALTY);
        assert_int_equal(until_ms, limit_ms + RIG_LIMIT_MS);
    }
    /* Nor may the keeper leave and forget it. */
    rig_tick_at(&rig, limit_ms + WINDOW_LINGER_MS);
    window_drained(&rig.window, rig.now_ms, window_drain_sequence(&rig.window));
    assert_int_equal(rig.window.state, WINDOW_ARMED);
    assert_false(window_is_idle(&rig.window, rig.now_ms));
    assert_int_equal(window_next_ms(&rig.window), limit_ms + RIG_LIMIT_MS);

    /* Others go on, and what they open is no help to these. */
    reason = rig_begin(&rig, WINDOW_TOKEN, RIG_UID, 1000);
    assert_int_equal(rig_refused(&rig, WINDOW_RUN, 2, &until_ms), WINDOW_REFUSED_PENALTY);
    window_release(&rig.window, rig.now_ms, reason);

    rig_tick_at(&rig, limit_ms + RIG_LIMIT_MS - 1);
    assert_int_equal(rig_refused(&rig, WINDOW_HAND, 1, &until_ms), WINDOW_REFUSED_PENALTY);
    rig_tick_at(&rig, limit_ms + RIG_LIMIT_MS);
    assert_true(window_is_idle(&rig.window, rig.now_ms));
    assert_int_equal(window_next_ms(&rig.window), WINDOW_FOREVER);
    assert_null(rig.window.users);
    rig_begin(&rig, WINDOW_HAND, 1, 1000);
    rig_ended(&rig, WINDOW_END_REMOVED);
    rig_deinit(&rig);
}

/* `wicket open --for` exactly the limit asks for no more than is allowed. */
static void deadline_at_the_limit_is_no_offence(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    rig_begin(&rig, WINDOW_HAND, 1, RIG_LIMIT_MS);
    rig_tick_at(&rig, rig.now_ms + RIG_LIMIT_MS);
    assert_int_equal(rig_ended(&rig, WINDOW_END_DEADLINE), 1);
    assert_int_equal(rig.window.state, WINDOW_ARMED);
    assert_true(window_is_idle(&rig.window, rig.now_ms));
    rig_begin(&rig, WINDOW_HAND, 1, 1000);
    rig_deinit(&rig);
}

/* The keeper was stopped, and the pong was there before it woke: the loop may read it first. */
static void pong_after_the_end_takes_no_lease(void **state)
{
    struct rig rig;

    (void)state;
    for (unsigned int with_deadline = 0; with_deadline <= 1; with_deadline++) {
        rig_init(&rig);
        window_responder_up(&rig.window, rig.now_ms);
        rig_begin(&rig, WINDOW_RUN, 1, with_deadline ? 1000 : WINDOW_FOREVER);
        (void)rig_actions(&rig);
        rig.now_ms += with_deadline ? 1000 : RIG_LIMIT_MS;
        rig_pong(&rig);
        assert_int_equal(rig_actions(&rig) & WINDOW_DO_ARM, 0);
        rig_tick_at(&rig, rig.now_ms);
        assert_int_equal(rig.window.state, WINDOW_ARMED);
        assert_int_equal(rig_ended(&rig, with_deadline ? WINDOW_END_DEADLINE : WINDOW_END_LIMIT),
                         1);
        rig_deinit(&rig);
    }
}

/* The first request after a long sleep finds the old window over, not itself in it. */
static void begin_after_the_end_opens_a_new_window(void **state)
{
    struct rig rig;
    uint64_t until_ms;

    (void)state;
    rig_init(&rig);
    rig_begin(&rig, WINDOW_RUN, 1, WINDOW_FOREVER);
    rig.now_ms += RIG_LIMIT_MS;
    struct window_reason *refused = rig_reason(&rig, WINDOW_TOKEN, 1, 1000);
    assert_int_equal(window_begin(&rig.window, rig.now_ms, refused, &until_ms),
                     WINDOW_REFUSED_PENALTY);
    free(refused);
    rig_begin(&rig, WINDOW_TOKEN, 2, 1000);
    assert_int_equal(rig_ended(&rig, WINDOW_END_LIMIT), 1);
    assert_int_equal(rig.window.windows, 2);
    rig_tick_at(&rig, rig.now_ms);
    assert_int_equal(rig.window.state, WINDOW_OPEN);
    rig_deinit(&rig);
}

static void lower_limit_is_for_the_open_window_too(void **state)
{
    struct rig rig;
    struct window_options options;

    (void)state;
    rig_init(&rig);
    struct window_reason *reason = rig_begin(&rig, WINDOW_RUN, 1, WINDOW_FOREVER);
    options = rig.window.options;
    options.limit_ms = 1000;
    uint64_t opened_ms = rig.now_ms;
    window_configure(&rig.window, &options);
    assert_int_equal(window_next_ms(&rig.window), opened_ms + 1000);
    /* A higher one is for the next window. */
    options.limit_ms = RIG_LIMIT_MS;
    window_configure(&rig.window, &options);
    rig_tick_at(&rig, opened_ms + 999);
    assert_int_equal(rig.window.state, WINDOW_OPEN);
    window_release(&rig.window, rig.now_ms, reason);
    rig_begin(&rig, WINDOW_RUN, 1, WINDOW_FOREVER);
    assert_int_equal(window_next_ms(&rig.window), rig.now_ms + RIG_LIMIT_MS);
    assert_int_equal(rig_ended(&rig, WINDOW_END_REMOVED), 1);
    rig_deinit(&rig);
}

static void blocked_cools_off(void **state)
{
    struct rig rig;
    uint64_t until_ms = 0;

    (void)state;
    rig_init(&rig);
    (void)rig_lease(&rig);
    rig_begin(&rig, WINDOW_RUN, 2, WINDOW_FOREVER);
    (void)rig_actions(&rig);
    rig.now_ms += 500;
    uint64_t blocked_ms = rig.now_ms;
    window_blocked(&rig.window, blocked_ms, WINDOW_END_BLOCKED);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_SHUT);
    assert_int_equal(rig_ended(&rig, WINDOW_END_BLOCKED), 2);
    assert_int_equal(rig.window.state, WINDOW_DRAINING);

    assert_int_equal(rig_refused(&rig, WINDOW_TOKEN, 9, &until_ms), WINDOW_REFUSED_BLOCKED);
    assert_int_equal(until_ms, blocked_ms + WINDOW_BLOCKED_MS);
    rig_tick_at(&rig, blocked_ms + WINDOW_LINGER_MS);
    window_drained(&rig.window, rig.now_ms, window_drain_sequence(&rig.window));
    (void)rig_actions(&rig);
    assert_false(window_is_idle(&rig.window, rig.now_ms));
    assert_int_equal(window_next_ms(&rig.window), blocked_ms + WINDOW_BLOCKED_MS);
    rig_tick_at(&rig, blocked_ms + WINDOW_BLOCKED_MS);
    assert_true(window_is_idle(&rig.window, rig.now_ms));
    assert_int_equal(window_next_ms(&rig.window), WINDOW_FOREVER);
    rig_begin(&rig, WINDOW_TOKEN, 9, 1000);
    rig_deinit(&rig);
}

/* The counters are read a moment after the last hook has gone. */
static void blocked_is_remembered_while_draining(void **state)
{
    struct rig rig;
    uint64_t until_ms;

    (void)state;
    rig_init(&rig);
    window_release(&rig.window, rig.now_ms, rig_lease(&rig));
    window_blocked(&rig.window, rig.now_ms, WINDOW_END_BLOCKED);
    assert_int_equal(rig.window.state, WINDOW_DRAINING);
    assert_int_equal(rig_refused(&rig, WINDOW_TOKEN, 9, &until_ms), WINDOW_REFUSED_BLOCKED);
    assert_int_equal(until_ms, rig.now_ms + WINDOW_BLOCKED_MS);
    assert_int_equal(rig_ended(&rig, WINDOW_END_REMOVED), 1);
    rig_deinit(&rig);
}

static void tokens_have_a_quota(void **state)
{
    struct rig rig;
    uint64_t until_ms = 1;
    struct window_reason *reason = NULL;

    (void)state;
    rig_init(&rig);
    for (unsigned int i = 0; i < WINDOW_TOKENS_PER_UID; i++)
        reason = rig_begin(&rig, WINDOW_TOKEN, 1, 1000 + i);
    assert_int_equal(rig_refused(&rig, WINDOW_TOKEN, 1, &until_ms), WINDOW_REFUSED_QUOTA);
    assert_int_equal(until_ms, 0);
    /* Neither other kinds nor other users pay for it. */
    rig_begin(&rig, WINDOW_HAND, 1, 1000);
    rig_begin(&rig, WINDOW_RUN, 1, 1000);
    rig_begin(&rig, WINDOW_TOKEN, 2, 1000);
    /* The same token again is no new one. */
    window_again(&rig.window, rig.now_ms, reason, rig.now_ms);
    window_release(&rig.window, rig.now_ms, reason);
    assert_int_equal(rig_refused(&rig, WINDOW_TOKEN, 1, &until_ms), WINDOW_REFUSED_QUOTA);
    window_release(&rig.window, rig.now_ms, reason);
    rig_begin(&rig, WINDOW_TOKEN, 1, 1000);
    assert_int_equal(rig_refused(&rig, WINDOW_TOKEN, 1, &until_ms), WINDOW_REFUSED_QUOTA);
    assert_int_equal(rig_ended(&rig, WINDOW_END_REMOVED), 1);
    rig_deinit(&rig);
}

/* A hook takes back its token while the keeper is being stopped, in one turn of the loop. */
static void ended_reason_is_left_alone(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    struct window_reason *kept = rig_begin(&rig, WINDOW_TOKEN, 1, 5000);
    struct window_reason *reason = rig_begin(&rig, WINDOW_TOKEN, 1, 1000);
    rig_begin(&rig, WINDOW_RUN, 1, WINDOW_FOREVER);
    window_release(&rig.window, rig.now_ms, reason);
    window_again(&rig.window, rig.now_ms, reason, rig.now_ms + 9000);
    window_release(&rig.window, rig.now_ms, reason);
    window_finish(&rig.window, rig.now_ms, reason, WINDOW_END_REMOVED);
    assert_int_equal(rig.window.reason_count, 2);
    assert_int_equal(rig.window.users->reasons, 2);
    assert_int_equal(rig.window.users->tokens, 1);
    assert_int_equal(window_next_ms(&rig.window), kept->deadline.at_ms);
    assert_int_equal(rig_ended(&rig, WINDOW_END_REMOVED), 1);

    window_stop(&rig.window, rig.now_ms);
    window_finish(&rig.window, rig.now_ms, kept, WINDOW_END_REMOVED);
    assert_int_equal(rig_ended(&rig, WINDOW_END_STOPPED), 2);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadline_ends_a_reason),
        cmocka_unit_test(last_deadline_shuts),
        cmocka_unit_test(again_counts_and_takes_the_later_deadline),
        cmocka_unit_test(finish_does_not_count),
        cmocka_unit_test(list_stays_whole),
        cmocka_unit_test(limit_ends_all_and_is_paid_for),
        cmocka_unit_test(deadline_at_the_limit_is_no_offence),
        cmocka_unit_test(pong_after_the_end_takes_no_lease),
        cmocka_unit_test(begin_after_the_end_opens_a_new_window),
        cmocka_unit_test(lower_limit_is_for_the_open_window_too),
        cmocka_unit_test(blocked_cools_off),
        cmocka_unit_test(blocked_is_remembered_while_draining),
        cmocka_unit_test(tokens_have_a_quota),
        cmocka_unit_test(ended_reason_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
