// SPDX-License-Identifier: GPL-2.0-or-later
// The states of the window: which event leads where, and what it asks the caller to do.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rig.h"

enum start {
    ARMED_DOWN, /* the responder has not come up */
    ARMED_UP,
    OPEN_DOWN,   /* a reason, no responder */
    OPEN_ASKED,  /* a ping is under way, no lease yet */
    OPEN_LEASED, /* nothing under way */
    LINGERING,   /* responder up */
    DRAINING,    /* asked */
    LEFT,        /* stopped and told to leave; responder up */
    STARTS,
};

enum event {
    BEGIN,
    AGAIN,
    RELEASE,
    FINISH,
    UP,
    DOWN,
    PONG,
    DRAINED,
    TAKEN,
    REFUSED,
    BLOCKED,
    PING,
    STOP,
    TICK,
    EVENTS,
};

static const char *const start_names[STARTS] = {"ARMED_DOWN", "ARMED_UP",    "OPEN_DOWN",
                                                "OPEN_ASKED", "OPEN_LEASED", "LINGERING",
                                                "DRAINING",   "LEFT"};
static const char *const event_names[EVENTS] = {"BEGIN",   "AGAIN", "RELEASE", "FINISH", "UP",
                                                "DOWN",    "PONG",  "DRAINED", "TAKEN",  "REFUSED",
                                                "BLOCKED", "PING",  "STOP",    "TICK"};

struct outcome {
    bool reachable;
    enum window_state state;
    unsigned int actions;
};

#define A(actions)                    \
    {                                 \
        true, WINDOW_ARMED, (actions) \
    }
#define O(actions)                   \
    {                                \
        true, WINDOW_OPEN, (actions) \
    }
#define D(actions)                       \
    {                                    \
        true, WINDOW_DRAINING, (actions) \
    }
#define NEVER                  \
    {                          \
        false, WINDOW_ARMED, 0 \
    } /* it needs a reason, and there is none */
#define DO_PING  WINDOW_DO_PING
#define DO_ARM   WINDOW_DO_ARM
#define DO_SHUT  WINDOW_DO_SHUT
#define DO_DRAIN WINDOW_DO_DRAIN
#define DO_LEAVE WINDOW_DO_LEAVE
#define DO_OPEN  (WINDOW_DO_PING | WINDOW_DO_RESUME)

/* One row an event; the columns are the starts, in order. */
// clang-format off
static const struct outcome outcomes[EVENTS][STARTS] = {
    /*           ARMED_DOWN   ARMED_UP     OPEN_DOWN    OPEN_ASKED   OPEN_LEASED  LINGERING    DRAINING     LEFT */
    [BEGIN]   = {O(0),        O(DO_PING),  O(0),        O(DO_PING),  O(DO_PING),  O(DO_PING),  O(DO_OPEN),  A(0)},
    [AGAIN]   = {NEVER,       NEVER,       O(0),        O(DO_PING),  O(DO_PING),  NEVER,       NEVER,       NEVER},
    [RELEASE] = {NEVER,       NEVER,       A(DO_SHUT),  A(DO_SHUT),  D(DO_SHUT),  NEVER,       NEVER,       NEVER},
    [FINISH]  = {NEVER,       NEVER,       A(DO_SHUT),  A(DO_SHUT),  D(DO_SHUT),  NEVER,       NEVER,       NEVER},
    [UP]      = {A(0),        A(0),        O(DO_PING),  O(DO_PING),  O(DO_PING),  D(0),        D(DO_DRAIN), A(0)},
    [DOWN]    = {A(0),        A(0),        O(DO_SHUT),  O(DO_SHUT),  O(DO_SHUT),  D(0),        D(0),        A(0)},
    [PONG]    = {A(0),        A(0),        O(0),        O(DO_ARM),   O(0),        D(0),        D(0),        A(0)},
    [DRAINED] = {A(0),        A(0),        O(0),        O(0),        O(0),        D(0),        A(0),        A(0)},
    [TAKEN]   = {A(DO_SHUT),  A(DO_SHUT),  O(DO_SHUT),  O(0),        O(0),        D(DO_SHUT),  D(DO_SHUT),  A(DO_SHUT)},
    [REFUSED] = {A(DO_SHUT),  A(DO_SHUT),  O(DO_SHUT),  O(DO_SHUT),  O(DO_SHUT),  D(DO_SHUT),  D(DO_SHUT),  A(DO_SHUT)},
    [BLOCKED] = {A(0),        A(0),        A(DO_SHUT),  A(DO_SHUT),  D(DO_SHUT),  D(0),        D(0),        A(0)},
    [PING]    = {A(0),        A(DO_PING),  O(0),        O(DO_PING),  O(DO_PING),  D(DO_PING),  D(DO_PING),  A(DO_PING)},
    [STOP]    = {A(DO_LEAVE), A(DO_LEAVE), A(DO_SHUT | DO_LEAVE), A(DO_SHUT | DO_LEAVE),
                                                                     D(DO_SHUT),  D(0),        D(DO_DRAIN), A(DO_LEAVE)},
    [TICK]    = {A(0),        A(0),        O(0),        O(0),        O(0),        D(0),        D(0),        A(0)},
};
// clang-format on

