// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The window under random events, with a model of everything around it: a caller that settles as
 * the keeper does (time, actions, what has ended), a kernel that lets a lease expire by itself, and
 * a responder that answers, dawdles, hangs and dies. After every settling the promises are checked.
 * What the model knows it has worked out itself, not read from the window.
 */
#include "keeper/window.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dice.h"

#define EVENTS   300000
#define UIDS     6
#define LEASE_MS 600
#define LIMIT_MS 20000
#define DRAIN_MS 3000
#define STOP_MS  200

/* How often things happened, so that a run in which they did not is no success. */
struct tally {
    unsigned int windows, leases, renewals, refused_leases, expired_leases, reopened, drained,
        drain_timeouts, stale_drains, resumed, shortened, kills, pings, stops, second_stops,
        ends[WINDOW_END_STOPPED + 1], refusals[WINDOW_REFUSED_MEMORY + 1];
};

struct model {
    struct dice *dice;
    struct window window;
    struct tally tally;
    uint64_t event;
    uint64_t now_ms;

    uint64_t kernel_until_ms; /* 0: no lease */
    uint64_t last_lease_ms;   /* when there last was one */
    bool had_lease;           /* and nothing has drained since */

    bool responder_up, hangs;
    uint64_t floor;    /* pongs up to this one count for nothing */
    uint64_t asked_ms; /* the oldest unanswered ping, or the last answer */
    bool good_pong;    /* in this turn */
    bool limit_due;    /* the same */
    uint64_t question; /* of the drain, that the responder has not answered; 0: none counts */
    uint64_t last_question;
    bool told_shut;       /* the responder: that no window is open */
    uint64_t opened_ms;   /* the present window */
    uint64_t closed_ms;   /* the last window */
    uint64_t drain_at_ms; /* when the drain ends, once asked for; 0: not yet */

    size_t reasons;
    uint64_t blocked_until_ms;
    uint64_t penalty_until_ms[UIDS];
    uint64_t since_ms[UIDS]; /* of those with a reason: when the first of an unbroken row began */
    unsigned int stops;
    bool left;
};

