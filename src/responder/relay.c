// SPDX-License-Identifier: GPL-2.0-or-later
#include "responder/relay.h"

#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

/* As often one way goes on before others get their turn. */
#define PUMPS_AT_ONCE 8

void relays_init(struct relays *relays, int epoll, size_t max, size_t pipes)
{
    *relays = (struct relays){.epoll = epoll, .max = max};
    pipes_init(&relays->tools.pipes, pipes);
}

/* ---- life ---- */

static struct relay *relay_of(struct relay_end *end)
{
    size_t offset =
        end->production ? offsetof(struct relay, production) : offsetof(struct relay, visitor);
    return (struct relay *)(void *)((char *)end - offset);
}

static struct relay_end *other_end(struct relay_end *end)
{
    struct relay *relay = relay_of(end);
    return end->production ? &relay->visitor : &relay->production;
}

static void relay_enter(struct relays *relays, struct relay *relay, enum relay_state state,
                        uint64_t now_ms)
{
    if (relay->state < RELAY_STATES)
        DL_DELETE(relays->lists[relay->state], relay);
    relay->state = state;
    relay->active_ms = now_ms;
    if (state < RELAY_STATES) {
        DL_APPEND(relays->lists[state], relay);
    } else {
        relays->count--;
        LL_PREPEND(relays->closed, relay);
    }
}

static void end_unwatch(struct relays *relays, struct relay_end *end)
{
    if (end->registered)
        (void)epoll_ctl(relays->epoll, EPOLL_CTL_DEL, end->fd, NULL);
    end->registered = false;
}

static void end_close(struct relays *relays, struct relay_end *end)
{
    flow_drop(&relays->tools, end);
    if (end->fd < 0)
        return;
    /* Closing a socket ends its watch, if nobody has a copy. Of the visitor's the keeper has none
     * any more when it answers; of the one that it makes it may have one for a moment yet. */
    if (end->production)
        end_unwatch(relays, end);
    close(end->fd);
    end->fd = -1;
}

/* What closing it means: a reset, or an end in order. A passed connection ends in a reset until it
 * is known to be over, so also when this program dies. */