/* Returns the reason, if there is one. */
static struct window_reason *start_at(struct rig *rig, enum start start)
{
    struct window_reason *reason = NULL;

    rig_init(rig);
    if (start == OPEN_DOWN) {
        reason = rig_begin(rig, WINDOW_TOKEN, RIG_UID, 60000);
    } else if (start == OPEN_ASKED) {
        window_responder_up(&rig->window, rig->now_ms);
        reason = rig_begin(rig, WINDOW_TOKEN, RIG_UID, 60000);
    } else if (start == ARMED_UP) {
        window_responder_up(&rig->window, rig->now_ms);
    } else if (start != ARMED_DOWN) {
        reason = rig_lease(rig);
    }
    if (start == LINGERING || start == DRAINING || start == LEFT) {
        window_release(&rig->window, rig->now_ms, reason);
        assert_int_equal(rig_ended(rig, WINDOW_END_REMOVED), 1);
        reason = NULL;
    }
    if (start == DRAINING || start == LEFT) {
        assert_int_equal(rig_actions(rig), WINDOW_DO_SHUT);
        rig_pass_to(rig, rig->now_ms + WINDOW_LINGER_MS);
        assert_int_equal(rig_actions_but_ping(rig), WINDOW_DO_DRAIN);
    }
    if (start == LEFT) {
        window_stop(&rig->window, rig->now_ms);
        window_drained(&rig->window, rig->now_ms, window_drain_sequence(&rig->window));
        assert_true((rig_actions(rig) & WINDOW_DO_LEAVE) != 0);
    }
    (void)rig_actions(rig);
    return reason;
}

static void happen(struct rig *rig, enum event event, struct window_reason *reason)
{
    struct window *window = &rig->window;
    uint64_t now_ms = rig->now_ms;
    uint64_t until_ms;

    switch (event) {
    case BEGIN:
        if (window->stopping)
            assert_int_equal(rig_refused(rig, WINDOW_TOKEN, RIG_UID, &until_ms),
                             WINDOW_REFUSED_STOPPING);
        else
            rig_begin(rig, WINDOW_TOKEN, RIG_UID, 60000);
        break;
    case AGAIN:
        window_again(window, now_ms, reason, now_ms + 60000);
        break;
    case RELEASE:
        window_release(window, now_ms, reason);
        break;
    case FINISH:
        window_finish(window, now_ms, reason, WINDOW_END_REMOVED);
        break;
    case UP:
        window_responder_up(window, now_ms);
        break;
    case DOWN:
        window_responder_down(window, now_ms);
        break;
    case PONG:
        rig_pong(rig);
        break;
    case DRAINED:
        window_drained(window, now_ms, window_drain_sequence(window));
        break;
    case TAKEN:
        window_lease_taken(window, now_ms);
        break;
    case REFUSED:
        window_lease_refused(window, now_ms, WINDOW_HOLD_PRESSURE);
        break;
    case BLOCKED:
        window_blocked(window, now_ms, WINDOW_END_BLOCKED);
        break;
    case PING:
        window_ping(window, now_ms);
        break;
    case STOP:
        window_stop(window, now_ms);
        break;
    case TICK:
        window_tick(window, now_ms);
        break;
    case EVENTS:
    default:
        fail();
    }
}

