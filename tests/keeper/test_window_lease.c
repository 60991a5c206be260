// SPDX-License-Identifier: GPL-2.0-or-later
// The lease: taken and renewed directly after an answered ping, and never otherwise.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rig.h"

#define THIRD_MS (RIG_LEASE_MS / 3)

static void renewed_every_third(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    (void)rig_lease(&rig);
    for (unsigned int i = 0; i < 10; i++) {
        uint64_t due_ms = rig.now_ms + THIRD_MS;
        assert_int_equal(window_next_ms(&rig.window), due_ms);
        rig_tick_at(&rig, due_ms - 1);
        assert_int_equal(rig_actions(&rig), 0);
        rig_tick_at(&rig, due_ms);
        assert_int_equal(rig_actions(&rig), WINDOW_DO_PING);
        /* Asked once, not at every turn of the loop. */
        rig_assert_sleeps(&rig);
        rig_tick_at(&rig, due_ms);
        assert_int_equal(rig_actions(&rig), 0);
        rig_pong(&rig);
        assert_int_equal(rig_actions(&rig), WINDOW_DO_ARM);
        window_lease_taken(&rig.window, rig.now_ms);
    }
    rig_deinit(&rig);
}

static void fresh_one_is_left_alone(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    (void)rig_lease(&rig);
    uint64_t armed_ms = rig.now_ms;

    for (unsigned int i = 0; i < 50; i++) {
        rig.now_ms++;
        rig_begin(&rig, WINDOW_TOKEN, RIG_UID, 60000);
        assert_int_equal(rig_actions(&rig), WINDOW_DO_PING);
        rig_pong(&rig);
        assert_int_equal(rig_actions(&rig), 0);
    }
    /* A steady stream of tokens still renews it in good time. */
    rig.now_ms = armed_ms + RIG_LEASE_MS / 6;
    rig_begin(&rig, WINDOW_TOKEN, RIG_UID, 60000);
    rig_pong(&rig);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_PING | WINDOW_DO_ARM);
    rig_deinit(&rig);
}

static void forged_and_late_pongs_are_ignored(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    window_responder_up(&rig.window, rig.now_ms);
    (void)rig_begin(&rig, WINDOW_TOKEN, RIG_UID, 60000);
    (void)rig_actions(&rig);
    uint64_t sequence = window_ping_sequence(&rig.window);

    window_pong(&rig.window, rig.now_ms, 0);
    window_pong(&rig.window, rig.now_ms, sequence + 1);
    window_pong(&rig.window, rig.now_ms, UINT64_MAX);
    assert_int_equal(rig_actions(&rig), 0);
    /* The last word of a responder that has died counts for nothing with the next one. */
    window_responder_down(&rig.window, rig.now_ms);
    window_pong(&rig.window, rig.now_ms, sequence);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_SHUT);
    window_responder_up(&rig.window, rig.now_ms);
    window_pong(&rig.window, rig.now_ms, sequence);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_PING);
    rig_pong(&rig);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_ARM);
    rig_deinit(&rig);
}

/* It was sent before the responder heard of the token that opened this window. */
static void pong_for_an_earlier_window_is_ignored(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    window_responder_up(&rig.window, rig.now_ms);
    struct window_reason *reason = rig_begin(&rig, WINDOW_TOKEN, RIG_UID, 60000);
    uint64_t earlier = window_ping_sequence(&rig.window);
    window_release(&rig.window, rig.now_ms, reason);
    rig_begin(&rig, WINDOW_TOKEN, RIG_UID, 60000);
    (void)rig_actions(&rig);
    window_pong(&rig.window, rig.now_ms, earlier);
    assert_int_equal(rig_actions(&rig), 0);
    rig_pong(&rig);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_ARM);
    assert_int_equal(rig_ended(&rig, WINDOW_END_REMOVED), 1);
    rig_deinit(&rig);
}

/* Any answer shows that it lives, and what is still under way is no silence. */
static void answers_in_part_count(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    (void)rig_lease(&rig);
    window_ping(&rig.window, rig.now_ms);
    uint64_t first = window_ping_sequence(&rig.window);
    rig.now_ms += 100;
    window_ping(&rig.window, rig.now_ms);
    (void)rig_actions(&rig);
    rig.now_ms += RIG_LEASE_MS - 200;
    window_pong(&rig.window, rig.now_ms, first);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_ARM);
    window_lease_taken(&rig.window, rig.now_ms);
    assert_int_equal(window_next_ms(&rig.window), rig.now_ms + RIG_LEASE_MS);
    rig_deinit(&rig);
}

static void hung_responder_is_killed(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    (void)rig_lease(&rig);
    rig_tick_at(&rig, rig.now_ms + THIRD_MS);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_PING);
    uint64_t sequence = window_ping_sequence(&rig.window);
    uint64_t asked_ms = rig.now_ms;
    uint64_t expiry_ms = rig.window.armed_ms + RIG_LEASE_MS;
    /* More pings do not put it off. */
    rig.now_ms += 100;
    window_ping(&rig.window, rig.now_ms);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_PING);

    rig_tick_at(&rig, expiry_ms);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_SHUT);
    assert_int_equal(window_next_ms(&rig.window), asked_ms + RIG_LEASE_MS);
    rig_tick_at(&rig, asked_ms + RIG_LEASE_MS - 1);
    assert_int_equal(rig_actions(&rig), 0);
    rig_tick_at(&rig, asked_ms + RIG_LEASE_MS);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_SHUT | WINDOW_DO_KILL);
    assert_false(rig.window.leased);
    assert_int_equal(rig.window.hold, WINDOW_HOLD_RESPONDER);
    rig_assert_sleeps(&rig);

    /* Its last words may still be in the socket: nobody will be there to serve. */
    window_pong(&rig.window, rig.now_ms, sequence);
    window_pong(&rig.window, rig.now_ms, sequence + 1);
    assert_int_equal(rig_actions(&rig), 0);
    window_responder_down(&rig.window, rig.now_ms);
    (void)rig_actions(&rig);
    window_responder_up(&rig.window, rig.now_ms);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_PING);
    rig_pong(&rig);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_ARM);
    rig_deinit(&rig);
}

