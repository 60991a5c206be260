// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/window.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static uint64_t later(uint64_t now_ms, uint64_t by_ms)
{
    return by_ms > WINDOW_FOREVER - now_ms ? WINDOW_FOREVER : now_ms + by_ms;
}

static uint64_t earlier(uint64_t a_ms, uint64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

/* Taking the lease away always wins over renewing it. */
static void want_shut(struct window *window)
{
    window->leased = false;
    window->actions &= ~(unsigned int)WINDOW_DO_ARM;
    window->actions |= WINDOW_DO_SHUT;
}

static void want_ping(struct window *window, uint64_t now_ms)
{
    if (!window->responder_ready)
        return;
    if (window->ping_sent == window->ping_answered)
        window->silent_since_ms = now_ms;
    window->ping_sent++;
    window->ping_due_ms = later(now_ms, window->options.lease_ms / 3);
    window->actions |= WINDOW_DO_PING;
}

static struct window_user *user_find(const struct window *window, uid_t uid)
{
    struct window_user *user;

    HASH_FIND(hh, window->users, &uid, sizeof(uid), user);
    return user;
}

static struct window_user *user_get(struct window *window, uid_t uid)
{
    struct window_user *user = user_find(window, uid);

    if (user == NULL) {
        user = calloc(1, sizeof(*user));
        if (user == NULL)
            return NULL;
        user->uid = uid;
        HASH_ADD(hh, window->users, uid, sizeof(uid), user);
    }
    return user;
}

static void users_forget(struct window *window, uint64_t now_ms)
{
    struct window_user *user, *next;

    HASH_ITER(hh, window->users, user, next)
    {
        if (user->penalty_until_ms <= now_ms)
            user->penalty_until_ms = 0;
        if (user->reasons == 0 && user->penalty_until_ms == 0) {
            HASH_DEL(window->users, user);
            free(user);
        }
    }
}

/* The responder is asked, or asked anew: what it would have said to an older question is void. */
static void want_drain(struct window *window)
{
    window->drain_sequence++;
    if (window->responder_ready) {
        window->drain_told = true;
        window->actions |= WINDOW_DO_DRAIN;
    }
}

static void state_open(struct window *window, uint64_t now_ms)
{
    /* Also after its answer, or after a drain that nobody waits for any more. */
    if (window->drain_told)
        window->actions |= WINDOW_DO_RESUME;
    window->drain_told = false;
    window->state = WINDOW_OPEN;
    window->opened_ms = now_ms;
    window->limit_at_ms = later(now_ms, window->options.limit_ms);
    window->windows++;
    window->was_leased = false;
    window->hold = WINDOW_HOLD_RESPONDER;
    /* Answers still under way were given before the responder heard of this window's token. */
    window->ping_answered = window->ping_sent;
    window->actions &= ~(unsigned int)WINDOW_DO_DRAIN;
}

static void state_armed(struct window *window)
{
    window->state = WINDOW_ARMED;
    window->drain_owed = false;
    window->actions &= ~(unsigned int)WINDOW_DO_DRAIN;
    if (window->stopping)
        window->actions |= WINDOW_DO_LEAVE;
}

/* The last reason is gone. */
static void state_draining(struct window *window, uint64_t now_ms)
{
    window->open_total_ms += now_ms - window->opened_ms;
    want_shut(window);
    if (!window->drain_owed) {
        state_armed(window);
        return;
    }
    window->state = WINDOW_DRAINING;
    window->lingering = true;
    window->drain_at_ms = later(now_ms, WINDOW_LINGER_MS);
}

void window_init(struct window *window, const struct window_options *options)
{
    *window = (struct window){.options = *options};
}

void window_configure(struct window *window, const struct window_options *options)
{
    uint64_t limit_at_ms = later(window->opened_ms, options->limit_ms);

    window->options = *options;
    if (limit_at_ms < window->limit_at_ms)
        window->limit_at_ms = limit_at_ms;
}

static void reasons_free(struct window_reason *reason)
{
    while (reason != NULL) {
        struct window_reason *next = reason->next;
        free(reason);
        reason = next;
    }
}

void window_deinit(struct window *window)
{
    struct window_user *user, *next;

    reasons_free(window->reasons);
    reasons_free(window->ended);
    deadlines_deinit(&window->deadlines);
    HASH_ITER(hh, window->users, user, next)
    {
        HASH_DEL(window->users, user);
        free(user);
    }
    *window = (struct window){0};
}

enum window_refusal window_would_refuse(const struct window *window, uint64_t now_ms, uid_t uid,
                                        enum window_kind kind, uint64_t *until_ms)
{
    const struct window_user *user = user_find(window, uid);

    *until_ms = 0;
    if (window->stopping)
        return WINDOW_REFUSED_STOPPING;
    if (user != NULL && user->penalty_until_ms > now_ms) {
        *until_ms = user->penalty_until_ms;
        return WINDOW_REFUSED_PENALTY;
    }
    if (window->blocked_until_ms > now_ms) {
        *until_ms = window->blocked_until_ms;
        return WINDOW_REFUSED_BLOCKED;
    }
    if (kind == WINDOW_TOKEN && user != NULL && user->tokens >= WINDOW_TOKENS_PER_UID)
        return WINDOW_REFUSED_QUOTA;
    return WINDOW_ACCEPTED;
}

static void reason_end(struct window *window, struct window_reason *reason, enum window_end end)
{
    deadlines_remove(&window->deadlines, &reason->deadline);
    *(reason->previous == NULL ? &window->reasons : &reason->previous->next) = reason->next;
    *(reason->next == NULL ? &window->reasons_last : &reason->next->previous) = reason->previous;
    window->reason_count--;
    /* A user with a reason is never forgotten. */
    struct window_user *user = user_find(window, reason->uid);
    user->reasons--;
    if (reason->kind == WINDOW_TOKEN)
        user->tokens--;
    reason->end = end;
    reason->count = 0;
    reason->previous = NULL;
    reason->next = window->ended;
    window->ended = reason;
}

static void finish_all(struct window *window, uint64_t now_ms, enum window_end end)
{
    if (window->reasons == NULL)
        return;
    while (window->reasons != NULL)
        reason_end(window, window->reasons, end);
    state_draining(window, now_ms);
}

/*
 * Whoever kept the window open for at least half of its time waits as long again; where all took
 * shorter turns, those who were there longest. Who came at the end did not keep it open.
 */
static void limit_reached(struct window *window, uint64_t now_ms)
{
    uint64_t from_ms = now_ms - (now_ms - window->opened_ms) / 2;
    uint64_t earliest_ms = WINDOW_FOREVER;
    struct window_user *user;

    for (user = window->users; user != NULL; user = user->hh.next)
        if (user->reasons > 0)
            earliest_ms = earlier(earliest_ms, user->since_ms);
    if (from_ms < earliest_ms)
        from_ms = earliest_ms;
    for (user = window->users; user != NULL; user = user->hh.next)
        if (user->reasons > 0 && user->since_ms <= from_ms)
            user->penalty_until_ms = later(now_ms, window->options.limit_ms);
    finish_all(window, now_ms, WINDOW_END_LIMIT);
}

/* Ends what is over by now. Whoever ends in time, even just in time, does not pay for the limit. */
static void expire(struct window *window, uint64_t now_ms)
{
    struct deadline *first;

    while ((first = deadlines_first(&window->deadlines)) != NULL && first->at_ms <= now_ms) {
        struct window_reason *reason =
            (void *)((char *)first - offsetof(struct window_reason, deadline));
        window_finish(window, now_ms, reason, WINDOW_END_DEADLINE);
    }
    if (window->state == WINDOW_OPEN && now_ms >= window->limit_at_ms)
        limit_reached(window, now_ms);
}

struct window_reason *window_reason_new(enum window_kind kind, uid_t uid, uint64_t deadline_ms,
                                        const char *purpose)
{
    size_t length = strlen(purpose);
    size_t size = offsetof(struct window_reason, purpose) + length + 1;
    struct window_reason *reason = calloc(1, size < sizeof(*reason) ? sizeof(*reason) : size);

    if (reason == NULL)
        return NULL;
    reason->kind = kind;
    reason->uid = uid;
    reason->deadline.at_ms = deadline_ms;
    memcpy(reason->purpose, purpose, length);
    return reason;
}

enum window_refusal window_begin(struct window *window, uint64_t now_ms,
                                 struct window_reason *reason, uint64_t *until_ms)
{
    /* What comes after the end of a window is not part of it. */
    expire(window, now_ms);

    enum window_refusal refusal =
        window_would_refuse(window, now_ms, reason->uid, reason->kind, until_ms);
    if (refusal != WINDOW_ACCEPTED)
        return refusal;

    struct window_user *user = user_get(window, reason->uid);
    if (user == NULL)
        return WINDOW_REFUSED_MEMORY;
    reason->deadline.position = 0;
    if (!deadlines_add(&window->deadlines, &reason->deadline))
        return WINDOW_REFUSED_MEMORY;

    if (user->reasons++ == 0)
        user->since_ms = now_ms;
    if (reason->kind == WINDOW_TOKEN)
        user->tokens++;
    reason->count = 1;
    reason->since_ms = now_ms;
    reason->next = NULL;
    reason->previous = window->reasons_last;
    *(window->reasons_last == NULL ? &window->reasons : &window->reasons_last->next) = reason;
    window->reasons_last = reason;
    window->reason_count++;

    if (window->state != WINDOW_OPEN)
        state_open(window, now_ms);
    /* The answer proves that the responder has the token, and takes the lease. */
    want_ping(window, now_ms);
    return WINDOW_ACCEPTED;
}

void window_again(struct window *window, uint64_t now_ms, struct window_reason *reason,
                  uint64_t deadline_ms)
{
    if (reason->count == 0)
        return;
    reason->count++;
    if (deadline_ms > reason->deadline.at_ms)
        deadlines_change(&window->deadlines, &reason->deadline, deadline_ms);
    want_ping(window, now_ms);
}

void window_release(struct window *window, uint64_t now_ms, struct window_reason *reason)
{
    if (reason->count > 1)
        reason->count--;
    else
        window_finish(window, now_ms, reason, WINDOW_END_REMOVED);
}

void window_finish(struct window *window, uint64_t now_ms, struct window_reason *reason,
                   enum window_end end)
{
    if (reason->count == 0)
        return;
    reason_end(window, reason, end);
    if (window->reasons == NULL)
        state_draining(window, now_ms);
}

void window_responder_up(struct window *window, uint64_t now_ms)
{
    window->responder_ready = true;
    window->ping_answered = window->ping_sent;
    if (window->state == WINDOW_OPEN)
        want_ping(window, now_ms);
    else if (window->state == WINDOW_DRAINING && !window->lingering)
        want_drain(window);
}

void window_responder_down(struct window *window, uint64_t now_ms)
{
    (void)now_ms;
    window->responder_ready = false;
    window->drain_told = false;
    window->ping_answered = window->ping_sent;
    window->actions &=
        ~(unsigned int)(WINDOW_DO_PING | WINDOW_DO_DRAIN | WINDOW_DO_KILL | WINDOW_DO_RESUME);
    if (window->state == WINDOW_OPEN) {
        window->hold = WINDOW_HOLD_RESPONDER;
        want_shut(window);
    }
}

void window_pong(struct window *window, uint64_t now_ms, uint64_t sequence)
{
    if (sequence <= window->ping_answered || sequence > window->ping_sent)
        return;
    window->ping_answered = sequence;
    window->silent_since_ms = now_ms;
    /* After a long sleep of ours the answer may be read before the time is looked at. */
    expire(window, now_ms);
    /* A lease that is to go goes first; the next ping takes it again. */
    if (window->state != WINDOW_OPEN || (window->actions & WINDOW_DO_SHUT) != 0)
        return;
    /* Many tokens one after the other are many pongs: a fresh lease is left alone. */
    if (!window->leased || now_ms >= later(window->armed_ms, window->options.lease_ms / 6))
        window->actions |= WINDOW_DO_ARM;
}

void window_ping(struct window *window, uint64_t now_ms)
{
    want_ping(window, now_ms);
}

void window_drained(struct window *window, uint64_t now_ms, uint64_t sequence)
{
    (void)now_ms;
    if (window->state == WINDOW_DRAINING && !window->lingering &&
        sequence == window->drain_sequence)
        state_armed(window);
}

void window_lease_taken(struct window *window, uint64_t now_ms)
{
    if (window->state != WINDOW_OPEN || !window->responder_ready) {
        want_shut(window);
        return;
    }
    window->leased = true;
    window->armed_ms = now_ms;
    window->was_leased = true;
    window->drain_owed = true;
    window->hold = WINDOW_HOLD_NONE;
}

void window_lease_refused(struct window *window, uint64_t now_ms, enum window_hold why)
{
    (void)now_ms;
    if (window->state == WINDOW_OPEN)
        window->hold = why;
    /* What failed may be the kernel's answer only, and somebody has come through since. */
    if (window->state == WINDOW_OPEN && why == WINDOW_HOLD_KERNEL)
        window->drain_owed = true;
    want_shut(window);
}

void window_blocked(struct window *window, uint64_t now_ms, enum window_end why)
{
    if (window->state == WINDOW_ARMED)
        return;
    window->blocked_until_ms = later(now_ms, WINDOW_BLOCKED_MS);
    finish_all(window, now_ms, why);
}

void window_stop(struct window *window, uint64_t now_ms)
{
    bool at_once = window->stopping;

    window->stopping = true;
    finish_all(window, now_ms, WINDOW_END_STOPPED);
    if (at_once || window->state == WINDOW_ARMED) {
        state_armed(window);
    } else if (!window->lingering) {
        window->drain_at_ms = earlier(window->drain_at_ms, later(now_ms, window->options.stop_ms));
        want_drain(window);
    }
}

/* While it has connections: after the window has shut, those who were passed on are still there,
 * and a responder that hangs then would hold them, and the keeper, until the drain's end. */
static void tick_responder(struct window *window, uint64_t now_ms)
{
    if (!window->responder_ready)
        return;
    if (window->ping_sent != window->ping_answered &&
        now_ms >= later(window->silent_since_ms, window->options.lease_ms)) {
        /* As good as dead: what it may have said before counts no more. */
        window_responder_down(window, now_ms);
        window->actions |= WINDOW_DO_KILL;
    } else if (now_ms >= window->ping_due_ms && window->ping_sent == window->ping_answered) {
        want_ping(window, now_ms);
    }
}

static void tick_open(struct window *window, uint64_t now_ms)
{
    /* The kernel has let go of a lease that nobody renewed. If its clock should run behind ours,
     * it does so now. */
    if (window->leased && (window->actions & WINDOW_DO_ARM) == 0 &&
        now_ms >= later(window->armed_ms, window->options.lease_ms)) {
        window->hold = WINDOW_HOLD_RESPONDER;
        want_shut(window);
    }
    tick_responder(window, now_ms);
}

static void tick_draining(struct window *window, uint64_t now_ms)
{
    tick_responder(window, now_ms);
    if (now_ms < window->drain_at_ms)
        return;
    if (!window->lingering) {
        state_armed(window);
        return;
    }
    window->lingering = false;
    window->drain_at_ms =
        later(now_ms, window->stopping ? window->options.stop_ms : window->options.drain_ms);
    want_drain(window);
}

void window_tick(struct window *window, uint64_t now_ms)
{
    expire(window, now_ms);
    if (window->state == WINDOW_OPEN)
        tick_open(window, now_ms);
    else if (window->state == WINDOW_DRAINING)
        tick_draining(window, now_ms);
    users_forget(window, now_ms);
    if (window->blocked_until_ms <= now_ms)
        window->blocked_until_ms = 0;
}

static uint64_t next_responder_ms(const struct window *window)
{
    if (!window->responder_ready)
        return WINDOW_FOREVER;
    return window->ping_sent == window->ping_answered
               ? window->ping_due_ms
               : later(window->silent_since_ms, window->options.lease_ms);
}

static uint64_t next_open_ms(const struct window *window)
{
    const struct deadline *first = deadlines_first(&window->deadlines);
    uint64_t next_ms = window->limit_at_ms;

    if (first != NULL)
        next_ms = earlier(next_ms, first->at_ms);
    if (window->leased)
        next_ms = earlier(next_ms, later(window->armed_ms, window->options.lease_ms));
    return earlier(next_ms, next_responder_ms(window));
}

uint64_t window_next_ms(const struct window *window)
{
    uint64_t next_ms = WINDOW_FOREVER;

    if (window->state == WINDOW_OPEN)
        next_ms = next_open_ms(window);
    else if (window->state == WINDOW_DRAINING)
        next_ms = earlier(window->drain_at_ms, next_responder_ms(window));
    if (window->blocked_until_ms != 0)
        next_ms = earlier(next_ms, window->blocked_until_ms);
    for (const struct window_user *user = window->users; user != NULL; user = user->hh.next)
        if (user->penalty_until_ms != 0)
            next_ms = earlier(next_ms, user->penalty_until_ms);
    return next_ms;
}

unsigned int window_take_actions(struct window *window)
{
    unsigned int actions = window->actions;

    window->actions = 0;
    return actions;
}

struct window_reason *window_take_ended(struct window *window)
{
    struct window_reason *ended = window->ended;

    window->ended = NULL;
    return ended;
}

uint64_t window_ping_sequence(const struct window *window)
{
    return window->ping_sent;
}

uint64_t window_drain_sequence(const struct window *window)
{
    return window->drain_sequence;
}

uint64_t window_open_total_ms(const struct window *window, uint64_t now_ms)
{
    uint64_t open_ms = window->state == WINDOW_OPEN ? now_ms - window->opened_ms : 0;

    return window->open_total_ms + open_ms;
}

bool window_is_idle(const struct window *window, uint64_t now_ms)
{
    if (window->state != WINDOW_ARMED || window->blocked_until_ms > now_ms)
        return false;
    for (const struct window_user *user = window->users; user != NULL; user = user->hh.next)
        if (user->penalty_until_ms > now_ms)
            return false;
    return true;
}