static void every_event_in_every_state(void **state)
{
    (void)state;
    for (unsigned int event = 0; event < EVENTS; event++) {
        for (unsigned int start = 0; start < STARTS; start++) {
            const struct outcome *expected = &outcomes[event][start];
            if (!expected->reachable)
                continue;
            struct rig rig;
            struct window_reason *reason = start_at(&rig, start);
            happen(&rig, event, reason);
            unsigned int actions = rig_actions(&rig);
            if (rig.window.state != expected->state || actions != expected->actions)
                fail_msg("%s in %s: state %u, actions %#x", event_names[event], start_names[start],
                         rig.window.state, actions);
            assert_true(!rig.window.leased || rig.window.state == WINDOW_OPEN);
            assert_true((rig.window.state == WINDOW_OPEN) == (rig.window.reason_count > 0));
            rig_assert_sleeps(&rig);
            rig_deinit(&rig);
        }
    }
}

static void whole_life(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    assert_true(window_is_idle(&rig.window, rig.now_ms));
    struct window_reason *reason = rig_lease(&rig);
    assert_false(window_is_idle(&rig.window, rig.now_ms));
    assert_int_equal(rig.window.windows, 1);

    rig.now_ms += 700;
    assert_int_equal(window_open_total_ms(&rig.window, rig.now_ms), 700);
    window_release(&rig.window, rig.now_ms, reason);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_SHUT);
    assert_int_equal(rig_ended(&rig, WINDOW_END_REMOVED), 1);
    uint64_t shut_ms = rig.now_ms;

    /* Nothing is asked before the last deferred handshake can have come. */
    rig_pass_to(&rig, shut_ms + WINDOW_LINGER_MS - 1);
    window_drained(&rig.window, rig.now_ms, window_drain_sequence(&rig.window));
    assert_int_equal(rig_actions(&rig), 0);
    assert_int_equal(rig.window.state, WINDOW_DRAINING);
    rig_tick_at(&rig, shut_ms + WINDOW_LINGER_MS);
    assert_int_equal(rig_actions_but_ping(&rig), WINDOW_DO_DRAIN);
    assert_int_equal(rig.window.drain_at_ms, rig.now_ms + RIG_DRAIN_MS);

    rig.now_ms += 50;
    assert_false(window_is_idle(&rig.window, rig.now_ms));
    window_drained(&rig.window, rig.now_ms, window_drain_sequence(&rig.window));
    assert_int_equal(rig.window.state, WINDOW_ARMED);
    assert_int_equal(rig_actions(&rig), 0);
    assert_int_equal(window_next_ms(&rig.window), WINDOW_FOREVER);
    assert_true(window_is_idle(&rig.window, rig.now_ms));
    assert_int_equal(window_open_total_ms(&rig.window, rig.now_ms + 1000), 700);
    rig_deinit(&rig);
}

/* Connections that never end, or a responder that never says so. */
static void drain_ends_by_itself(void **state)
{
    struct rig rig;

    (void)state;
    (void)start_at(&rig, DRAINING);
    rig_pass_to(&rig, rig.window.drain_at_ms - 1);
    assert_int_equal(rig.window.state, WINDOW_DRAINING);
    rig_tick_at(&rig, rig.window.drain_at_ms);
    assert_int_equal(rig.window.state, WINDOW_ARMED);
    assert_int_equal(rig_actions_but_ping(&rig), 0);
    rig_deinit(&rig);
}

/* One that hangs would hold those who were passed on until the drain's end: a day. */
static void drain_kills_who_hangs(void **state)
{
    (void)state;
    for (unsigned int start = LINGERING; start <= DRAINING; start++) {
        struct rig rig;
        (void)start_at(&rig, start);
        rig_tick_at(&rig, window_next_ms(&rig.window));
        assert_int_equal(rig_actions(&rig) & WINDOW_DO_PING, WINDOW_DO_PING);
        uint64_t asked_ms = rig.now_ms;
        rig_tick_at(&rig, asked_ms + RIG_LEASE_MS - 1);
        assert_int_equal(rig_actions(&rig) & WINDOW_DO_KILL, 0);
        assert_int_equal(window_next_ms(&rig.window), asked_ms + RIG_LEASE_MS);
        rig_tick_at(&rig, asked_ms + RIG_LEASE_MS);
        assert_int_equal(rig_actions(&rig), WINDOW_DO_KILL);
        assert_int_equal(rig.window.state, WINDOW_DRAINING);
        /* Its successor has nobody, and says so. */
        window_responder_up(&rig.window, rig.now_ms);
        assert_int_equal(rig_actions(&rig), WINDOW_DO_DRAIN);
        window_drained(&rig.window, rig.now_ms, window_drain_sequence(&rig.window));
        assert_int_equal(rig.window.state, WINDOW_ARMED);
        assert_int_equal(window_next_ms(&rig.window), WINDOW_FOREVER);
        rig_deinit(&rig);
    }
}