#define HOLDS(model, condition)                                                            \
    do {                                                                                   \
        if (!(condition))                                                                  \
            fail_msg("line %d, seed %" PRIu64 ", event %" PRIu64 ": not so: %s", __LINE__, \
                     (model)->dice->seed, (model)->event, #condition);                     \
    } while (0)

static void model_start(struct model *model)
{
    const struct window_options options = {
        .lease_ms = LEASE_MS, .limit_ms = LIMIT_MS, .drain_ms = DRAIN_MS, .stop_ms = STOP_MS};
    struct model fresh = {
        .dice = model->dice, .tally = model->tally, .event = model->event, .now_ms = model->now_ms};

    *model = fresh;
    window_init(&model->window, &options);
}

/* Since when the user has had a reason, if one of them outlasts the limit; else WINDOW_FOREVER. */
static uint64_t outlasts_since(const struct model *model, uid_t uid)
{
    bool outlasts = false;

    for (const struct window_reason *one = model->window.reasons; one != NULL; one = one->next)
        outlasts = outlasts || (one->uid == uid && one->deadline.at_ms > model->now_ms);
    return outlasts ? model->since_ms[uid] : WINDOW_FOREVER;
}

/* At the limit those pay who were there for half of the window, or else whoever was there longest.
 */
static void foresee_limit(struct model *model)
{
    uint64_t half_ms = model->now_ms - (model->now_ms - model->opened_ms) / 2;
    uint64_t earliest_ms = WINDOW_FOREVER;

    if (model->window.reasons == NULL || model->now_ms < model->opened_ms + LIMIT_MS)
        return;
    model->limit_due = true;
    for (uid_t uid = 0; uid < UIDS; uid++)
        if (outlasts_since(model, uid) < earliest_ms)
            earliest_ms = outlasts_since(model, uid);
    for (uid_t uid = 0; uid < UIDS; uid++) {
        uint64_t since_ms = outlasts_since(model, uid);
        if (since_ms != WINDOW_FOREVER && (since_ms <= half_ms || since_ms == earliest_ms))
            model->penalty_until_ms[uid] = model->now_ms + LIMIT_MS;
    }
}

static enum window_refusal foresee_refusal(const struct model *model, uid_t uid)
{
    if (model->stops > 0)
        return WINDOW_REFUSED_STOPPING;
    if (model->penalty_until_ms[uid] > model->now_ms)
        return WINDOW_REFUSED_PENALTY;
    if (model->blocked_until_ms > model->now_ms)
        return WINDOW_REFUSED_BLOCKED;
    return WINDOW_ACCEPTED;
}

/* --- events --- */

static size_t reasons_of(const struct window *window, uid_t uid)
{
    size_t count = 0;

    for (const struct window_reason *one = window->reasons; one != NULL; one = one->next)
        count += one->uid == uid;
    return count;
}

static void begin(struct model *model)
{
    struct window *window = &model->window;
    struct window_reason *reason = calloc(1, sizeof(*reason));
    uint64_t windows = window->windows;
    uint64_t sequence = window_ping_sequence(window);
    bool was_draining = window->state == WINDOW_DRAINING;
    uint64_t until_ms;

    assert_non_null(reason);
    reason->kind = (enum window_kind)dice_roll(model->dice, 3);
    reason->uid = (uid_t)dice_roll(model->dice, UIDS);
    reason->deadline.at_ms =
        model->now_ms + dice_roll(model->dice, dice_once_in(model->dice, 4) ? 30000 : 3000);
    if (reason->kind == WINDOW_RUN && dice_once_in(model->dice, 4))
        reason->deadline.at_ms = WINDOW_FOREVER;

    foresee_limit(model);
    enum window_refusal expected = foresee_refusal(model, reason->uid);
    uint64_t penalty_ms = model->penalty_until_ms[reason->uid];
    enum window_refusal refusal = window_begin(window, model->now_ms, reason, &until_ms);
    HOLDS(model, refusal == expected);
    if (refusal == WINDOW_ACCEPTED && reasons_of(window, reason->uid) == 1)
        model->since_ms[reason->uid] = model->now_ms;
    model->tally.refusals[refusal]++;
    if (refusal != WINDOW_ACCEPTED) {
        HOLDS(model, refusal != WINDOW_REFUSED_PENALTY || until_ms == penalty_ms);
        HOLDS(model, refusal != WINDOW_REFUSED_BLOCKED || until_ms == model->blocked_until_ms);
        free(reason);
        return;
    }
    model->reasons++;
    if (window->windows == windows)
        return;
    model->opened_ms = model->now_ms;
    model->floor = sequence;
    model->asked_ms = model->now_ms;
    model->drain_at_ms = 0;
    model->question = 0;
    model->tally.windows++;
    model->tally.reopened += was_draining;
}

static struct window_reason *any_reason(struct model *model)
{
    struct window_reason *reason = model->window.reasons;

    if (reason == NULL)
        return NULL;
    for (uint64_t skip = dice_roll(model->dice, model->window.reason_count); skip > 0; skip--)
        reason = reason->next;
    return reason;
}

static void end_one(struct model *model)
{
    struct window_reason *reason = any_reason(model);

    if (reason == NULL)
        return;
    if (dice_once_in(model->dice, 3)) {
        window_again(&model->window, model->now_ms, reason,
                     model->now_ms + dice_roll(model->dice, 4000));
    } else if (dice_once_in(model->dice, 2)) {
        window_release(&model->window, model->now_ms, reason);
    } else {
        window_finish(&model->window, model->now_ms, reason, WINDOW_END_REMOVED);
        /* A second event of the same turn wants the same. */
        if (dice_once_in(model->dice, 2))
            window_release(&model->window, model->now_ms, reason);
    }
}

static void pong(struct model *model)
{
    uint64_t sent = window_ping_sequence(&model->window);
    uint64_t sequence = sent;

    if (!model->responder_up && dice_once_in(model->dice, 2))
        return;
    if (dice_once_in(model->dice, 4)) /* late or forged */
        sequence = sent + 2 - dice_roll(model->dice, sent < 5 ? sent + 3 : 6);
    else if (model->hangs)
        return;
    bool good = model->responder_up && sequence > model->floor && sequence <= sent;
    if (good)
        foresee_limit(model);
    window_pong(&model->window, model->now_ms, sequence);
    if (good) {
        model->good_pong = true;
        model->floor = sequence;
        model->asked_ms = model->now_ms;
    }
}

static void responder_up(struct model *model)
{
    if (model->responder_up)
        return;
    model->responder_up = true;
    model->hangs = false;
    model->floor = window_ping_sequence(&model->window);
    model->asked_ms = model->now_ms;
    window_responder_up(&model->window, model->now_ms);
}

static void responder_down(struct model *model)
{
    model->responder_up = false;
    model->told_shut = false;
    model->question = 0;
    model->floor = window_ping_sequence(&model->window);
    window_responder_down(&model->window, model->now_ms);
}

/* The answer to the last question, or to an older one, or to none. */
static void drained(struct model *model)
{
    uint64_t sequence = model->question;
    enum window_state before = model->window.state;

    if (model->question == 0 || dice_once_in(model->dice, 3))
        sequence = dice_once_in(model->dice, 2) ? model->last_question + 1000
                                                : dice_roll(model->dice, model->last_question + 1);
    /* The dead do not answer. */
    if (!model->responder_up && sequence == model->last_question)
        return;
    if (sequence == 0 || sequence != model->question) {
        window_drained(&model->window, model->now_ms, sequence);
        HOLDS(model, model->window.state == before);
        model->tally.stale_drains += before == WINDOW_DRAINING;
        return;
    }
    model->question = 0;
    HOLDS(model, before == WINDOW_DRAINING && model->drain_at_ms != 0);
    HOLDS(model, model->now_ms >= model->last_lease_ms + WINDOW_LINGER_MS);
    window_drained(&model->window, model->now_ms, sequence);
    HOLDS(model, model->window.state == WINDOW_ARMED);
    model->had_lease = false;
    model->tally.drained++;
}

static void stop(struct model *model)
{
    /* A drain that is under way is asked for anew, and has less time. */
    if (model->window.state == WINDOW_DRAINING && model->drain_at_ms != 0) {
        model->question = 0;
        if (model->drain_at_ms > model->now_ms + STOP_MS) {
            model->drain_at_ms = model->now_ms + STOP_MS;
            model->tally.shortened++;
        }
    }
    window_stop(&model->window, model->now_ms);
    model->stops++;
    model->tally.stops++;
    model->tally.second_stops += model->stops == 2;
}

static void happen(struct model *model)
{
    uint64_t what = dice_roll(model->dice, 1000);

    if (model->stops > 0 && dice_once_in(model->dice, 40))
        what = 999;
    if (model->window.state == WINDOW_DRAINING && dice_once_in(model->dice, 400))
        what = 999;
    if (what < 200)
        begin(model);
    else if (what < 340)
        end_one(model);
    else if (what < 700)
        pong(model);
    else if (what < 780)
        responder_up(model);
    else if (what < 800)
        responder_down(model);
    else if (what < 804)
        model->hangs = true;
    else if (what < 900)
        drained(model);
    else if (what < 990)
        window_ping(&model->window, model->now_ms);
    else if (what < 994) {
        /* When nothing is open or draining, no connection can have been lost. */
        if (model->window.state != WINDOW_ARMED)
            model->blocked_until_ms = model->now_ms + WINDOW_BLOCKED_MS;
        window_blocked(&model->window, model->now_ms,
                       dice_once_in(model->dice, 2) ? WINDOW_END_BLOCKED : WINDOW_END_UNPASSED);
        HOLDS(model, model->window.state != WINDOW_OPEN);
    } else if (what == 999 || model->stops > 0) {
        stop(model);
    }
}

/* --- the caller --- */

static void arm(struct model *model)
{
    uint64_t luck = dice_roll(model->dice, 40);
    bool renewed = model->kernel_until_ms > model->now_ms;

    HOLDS(model, model->good_pong);
    model->good_pong = false;
    /* At 0 the kernel has done it, but its answer was lost. */
    if (luck == 0 || luck > 2) {
        model->kernel_until_ms = model->now_ms + LEASE_MS;
        model->had_lease = true;
    }
    if (luck <= 2) {
        model->tally.refused_leases++;
        window_lease_refused(&model->window, model->now_ms,
                             luck == 1 ? WINDOW_HOLD_PRESSURE : WINDOW_HOLD_KERNEL);
        HOLDS(model, (model->window.actions & WINDOW_DO_SHUT) != 0);
        return;
    }
    window_lease_taken(&model->window, model->now_ms);
    *(renewed ? &model->tally.renewals : &model->tally.leases) += 1;
}

static void act(struct model *model, unsigned int actions)
{
    HOLDS(model, (actions & WINDOW_DO_SHUT) == 0 || (actions & WINDOW_DO_ARM) == 0);
    if ((actions & WINDOW_DO_SHUT) != 0 && model->kernel_until_ms != 0) {
        model->kernel_until_ms = 0;
        model->last_lease_ms = model->now_ms;
    }
    if ((actions & WINDOW_DO_KILL) != 0) {
        HOLDS(model, model->responder_up);
        HOLDS(model, model->now_ms >= model->asked_ms + LEASE_MS);
        HOLDS(model, model->floor < window_ping_sequence(&model->window));
        model->tally.kills++;
        model->floor = window_ping_sequence(&model->window);
        model->responder_up = false;
        model->told_shut = false;
        model->question = 0;
    }
    if ((actions & WINDOW_DO_PING) != 0) {
        HOLDS(model, model->responder_up);
        model->tally.pings++;
    }
    if ((actions & WINDOW_DO_ARM) != 0)
        arm(model);
    if ((actions & WINDOW_DO_RESUME) != 0) {
        HOLDS(model, model->responder_up);
        model->tally.resumed += model->told_shut;
        model->told_shut = false;
    }
    if ((actions & WINDOW_DO_DRAIN) != 0) {
        HOLDS(model, model->responder_up && model->window.state == WINDOW_DRAINING);
        HOLDS(model, window_drain_sequence(&model->window) > model->last_question);
        model->question = model->last_question = window_drain_sequence(&model->window);
        model->told_shut = true;
    }
    if ((actions & WINDOW_DO_LEAVE) != 0) {
        HOLDS(model, model->stops > 0 && model->kernel_until_ms <= model->now_ms);
        model->left = true;
    }
}

static void take_ended(struct model *model)
{
    struct window_reason *reason = window_take_ended(&model->window);

    while (reason != NULL) {
        struct window_reason *next = reason->next;
        HOLDS(model, reason->count == 0 && model->reasons > 0);
        HOLDS(model, reason->end != WINDOW_END_DEADLINE || reason->deadline.at_ms <= model->now_ms);
        HOLDS(model, reason->end != WINDOW_END_LIMIT || model->limit_due);
        HOLDS(model, reason->end != WINDOW_END_STOPPED || model->stops > 0);
        model->tally.ends[reason->end]++;
        model->reasons--;
        free(reason);
        reason = next;
    }
}

/* As keeper_settle does it. */
static void settle(struct model *model)
{
    unsigned int actions;
    unsigned int rounds = 0;

    if (model->kernel_until_ms != 0 && model->kernel_until_ms <= model->now_ms) {
        model->last_lease_ms = model->kernel_until_ms;
        model->kernel_until_ms = 0;
        model->tally.expired_leases++;
    }
    do {
        HOLDS(model, ++rounds < 8);
        foresee_limit(model);
        window_tick(&model->window, model->now_ms);
        actions = window_take_actions(&model->window);
        act(model, actions);
        take_ended(model);
    } while (actions != 0 || model->window.actions != 0 || model->window.ended != NULL);
    model->good_pong = false;
    model->limit_due = false;
}

/* --- the promises --- */

static void check_lists(const struct model *model)
{
    const struct window *window = &model->window;
    unsigned int reasons[UIDS] = {0}, tokens[UIDS] = {0};
    const struct window_reason *previous = NULL;
    size_t count = 0;

    for (const struct window_reason *one = window->reasons; one != NULL; one = one->next) {
        HOLDS(model, one->previous == previous && one->count > 0);
        HOLDS(model, one->deadline.at_ms > model->now_ms);
        HOLDS(model, window->deadlines.heap[one->deadline.position] == &one->deadline);
        reasons[one->uid]++;
        tokens[one->uid] += one->kind == WINDOW_TOKEN;
        previous = one;
        count++;
    }
    HOLDS(model, window->reasons_last == previous && window->reason_count == count);
    HOLDS(model, model->reasons == count && window->deadlines.count == count);
    for (const struct window_user *user = window->users; user != NULL; user = user->hh.next) {
        HOLDS(model, user->reasons == reasons[user->uid] && user->tokens == tokens[user->uid]);
        HOLDS(model, user->reasons > 0 || model->penalty_until_ms[user->uid] > model->now_ms);
        reasons[user->uid] = 0;
    }
    for (unsigned int uid = 0; uid < UIDS; uid++)
        HOLDS(model, reasons[uid] == 0);
}

static void check_drain(struct model *model, enum window_state before)
{
    const struct window *window = &model->window;

    if (before == WINDOW_OPEN && window->state != WINDOW_OPEN) {
        model->closed_ms = model->now_ms;
        model->drain_at_ms = 0;
    }
    if (window->state == WINDOW_DRAINING && window->lingering) {
        HOLDS(model, model->now_ms < model->closed_ms + WINDOW_LINGER_MS);
    } else if (window->state == WINDOW_DRAINING) {
        HOLDS(model, model->now_ms >= model->closed_ms + WINDOW_LINGER_MS);
        if (model->drain_at_ms == 0)
            model->drain_at_ms = model->now_ms + (model->stops > 0 ? STOP_MS : DRAIN_MS);
        HOLDS(model, model->now_ms < model->drain_at_ms);
    } else if (window->state == WINDOW_ARMED && model->had_lease) {
        /* Whoever came through the redirect has had the time to finish, or we were told to go. */
        bool in_time = model->drain_at_ms != 0 && model->now_ms >= model->drain_at_ms;
        HOLDS(model, model->stops > 1 || in_time);
        HOLDS(model, model->stops > 1 || model->now_ms >= model->last_lease_ms + WINDOW_LINGER_MS);
        model->tally.drain_timeouts += in_time;
        model->had_lease = false;
    }
}

static void check(struct model *model, enum window_state before)
{
    const struct window *window = &model->window;
    bool redirected = model->kernel_until_ms > model->now_ms;

    HOLDS(model, redirected == window->leased);
    if (redirected) {
        HOLDS(model, window->state == WINDOW_OPEN && window->reasons != NULL);
        HOLDS(model, window->hold == WINDOW_HOLD_NONE && model->responder_up);
    }
    HOLDS(model, (window->state == WINDOW_OPEN) == (window->reasons != NULL));
    /* The responder that drains has been asked for the last time there was to ask. */
    if (window->state == WINDOW_DRAINING && !window->lingering && model->responder_up)
        HOLDS(model, model->told_shut && model->question == window_drain_sequence(window));
    if (window->state == WINDOW_OPEN) {
        HOLDS(model, !model->told_shut);
        HOLDS(model, model->now_ms < model->opened_ms + LIMIT_MS && model->stops == 0);
        HOLDS(model, redirected || window->hold != WINDOW_HOLD_NONE);
        /* A hanging responder does not last. */
        if (model->responder_up && model->floor < window_ping_sequence(window))
            HOLDS(model, model->now_ms < model->asked_ms + LEASE_MS);
    }
    check_drain(model, before);
    check_lists(model);
    if (window->state == WINDOW_ARMED) /* nobody waits for an answer any more */
        model->question = 0;
    HOLDS(model, window->actions == 0 && window_next_ms(window) > model->now_ms);
    HOLDS(model, model->stops == 0 || window->state != WINDOW_ARMED || model->left);
    HOLDS(model, model->stops < 2 || model->left);
}

static void pass_time(struct model *model)
{
    uint64_t next_ms = window_next_ms(&model->window);
    uint64_t what = dice_roll(model->dice, 100);

    if (what < 60)
        model->now_ms += dice_roll(model->dice, 60);
    else if (what < 90 && next_ms != WINDOW_FOREVER)
        model->now_ms = next_ms;
    else if (what < 98)
        model->now_ms += dice_roll(model->dice, LEASE_MS);
    else if (what == 99 && dice_once_in(model->dice, 10))
        model->now_ms += dice_roll(model->dice, 2 * LIMIT_MS); /* the keeper was stopped */
}

static void keeps_its_promises(void **state)
{
    struct model model = {.dice = *state, .now_ms = 1};

    model_start(&model);
    while (model.event < EVENTS) {
        enum window_state before = model.window.state;
        pass_time(&model);
        /* Usually one event a turn of the loop, at times several. */
        do {
            uint64_t pings = window_ping_sequence(&model.window);
            bool quiet = model.floor == pings;
            model.event++;
            happen(&model);
            if (quiet && window_ping_sequence(&model.window) > pings)
                model.asked_ms = model.now_ms;
            before = before == WINDOW_OPEN ? before : model.window.state;
        } while (dice_once_in(model.dice, 5));
        bool quiet = model.floor == window_ping_sequence(&model.window);
        settle(&model);
        if (quiet && model.floor < window_ping_sequence(&model.window))
            model.asked_ms = model.now_ms;
        check(&model, before);
        if (model.left) {
            window_deinit(&model.window);
            model_start(&model);
        }
    }
    window_deinit(&model.window);

    const struct tally *tally = &model.tally;
    printf("%u windows (%u reopened), %u leases, %u renewals, %u refused, %u expired, %u pings,\n"
           "%u kills, %u drained, %u answers to no question, %u drains timed out, %u resumed, "
           "%u shortened,\n%u stops, %u of them second ones\n",
           tally->windows, tally->reopened, tally->leases, tally->renewals, tally->refused_leases,
           tally->expired_leases, tally->pings, tally->kills, tally->drained, tally->stale_drains,
           tally->drain_timeouts, tally->resumed, tally->shortened, tally->stops,
           tally->second_stops);
    assert_true(tally->reopened && tally->leases && tally->renewals && tally->refused_leases);
    assert_true(tally->expired_leases && tally->kills && tally->drained && tally->drain_timeouts);
    assert_true(tally->second_stops && tally->stale_drains && tally->resumed && tally->shortened);
    for (unsigned int end = 0; end <= WINDOW_END_STOPPED; end++)
        assert_int_not_equal(tally->ends[end], 0);
    assert_true(tally->refusals[WINDOW_REFUSED_PENALTY] && tally->refusals[WINDOW_REFUSED_BLOCKED]);
    assert_true(tally->refusals[WINDOW_REFUSED_STOPPING]);
}

int main(int argc, char **argv)
{
    struct dice dice;

    dice_init(&dice, argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(keeps_its_promises, &dice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