static void end_set_reset(const struct relay_end *end, bool reset)
{
    const struct linger linger = {.l_onoff = reset};
    if (end->fd >= 0)
        (void)setsockopt(end->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* With resets, unless relay_finish has set it otherwise. */
static void relay_close(struct relays *relays, struct relay *relay)
{
    if (relay->state == RELAY_CLOSED)
        return;
    /* The keeper watches a connect of which it has a copy: this ends it there too. */
    if (relay->state == RELAY_CONNECTING)
        (void)shutdown(relay->production.fd, SHUT_RDWR);
    end_close(relays, &relay->visitor);
    end_close(relays, &relay->production);
    relay_enter(relays, relay, RELAY_CLOSED, 0);
}

/* Nobody passes this visitor. */
static void relay_refuse(struct relays *relays, struct relay *relay)
{
    if (!relay->loopback)
        relays->refused++;
    relay_close(relays, relay);
}

void relays_deinit(struct relays *relays)
{
    for (size_t state = 0; state < RELAY_STATES; state++) {
        while (relays->lists[state])
            relay_close(relays, relays->lists[state]);
    }
    relays_reap(relays);
    pipes_deinit(&relays->tools.pipes);
}

void relays_reap(struct relays *relays)
{
    while (relays->closed) {
        struct relay *relay = relays->closed;
        relays->closed = relay->next;
        free(relay);
    }
}

/* ---- watching ---- */

static bool end_watch(struct relays *relays, struct relay_end *end, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = end};

    if (end->registered && end->watched == events)
        return true;
    if (epoll_ctl(relays->epoll, end->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, end->fd, &event) <
        0)
        return false;
    end->registered = true;
    end->watched = events;
    return true;
}

/* An end that has nothing to say and is to be told nothing is watched for its reset only. */
static uint32_t end_events(struct relay_end *end)
{
    uint32_t events = 0;

    if (!end->ended && !end->blocked)
        events |= EPOLLIN;
    if (other_end(end)->blocked)
        events |= EPOLLOUT;
    return events;
}

static bool end_update(struct relays *relays, struct relay_end *end)
{
    uint32_t events = end_events(end);

    /* Nothing that production, having ended, could still do would reach the visitor. */
    if (end->production && end->ended && events == 0) {
        end_unwatch(relays, end);
        return true;
    }
    return end_watch(relays, end, events);
}

static void relay_watch(struct relays *relays, struct relay *relay)
{
    if (!end_update(relays, &relay->visitor) || !end_update(relays, &relay->production))
        relay_refuse(relays, relay);
}

/* ---- ends ---- */

/* What was handed to the kernel and has not arrived, an end included. */
static unsigned end_unsent(const struct relay_end *end)
{
    int unsent = 0;
    return end->fd >= 0 && ioctl(end->fd, SIOCOUTQ, &unsent) == 0 && unsent > 0 ? (unsigned)unsent
                                                                                : 0;
}

static unsigned relay_unsent(const struct relay *relay)
{
    return end_unsent(&relay->visitor) + end_unsent(&relay->production);
}

/* Whether bytes have arrived since this was last asked, or since some were last moved here. */
static bool relay_has_progressed(struct relay *relay)
{
    unsigned before = relay->unsent;

    relay->unsent = relay_unsent(relay);
    return relay->unsent > 0 && relay->unsent < before;
}

/* Nothing more comes from anybody: it is over as soon as everything has arrived. */
static void relay_finish(struct relays *relays, struct relay *relay, bool reset, uint64_t now_ms)
{
    relay->reset = reset;
    relay->unsent = relay_unsent(relay);
    if (relay->unsent == 0) {
        if (!reset) {
            end_set_reset(&relay->visitor, false);
            end_set_reset(&relay->production, false);
        }
        relay_close(relays, relay);
        return;
    }
    if (relay->visitor.fd >= 0)
        end_unwatch(relays, &relay->visitor);
    if (relay->production.fd >= 0)
        end_unwatch(relays, &relay->production);
    relay->look_ms = now_ms + RELAY_LOOK_MS;
    relay_enter(relays, relay, RELAY_ENDING, now_ms);
}

/* `broken` is no more: the other is told so, once it has all that came before. */
static void relay_break(struct relays *relays, struct relay *relay, struct relay_end *broken,
                        uint64_t now_ms)
{
    end_close(relays, broken);
    relay_finish(relays, relay, true, now_ms);
}

static void relay_end_side(struct relays *relays, struct relay *relay, struct relay_end *from,
                           struct relay_end *to, uint64_t now_ms)
{
    from->ended = true;
    if (from->production && relay->state == RELAY_OPEN)
        relay_enter(relays, relay, RELAY_HALF, now_ms);
    if (shutdown(to->fd, SHUT_WR) < 0)
        relay_break(relays, relay, to, now_ms);
    else if (to->ended)
        relay_finish(relays, relay, false, now_ms);
}

/* ---- bytes ---- */

/* Whatever can go from the one to the other goes. False: the relay is not open any more. */
static bool relay_pump(struct relays *relays, struct relay *relay, struct relay_end *from,
                       uint64_t now_ms)
{
    struct relay_end *to = other_end(from);

    from->blocked = false;
    for (unsigned i = 0; i < PUMPS_AT_ONCE && !from->ended; i++) {
        bool moved = false;
        enum flow flow = flow_move(&relays->tools, from, to, &moved);

        if (moved)
            relay->active_ms = now_ms;
        switch (flow) {
        case FLOW_MOVED:
            /* Less than the buffer was all there is: epoll tells of more. */
            if (!from->bulk)
                return true;
            break;
        case FLOW_NOTHING:
            return true;
        case FLOW_BLOCKED:
            from->blocked = true;
            return true;
        case FLOW_END:
            relay_end_side(relays, relay, from, to, now_ms);
            return relay->state < RELAY_ENDING;
        case FLOW_FROM_BROKEN:
            relay_break(relays, relay, from, now_ms);
            return false;
        case FLOW_TO_BROKEN:
            /* What it said before it was reset, such as why, goes first. */
            while (!to->ended && flow_move(&relays->tools, to, from, &moved) == FLOW_MOVED)
                continue;
            relay_break(relays, relay, to, now_ms);
            return false;
        }
    }
    return true;
}

/* The list of its state stays in the order of activity. */
static void relay_touch(struct relays *relays, struct relay *relay, uint64_t before_ms)
{
    if (relay->active_ms == before_ms || relay->state >= RELAY_STATES)
        return;
    relay->unsent = UINT_MAX;
    DL_DELETE(relays->lists[relay->state], relay);
    DL_APPEND(relays->lists[relay->state], relay);
}

static void relay_open(struct relays *relays, struct relay *relay, uint64_t now_ms)
{
    if (!relay->loopback)
        relays->passed++;
    relay_enter(relays, relay, RELAY_OPEN, now_ms);
    /* What made the visitor one to be passed is there already. */
    if (relay_pump(relays, relay, &relay->visitor, now_ms))
        relay_watch(relays, relay);
}

/* ---- what happens ---- */

void relays_add(struct relays *relays, int fd, bool loopback, uint64_t now_ms)
{
    struct relay *relay = relays->count < relays->max ? calloc(1, sizeof(*relay)) : NULL;

    if (!relay) {
        struct relay_end visitor = {.fd = fd};
        end_set_reset(&visitor, true);
        close(fd);
        if (!loopback)
            relays->refused++;
        return;
    }
    relay->unsent = UINT_MAX;
    relay->visitor = (struct relay_end){.source = SOURCE_RELAY, .fd = fd};
    end_set_reset(&relay->visitor, true);
    relay->production = (struct relay_end){.source = SOURCE_RELAY, .production = true, .fd = -1};
    relay->loopback = loopback;
    relay->id = ++relays->last_id;
    relay->state = RELAY_CLOSED;
    relays->count++;
    relay_enter(relays, relay, RELAY_WAITING, now_ms);
}

struct relay *relays_waiting(const struct relays *relays)
{
    return relays->lists[RELAY_WAITING];
}

void relays_asked(struct relays *relays, struct relay *relay, uint64_t now_ms)
{
    relay_enter(relays, relay, RELAY_ASKED, now_ms);
}

bool relays_answer(struct relays *relays, uint64_t id, int fd, int failure, bool connected,
                   uint64_t now_ms)
{
    struct relay *relay = relays->lists[RELAY_ASKED];

    /* In the order of the questions, mostly. */
    while (relay && relay->id < id)
        relay = relay->next;
    if (!relay || relay->id != id) {
        if (fd >= 0)
            close(fd);
        return id <= relays->last_id; /* it has given up */
    }
    relay->production.fd = fd;
    end_set_reset(&relay->production, true);
    if (failure != 0) {
        relay_refuse(relays, relay);
    } else if (connected) {
        relay_open(relays, relay, now_ms);
    } else {
        relay_enter(relays, relay, RELAY_CONNECTING, now_ms);
        if (!end_watch(relays, &relay->production, EPOLLOUT) ||
            !end_watch(relays, &relay->visitor, 0))
            relay_refuse(relays, relay);
    }
    return true;
}

static void relay_connected(struct relays *relays, struct relay *relay, const struct relay_end *end,
                            uint32_t events, uint64_t now_ms)
{
    if (!end->production) {
        /* Nothing but a reset was watched for: the visitor has given up. */
        relay_close(relays, relay);
    } else if (events & (EPOLLERR | EPOLLHUP)) {
        relay_refuse(relays, relay);
    } else {
        relay_open(relays, relay, now_ms);
    }
}

static void relay_ready(struct relays *relays, struct relay *relay, struct relay_end *end,
                        uint32_t events, uint64_t now_ms)
{
    uint64_t before_ms = relay->active_ms;
    struct relay_end *other = other_end(end);

    if ((events & EPOLLERR) && end->ended) {
        relay_break(relays, relay, end, now_ms);
        return;
    }
    if ((events & EPOLLOUT) && !relay_pump(relays, relay, other, now_ms))
        return;
    if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) && !end->blocked && !end->ended &&
        !relay_pump(relays, relay, end, now_ms))
        return;
    relay_touch(relays, relay, before_ms);
    relay_watch(relays, relay);
    /* Told of without end, and nothing can be done before the other takes what is there. */
    if (relay->state < RELAY_ENDING && (events & (EPOLLERR | EPOLLHUP)) &&
        (end->blocked || end->ended) && !other->blocked)
        end_unwatch(relays, end);
}