static void drain_asks_a_new_responder(void **state)
{
    struct rig rig;

    (void)state;
    (void)start_at(&rig, LINGERING);
    window_responder_down(&rig.window, rig.now_ms);
    rig_tick_at(&rig, window_next_ms(&rig.window));
    assert_int_equal(rig_actions(&rig), 0);
    assert_int_equal(rig.window.state, WINDOW_DRAINING);
    window_responder_up(&rig.window, rig.now_ms);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_DRAIN);
    window_responder_down(&rig.window, rig.now_ms);
    window_responder_up(&rig.window, rig.now_ms);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_DRAIN);
    rig_deinit(&rig);
}

static void reopening_starts_from_the_pong(void **state)
{
    (void)state;
    for (unsigned int start = LINGERING; start <= DRAINING; start++) {
        struct rig rig;
        (void)start_at(&rig, start);
        struct window_reason *reason = rig_begin(&rig, WINDOW_HAND, RIG_UID, WINDOW_FOREVER);
        assert_int_equal(rig.window.windows, 2);
        assert_int_equal(rig.window.hold, WINDOW_HOLD_RESPONDER);
        assert_int_equal(rig_actions(&rig), start == DRAINING ? DO_OPEN : WINDOW_DO_PING);
        window_drained(&rig.window, rig.now_ms, window_drain_sequence(&rig.window));
        assert_int_equal(rig.window.state, WINDOW_OPEN);
        rig_pong(&rig);
        assert_int_equal(rig_actions(&rig), WINDOW_DO_ARM);
        window_lease_taken(&rig.window, rig.now_ms);
        window_release(&rig.window, rig.now_ms, reason);
        assert_int_equal(rig_actions(&rig), WINDOW_DO_SHUT);
        rig_pass_to(&rig, rig.now_ms + WINDOW_LINGER_MS);
        assert_int_equal(rig_actions_but_ping(&rig), WINDOW_DO_DRAIN);
        assert_int_equal(rig_ended(&rig, WINDOW_END_REMOVED), 1);
        rig_deinit(&rig);
    }
}

/* Connections of the first window may live still, although the second had no lease. */
static void reopening_in_vain_still_drains(void **state)
{
    struct rig rig;

    (void)state;
    (void)start_at(&rig, LINGERING);
    rig.now_ms += 10;
    struct window_reason *reason = rig_begin(&rig, WINDOW_TOKEN, RIG_UID, 60000);
    rig.now_ms += 10;
    window_release(&rig.window, rig.now_ms, reason);
    assert_int_equal(rig.window.state, WINDOW_DRAINING);
    assert_int_equal(window_next_ms(&rig.window), rig.now_ms + WINDOW_LINGER_MS);
    assert_false(window_is_idle(&rig.window, rig.now_ms));
    assert_int_equal(rig_ended(&rig, WINDOW_END_REMOVED), 1);
    rig_deinit(&rig);
}

/* A drain that was asked for in the same turn is not; its answer would count for nothing. */
static void reopening_takes_the_drain_back(void **state)
{
    struct rig rig;

    (void)state;
    (void)start_at(&rig, LINGERING);
    rig_tick_at(&rig, rig.now_ms + WINDOW_LINGER_MS);
    struct window_reason *reason = rig_begin(&rig, WINDOW_TOKEN, RIG_UID, 60000);
    assert_int_equal(rig_actions(&rig), DO_OPEN);
    uint64_t stale = window_drain_sequence(&rig.window);
    window_lease_taken(&rig.window, rig.now_ms);
    window_release(&rig.window, rig.now_ms, reason);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_SHUT);
    rig_tick_at(&rig, rig.now_ms + WINDOW_LINGER_MS);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_DRAIN);
    assert_int_equal(window_drain_sequence(&rig.window), stale + 1);
    window_drained(&rig.window, rig.now_ms, stale);
    assert_int_equal(rig.window.state, WINDOW_DRAINING);
    assert_int_equal(rig_ended(&rig, WINDOW_END_REMOVED), 1);
    rig_deinit(&rig);
}