/* A lease that nobody renewed is gone in the kernel, and status must not say otherwise. It is taken
 * away all the same: two clocks need not agree, after the host was suspended least of all. */
static void expires_here_as_in_the_kernel(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    (void)rig_lease(&rig);
    uint64_t armed_ms = rig.now_ms;
    rig_tick_at(&rig, armed_ms + THIRD_MS);
    rig_tick_at(&rig, armed_ms + RIG_LEASE_MS - 1);
    assert_true(rig.window.leased);
    assert_int_equal(window_next_ms(&rig.window), armed_ms + RIG_LEASE_MS);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_PING);
    rig_tick_at(&rig, armed_ms + RIG_LEASE_MS);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_SHUT);
    assert_false(rig.window.leased);
    assert_int_equal(rig.window.hold, WINDOW_HOLD_RESPONDER);
    rig_assert_sleeps(&rig);
    rig_pong(&rig);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_ARM);
    rig_deinit(&rig);
}

/* Stopped and continued: the answer that was waiting renews the lease at once, whatever time it is.
 */
static void answer_after_a_long_sleep_renews(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    (void)rig_lease(&rig);
    rig_tick_at(&rig, rig.now_ms + THIRD_MS);
    (void)rig_actions(&rig);
    rig.now_ms += 5 * RIG_LEASE_MS;
    rig_pong(&rig);
    rig_tick_at(&rig, rig.now_ms);
    assert_int_equal(rig_actions(&rig) & (WINDOW_DO_ARM | WINDOW_DO_SHUT | WINDOW_DO_KILL),
                     WINDOW_DO_ARM);
    window_lease_taken(&rig.window, rig.now_ms);
    rig_assert_sleeps(&rig);
    rig_deinit(&rig);
}

static void refused_one_is_tried_again(void **state)
{
    (void)state;
    for (unsigned int why = WINDOW_HOLD_PRESSURE; why <= WINDOW_HOLD_KERNEL; why++) {
        struct rig rig;
        rig_init(&rig);
        (void)rig_lease(&rig);
        rig_tick_at(&rig, rig.now_ms + THIRD_MS);
        rig_pong(&rig);
        (void)rig_actions(&rig);
        window_lease_refused(&rig.window, rig.now_ms, why);
        assert_int_equal(rig_actions(&rig), WINDOW_DO_SHUT);
        assert_int_equal(rig.window.hold, why);
        assert_false(rig.window.leased);
        assert_int_equal(rig.window.state, WINDOW_OPEN);
        assert_int_equal(window_next_ms(&rig.window), rig.now_ms + THIRD_MS);
        rig_tick_at(&rig, rig.now_ms + THIRD_MS);
        assert_int_equal(rig_actions(&rig), WINDOW_DO_PING);
        rig_pong(&rig);
        assert_int_equal(rig_actions(&rig), WINDOW_DO_ARM);
        window_lease_taken(&rig.window, rig.now_ms);
        assert_int_equal(rig.window.hold, WINDOW_HOLD_NONE);
        rig_deinit(&rig);
    }
}

static void dead_responder_has_none(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    (void)rig_lease(&rig);
    window_responder_down(&rig.window, rig.now_ms);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_SHUT);
    assert_int_equal(rig.window.hold, WINDOW_HOLD_RESPONDER);
    /* Without one there is nobody to ping; the reason's own deadline is next. */
    assert_int_equal(window_next_ms(&rig.window), rig.window.reasons->deadline.at_ms);
    rig_tick_at(&rig, rig.now_ms + 10 * RIG_LEASE_MS);
    assert_int_equal(rig_actions(&rig), 0);
    rig_deinit(&rig);
}

/* Events that come before the caller has acted: shutting stays, arming does not. */
static void shutting_wins(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    struct window_reason *reason = rig_lease(&rig);
    rig_tick_at(&rig, rig.now_ms + THIRD_MS);
    rig_pong(&rig);
    window_release(&rig.window, rig.now_ms, reason);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_PING | WINDOW_DO_SHUT);

    reason = rig_begin(&rig, WINDOW_TOKEN, RIG_UID, 60000);
    window_release(&rig.window, rig.now_ms, reason);
    rig_begin(&rig, WINDOW_TOKEN, RIG_UID, 60000);
    rig_pong(&rig);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_PING | WINDOW_DO_SHUT);
    /* The schedule makes up for it. */
    rig_tick_at(&rig, rig.now_ms + THIRD_MS);
    rig_pong(&rig);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_PING | WINDOW_DO_ARM);
    assert_int_equal(rig_ended(&rig, WINDOW_END_REMOVED), 2);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renewed_every_third),
        cmocka_unit_test(fresh_one_is_left_alone),
        cmocka_unit_test(forged_and_late_pongs_are_ignored),
        cmocka_unit_test(pong_for_an_earlier_window_is_ignored),
        cmocka_unit_test(answers_in_part_count),
        cmocka_unit_test(hung_responder_is_killed),
        cmocka_unit_test(expires_here_as_in_the_kernel),
        cmocka_unit_test(answer_after_a_long_sleep_renews),
        cmocka_unit_test(refused_one_is_tried_again),
        cmocka_unit_test(dead_responder_has_none),
        cmocka_unit_test(shutting_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