void relays_event(struct relays *relays, struct relay_end *end, uint32_t events, uint64_t now_ms)
{
    struct relay *relay = relay_of(end);

    switch (relay->state) {
    case RELAY_CONNECTING:
        relay_connected(relays, relay, end, events, now_ms);
        break;
    case RELAY_OPEN:
    case RELAY_HALF:
        relay_ready(relays, relay, end, events, now_ms);
        break;
    case RELAY_WAITING: /* not watched */
    case RELAY_ASKED:
    case RELAY_ENDING:
    case RELAY_STATES:
    case RELAY_CLOSED: /* told of in the same round as what closed it */
        break;
    }
}

void relays_drain(struct relays *relays, uint64_t idle_ms, uint64_t now_ms)
{
    relays->draining = true;
    relays->drain_ms = now_ms;
    relays->idle_ms = idle_ms;
}

void relays_resume(struct relays *relays)
{
    relays->draining = false;
}

bool relays_is_crowded(struct relays *relays)
{
    if (relays->count >= relays->max - relays->max / 8)
        relays->crowded = true;
    else if (relays->count <= relays->max - relays->max / 4)
        relays->crowded = false;
    return relays->crowded;
}

/* ---- time ---- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When the first of a list is over; UINT64_MAX: never. */
static uint64_t list_due_ms(const struct relays *relays, enum relay_state state)
{
    const struct relay *relay = relays->lists[state];
    uint64_t due_ms = UINT64_MAX;

    if (!relay)
        return due_ms;
    if (state == RELAY_WAITING || state == RELAY_ASKED)
        return relay->active_ms + RELAY_ANSWER_MS;
    if (state == RELAY_ENDING)
        return relay->look_ms;
    if (state == RELAY_HALF)
        due_ms = relay->active_ms + RELAY_HALF_MS;
    if (relays->draining && state != RELAY_CONNECTING) {
        uint64_t since_ms =
            relay->active_ms > relays->drain_ms ? relay->active_ms : relays->drain_ms;
        due_ms = earlier(due_ms, since_ms + relays->idle_ms);
    }
    return due_ms;
}