/* Only the answer to the last question counts. */
static void other_sequences_are_ignored(void **state)
{
    struct rig rig;

    (void)state;
    (void)start_at(&rig, DRAINING);
    uint64_t sequence = window_drain_sequence(&rig.window);
    assert_int_not_equal(sequence, 0);
    window_responder_down(&rig.window, rig.now_ms);
    window_responder_up(&rig.window, rig.now_ms);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_DRAIN);
    assert_int_equal(window_drain_sequence(&rig.window), sequence + 1);
    const uint64_t others[] = {0, sequence - 1, sequence, sequence + 2, UINT64_MAX};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        window_drained(&rig.window, rig.now_ms, others[i]);
        assert_int_equal(rig.window.state, WINDOW_DRAINING);
    }
    window_drained(&rig.window, rig.now_ms, sequence + 1);
    assert_int_equal(rig.window.state, WINDOW_ARMED);
    rig_deinit(&rig);
}

/* A responder that was told that the window is shut is told of the next, however the drain ended;
 * one that was not told, or is another, is not. */
static void opening_resumes_who_was_drained(void **state)
{
    enum { ANSWERED, TIMED_OUT, ANOTHER, CASES };

    (void)state;
    for (unsigned int what = ANSWERED; what < CASES; what++) {
        struct rig rig;
        (void)start_at(&rig, DRAINING);
        if (what == ANSWERED)
            window_drained(&rig.window, rig.now_ms, window_drain_sequence(&rig.window));
        else
            rig_pass_to(&rig, rig.window.drain_at_ms);
        assert_int_equal(rig.window.state, WINDOW_ARMED);
        (void)rig_actions_but_ping(&rig);
        if (what == ANOTHER) {
            window_responder_down(&rig.window, rig.now_ms);
            window_responder_up(&rig.window, rig.now_ms);
        }
        assert_int_equal(rig_actions(&rig), 0);
        struct window_reason *reason = rig_begin(&rig, WINDOW_TOKEN, RIG_UID, 60000);
        assert_int_equal(rig_actions(&rig), what == ANOTHER ? WINDOW_DO_PING : DO_OPEN);
        /* Once is enough. */
        rig_begin(&rig, WINDOW_TOKEN, RIG_UID, 60000);
        assert_int_equal(rig_actions(&rig), WINDOW_DO_PING);
        window_release(&rig.window, rig.now_ms, reason);
        assert_int_equal(rig_ended(&rig, WINDOW_END_REMOVED), 1);
        rig_deinit(&rig);
    }
}

/* A responder that goes before it was told needs no telling. */
static void a_dead_responder_is_not_resumed(void **state)
{
    struct rig rig;

    (void)state;
    (void)start_at(&rig, DRAINING);
    rig_begin(&rig, WINDOW_TOKEN, RIG_UID, 60000);
    window_responder_down(&rig.window, rig.now_ms);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_SHUT);
    window_responder_up(&rig.window, rig.now_ms);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_PING);
    rig_deinit(&rig);
}

static void stop_drains_first(void **state)
{
    struct rig rig;

    (void)state;
    (void)start_at(&rig, OPEN_LEASED);
    rig_begin(&rig, WINDOW_RUN, 7, WINDOW_FOREVER);
    (void)rig_actions(&rig);
    window_stop(&rig.window, rig.now_ms);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_SHUT);
    assert_int_equal(rig_ended(&rig, WINDOW_END_STOPPED), 2);
    rig_tick_at(&rig, window_next_ms(&rig.window));
    assert_int_equal(rig_actions(&rig), WINDOW_DO_DRAIN);
    window_drained(&rig.window, rig.now_ms, window_drain_sequence(&rig.window));
    assert_int_equal(rig_actions(&rig), WINDOW_DO_LEAVE);
    rig_deinit(&rig);
}

static void stop_leaves_when_the_drain_ends(void **state)
{
    struct rig rig;

    (void)state;
    (void)start_at(&rig, LINGERING);
    window_stop(&rig.window, rig.now_ms);
    assert_int_equal(rig_actions(&rig), 0);
    rig_pass_to(&rig, rig.window.drain_at_ms);
    assert_int_equal(rig_actions_but_ping(&rig), WINDOW_DO_DRAIN);
    assert_int_equal(rig.window.drain_at_ms, rig.now_ms + RIG_STOP_MS);
    rig_pass_to(&rig, rig.window.drain_at_ms);
    assert_int_equal(rig_actions_but_ping(&rig), WINDOW_DO_LEAVE);
    rig_deinit(&rig);
}

