// SPDX-License-Identifier: GPL-2.0-or-later
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

void rig_init(struct rig *rig)
{
    const struct window_options options = {
        .lease_ms = RIG_LEASE_MS,
        .limit_ms = RIG_LIMIT_MS,
        .drain_ms = RIG_DRAIN_MS,
        .stop_ms = RIG_STOP_MS,
    };

    window_init(&rig->window, &options);
    rig->now_ms = RIG_START_MS;
}

void rig_deinit(struct rig *rig)
{
    window_deinit(&rig->window);
}

struct window_reason *rig_reason(const struct rig *rig, enum window_kind kind, uid_t uid,
                                 uint64_t for_ms)
{
    uint64_t deadline_ms = for_ms == WINDOW_FOREVER ? WINDOW_FOREVER : rig->now_ms + for_ms;
    struct window_reason *reason = window_reason_new(kind, uid, deadline_ms, "");

    assert_non_null(reason);
    return reason;
}

struct window_reason *rig_begin(struct rig *rig, enum window_kind kind, uid_t uid, uint64_t for_ms)
{
    struct window_reason *reason = rig_reason(rig, kind, uid, for_ms);
    uint64_t until_ms = 1;

    assert_int_equal(window_would_refuse(&rig->window, rig->now_ms, uid, kind, &until_ms), 0);
    assert_int_equal(window_begin(&rig->window, rig->now_ms, reason, &until_ms), WINDOW_ACCEPTED);
    assert_int_equal(rig->window.state, WINDOW_OPEN);
    return reason;
}

enum window_refusal rig_refused(struct rig *rig, enum window_kind kind, uid_t uid,
                                uint64_t *until_ms)
{
    struct window_reason *reason = rig_reason(rig, kind, uid, 1000);
    enum window_state before = rig->window.state;
    uint64_t would_until_ms = 1;
    enum window_refusal refusal = window_begin(&rig->window, rig->now_ms, reason, until_ms);

    assert_int_not_equal(refusal, WINDOW_ACCEPTED);
    assert_int_equal(window_would_refuse(&rig->window, rig->now_ms, uid, kind, &would_until_ms),
                     refusal);
    assert_int_equal(would_until_ms, *until_ms);
    assert_int_equal(rig->window.state, before);
    free(reason);
    return refusal;
}

void rig_pong(struct rig *rig)
{
    window_pong(&rig->window, rig->now_ms, window_ping_sequence(&rig->window));
}

struct window_reason *rig_lease(struct rig *rig)
{
    window_responder_up(&rig->window, rig->now_ms);
    struct window_reason *reason = rig_begin(rig, WINDOW_TOKEN, RIG_UID, RIG_LIMIT_MS / 2);

    assert_int_equal(rig_actions(rig), WINDOW_DO_PING);
    rig_pong(rig);
    assert_int_equal(rig_actions(rig), WINDOW_DO_ARM);
    window_lease_taken(&rig->window, rig->now_ms);
    assert_int_equal(rig_actions(rig), 0);
    assert_true(rig->window.leased);
    assert_int_equal(rig->window.hold, WINDOW_HOLD_NONE);
    return reason;
}

void rig_tick_at(struct rig *rig, uint64_t now_ms)
{
    assert_true(now_ms >= rig->now_ms);
    rig->now_ms = now_ms;
    window_tick(&rig->window, now_ms);
}

void rig_pass_to(struct rig *rig, uint64_t now_ms)
{
    while (window_next_ms(&rig->window) < now_ms) {
        rig_tick_at(rig, window_next_ms(&rig->window));
        assert_int_equal(rig_actions(rig), WINDOW_DO_PING);
        rig_pong(rig);
    }
    rig_tick_at(rig, now_ms);
}

unsigned int rig_actions(struct rig *rig)
{
    unsigned int actions = window_take_actions(&rig->window);

    assert_int_not_equal(actions & (WINDOW_DO_SHUT | WINDOW_DO_ARM),
                         WINDOW_DO_SHUT | WINDOW_DO_ARM);
    return actions;
}

unsigned int rig_actions_but_ping(struct rig *rig)
{
    unsigned int actions = rig_actions(rig);

    if ((actions & WINDOW_DO_PING) != 0)
        rig_pong(rig);
    return actions & ~(unsigned int)WINDOW_DO_PING;
}

size_t rig_ended(struct rig *rig, enum window_end end)
{
    struct window_reason *reason = window_take_ended(&rig->window);
    size_t count = 0;

    while (reason != NULL) {
        struct window_reason *next = reason->next;
        assert_int_equal(reason->end, end);
        free(reason);
        reason = next;
        count++;
    }
    assert_null(window_take_ended(&rig->window));
    return count;
}

void rig_assert_sleeps(const struct rig *rig)
{
    assert_true(window_next_ms(&rig->window) > rig->now_ms);
}