/* Has the visitor or production anything still to get that is here? */
static bool relay_holds(const struct relay *relay)
{
    const struct relay_end *visitor = &relay->visitor, *production = &relay->production;

    return visitor->blocked || production->blocked || relay->unsent > 0;
}

static void relay_look(struct relays *relays, struct relay *relay, uint64_t now_ms)
{
    uint64_t before_ms = relay->active_ms;
    uint64_t patience_ms =
        relays->draining ? earlier(RELAY_ENDING_MS, relays->idle_ms) : RELAY_ENDING_MS;
    bool progressed = relay_has_progressed(relay);

    if (relay->unsent == 0) {
        relay_finish(relays, relay, relay->reset, now_ms);
    } else if (!progressed && now_ms >= before_ms + patience_ms) {
        relay_close(relays, relay);
    } else {
        relay->look_ms = now_ms + RELAY_LOOK_MS;
        relay_enter(relays, relay, RELAY_ENDING, progressed ? now_ms : before_ms);
    }
}

static void relay_expire(struct relays *relays, struct relay *relay, uint64_t now_ms)
{
    switch (relay->state) {
    case RELAY_ASKED:
        /* The question that the keeper does not read has a copy of the socket: closing ours would
         * leave it open. */
        (void)shutdown(relay->visitor.fd, SHUT_RDWR);
        relay_refuse(relays, relay);
        break;
    case RELAY_ENDING:
        relay_look(relays, relay, now_ms);
        break;
    case RELAY_OPEN:
    case RELAY_HALF:
        if (relay_has_progressed(relay))
            relay_enter(relays, relay, relay->state, now_ms);
        else if (relay_holds(relay))
            relay_close(relays, relay);
        else
            relay_finish(relays, relay, false, now_ms);
        break;
    case RELAY_WAITING:
    case RELAY_CONNECTING:
    case RELAY_STATES:
    case RELAY_CLOSED:
        relay_refuse(relays, relay);
        break;
    }
}

void relays_expire(struct relays *relays, uint64_t now_ms)
{
    for (unsigned state = 0; state < RELAY_STATES; state++) {
        while (list_due_ms(relays, (enum relay_state)state) <= now_ms)
            relay_expire(relays, relays->lists[state], now_ms);
    }
}

uint64_t relays_next_ms(const struct relays *relays)
{
    uint64_t next_ms = UINT64_MAX;

    for (unsigned state = 0; state < RELAY_STATES; state++)
        next_ms = earlier(next_ms, list_due_ms(relays, (enum relay_state)state));
    return next_ms;
}