/* A drain that is under way is made shorter, never longer, and asked for anew. */
static void stop_shortens_the_drain(void **state)
{
    static const uint64_t after_ms[] = {0, 1000, RIG_DRAIN_MS - RIG_STOP_MS, RIG_DRAIN_MS - 1};

    (void)state;
    for (size_t i = 0; i < sizeof(after_ms) / sizeof(after_ms[0]); i++) {
        struct rig rig;
        (void)start_at(&rig, DRAINING);
        uint64_t end_ms = rig.window.drain_at_ms;
        uint64_t sequence = window_drain_sequence(&rig.window);
        rig_pass_to(&rig, rig.now_ms + after_ms[i]);
        assert_int_equal(rig_actions_but_ping(&rig), 0);
        if (end_ms > rig.now_ms + RIG_STOP_MS)
            end_ms = rig.now_ms + RIG_STOP_MS;
        window_stop(&rig.window, rig.now_ms);
        assert_int_equal(rig_actions(&rig), WINDOW_DO_DRAIN);
        assert_int_equal(rig.window.drain_at_ms, end_ms);
        window_drained(&rig.window, rig.now_ms, sequence);
        assert_int_equal(rig_actions(&rig), 0);
        rig_pass_to(&rig, end_ms - 1);
        assert_int_equal(rig_actions_but_ping(&rig), 0);
        rig_tick_at(&rig, end_ms);
        assert_int_equal(rig_actions_but_ping(&rig), WINDOW_DO_LEAVE);
        rig_deinit(&rig);
    }
}

static void second_stop_leaves_at_once(void **state)
{
    (void)state;
    for (unsigned int start = OPEN_LEASED; start <= DRAINING; start++) {
        struct rig rig;
        (void)start_at(&rig, start);
        window_stop(&rig.window, rig.now_ms);
        assert_int_equal(rig_actions(&rig), start == OPEN_LEASED ? WINDOW_DO_SHUT
                                            : start == DRAINING  ? WINDOW_DO_DRAIN
                                                                 : 0);
        window_stop(&rig.window, rig.now_ms);
        assert_int_equal(rig_actions(&rig), WINDOW_DO_LEAVE);
        assert_int_equal(rig.window.state, WINDOW_ARMED);
        rig_ended(&rig, WINDOW_END_STOPPED);
        rig_deinit(&rig);
    }
}

/* SIGTERM twice in one turn of the loop: the lease goes before the caller does. */
static void two_stops_at_once_still_shut(void **state)
{
    struct rig rig;

    (void)state;
    (void)start_at(&rig, OPEN_LEASED);
    window_stop(&rig.window, rig.now_ms);
    window_stop(&rig.window, rig.now_ms);
    assert_int_equal(rig_actions(&rig), WINDOW_DO_SHUT | WINDOW_DO_LEAVE);
    assert_int_equal(rig_ended(&rig, WINDOW_END_STOPPED), 1);
    rig_deinit(&rig);
}

static void deinit_frees_what_is_left(void **state)
{
    struct rig rig;

    (void)state;
    struct window_reason *reason = start_at(&rig, OPEN_LEASED);
    rig_begin(&rig, WINDOW_HAND, 1, WINDOW_FOREVER);
    rig_begin(&rig, WINDOW_RUN, 2, WINDOW_FOREVER);
    window_release(&rig.window, rig.now_ms, reason); /* not taken */
    rig_deinit(&rig);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_in_every_state),
        cmocka_unit_test(whole_life),
        cmocka_unit_test(drain_ends_by_itself),
        cmocka_unit_test(drain_kills_who_hangs),
        cmocka_unit_test(drain_asks_a_new_responder),
        cmocka_unit_test(reopening_starts_from_the_pong),
        cmocka_unit_test(reopening_in_vain_still_drains),
        cmocka_unit_test(reopening_takes_the_drain_back),
        cmocka_unit_test(other_sequences_are_ignored),
        cmocka_unit_test(opening_resumes_who_was_drained),
        cmocka_unit_test(a_dead_responder_is_not_resumed),
        cmocka_unit_test(stop_drains_first),
        cmocka_unit_test(stop_leaves_when_the_drain_ends),
        cmocka_unit_test(stop_shortens_the_drain),
        cmocka_unit_test(second_stop_leaves_at_once),
        cmocka_unit_test(two_stops_at_once_still_shut),
        cmocka_unit_test(deinit_frees_what_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
