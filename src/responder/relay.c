// SPDX-License-Identifier: GPL-2.0-or-later
#include "responder/relay.h"

#include <errno.h>
#include <fcntl.h>
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

/* How one step of a way went. */
enum flow {
    FLOW_MOVED,   /* and there may be more */
    FLOW_NOTHING, /* to be had at present */
    FLOW_BLOCKED, /* the receiver takes no more at present */
    FLOW_END,     /* the sender has ended, and everything is with the receiver */
    FLOW_FROM_BROKEN,
    FLOW_TO_BROKEN,
};

void relays_init(struct relays *relays, int epoll, size_t max, size_t pipes)
{
    *relays = (struct relays){.epoll = epoll, .max = max};
    pipes_init(&relays->pipes, pipes);
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
    if (end->pipe)
        pipes_give(&relays->pipes, end->pipe);
    end->pipe = NULL;
    free(end->rest);
    end->rest = NULL;
    if (end->fd < 0)
        return;
    /* Closing a socket ends its watch, if nobody has a copy. Of the visitor's the keeper has none
     * any more when it answers; of the one that it makes it may have one for a moment yet. */
    if (end->production)
        end_unwatch(relays, end);
    close(end->fd);
    end->fd = -1;
}

/* What close(2) does now is a reset. */
static void end_mark_reset(const struct relay_end *end)
{
    const struct linger linger = {.l_onoff = 1};
    if (end->fd >= 0)
        (void)setsockopt(end->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void relay_close(struct relays *relays, struct relay *relay)
{
    if (relay->state == RELAY_CLOSED)
        return;
    end_close(relays, &relay->visitor);
    end_close(relays, &relay->production);
    relay_enter(relays, relay, RELAY_CLOSED, 0);
}

static void relay_reset(struct relays *relays, struct relay *relay)
{
    end_mark_reset(&relay->visitor);
    end_mark_reset(&relay->production);
    relay_close(relays, relay);
}

/* Nobody passes this visitor. */
static void relay_refuse(struct relays *relays, struct relay *relay)
{
    if (!relay->loopback)
        relays->refused++;
    /* The question that the keeper does not read has a copy of the socket, which closing ours would
     * leave open, and shutdown(2) would end without a reset. This resets it, whoever has copies. */
    if (relay->state == RELAY_ASKED) {
        const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
        (void)connect(relay->visitor.fd, &nobody, sizeof(nobody));
    }
    relay_reset(relays, relay);
}

void relays_deinit(struct relays *relays)
{
    for (size_t state = 0; state < RELAY_STATES; state++) {
        while (relays->lists[state])
            relay_reset(relays, relays->lists[state]);
    }
    relays_reap(relays);
    pipes_deinit(&relays->pipes);
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

/* ---- bytes ---- */

/* Also a little is a sign of life. */
static void note_moved(const struct relays *relays, struct relay_end *from)
{
    relay_of(from)->active_ms = relays->now_ms;
}

/* What is in the pipe goes first. */
static enum flow flush_pipe(struct relays *relays, struct relay_end *from,
                            const struct relay_end *to)
{
    struct pipe *pipe = from->pipe;

    while (pipe->held > 0) {
        ssize_t sent =
            splice(pipe->out, NULL, to->fd, NULL, pipe->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (sent > 0) {
            pipe->held -= (size_t)sent;
            note_moved(relays, from);
        } else if (sent < 0 && errno == EAGAIN) {
            return FLOW_BLOCKED;
        } else if (sent == 0 || errno != EINTR) {
            return FLOW_TO_BROKEN;
        }
    }
    from->pipe = NULL;
    pipes_give(&relays->pipes, pipe);
    return FLOW_MOVED;
}

static enum flow flow_of_receive(ssize_t got)
{
    if (got == 0)
        return FLOW_END;
    return errno == EAGAIN || errno == EINTR ? FLOW_NOTHING : FLOW_FROM_BROKEN;
}

static enum flow move_bulk(struct relays *relays, struct relay_end *from,
                           const struct relay_end *to, struct pipe *pipe)
{
    ssize_t got =
        splice(from->fd, NULL, pipe->in, NULL, PIPES_BYTES, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

    if (got <= 0) {
        int number = errno;
        pipes_give(&relays->pipes, pipe);
        errno = number;
        /* Also before an urgent byte, which recv passes over and splice never does. */
        from->bulk = false;
        return flow_of_receive(got);
    }
    from->bulk = (size_t)got >= sizeof(relays->buffer);
    from->pipe = pipe;
    pipe->held = (size_t)got;
    return flush_pipe(relays, from, to);
}

static enum flow flow_of_send(void)
{
    return errno == EAGAIN ? FLOW_BLOCKED : errno == EINTR ? FLOW_MOVED : FLOW_TO_BROKEN;
}

/* What was kept goes first. */
static enum flow flush_rest(const struct relays *relays, struct relay_end *from,
                            const struct relay_end *to)
{
    struct relay_rest *rest = from->rest;
    ssize_t sent =
        send(to->fd, rest->bytes + rest->at, rest->end - rest->at, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent < 0)
        return errno == EINTR ? FLOW_BLOCKED : flow_of_send();
    rest->at += (size_t)sent;
    note_moved(relays, from);
    if (rest->at < rest->end)
        return FLOW_BLOCKED;
    from->rest = NULL;
    free(rest);
    return FLOW_MOVED;
}

static enum flow keep_rest(struct relay_end *from, const char *bytes, size_t length)
{
    from->rest = malloc(sizeof(*from->rest) + length);
    if (!from->rest)
        return FLOW_FROM_BROKEN;
    from->rest->at = 0;
    from->rest->end = length;
    memcpy(from->rest->bytes, bytes, length);
    return FLOW_BLOCKED;
}

static enum flow move_copy(struct relays *relays, struct relay_end *from,
                           const struct relay_end *to)
{
    ssize_t got = recv(from->fd, relays->buffer, sizeof(relays->buffer), MSG_DONTWAIT);
    if (got <= 0)
        return flow_of_receive(got);

    from->bulk = (size_t)got == sizeof(relays->buffer);
    note_moved(relays, from);
    ssize_t sent = send(to->fd, relays->buffer, (size_t)got, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent == got)
        return FLOW_MOVED;
    if (sent < 0 && flow_of_send() == FLOW_TO_BROKEN)
        return FLOW_TO_BROKEN;
    size_t taken = sent < 0 ? 0 : (size_t)sent;
    return keep_rest(from, relays->buffer + taken, (size_t)got - taken);
}

/* Keeps nothing. */
static enum flow move_peeked(struct relays *relays, struct relay_end *from,
                             const struct relay_end *to)
{
    ssize_t got = recv(from->fd, relays->buffer, sizeof(relays->buffer), MSG_PEEK | MSG_DONTWAIT);
    if (got <= 0)
        return flow_of_receive(got);

    ssize_t sent = send(to->fd, relays->buffer, (size_t)got, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
        return flow_of_send();
    note_moved(relays, from);
    /* tcp(7): with MSG_TRUNC the bytes are discarded where they are, and they are there. */
    if (recv(from->fd, NULL, (size_t)sent, MSG_TRUNC | MSG_DONTWAIT) != sent)
        return FLOW_FROM_BROKEN;
    from->bulk = (size_t)got == sizeof(relays->buffer);
    return sent < got ? FLOW_BLOCKED : FLOW_MOVED;
}

static enum flow move(struct relays *relays, struct relay_end *from, const struct relay_end *to)
{
    if (from->pipe || from->rest) {
        enum flow flow = from->pipe ? flush_pipe(relays, from, to) : flush_rest(relays, from, to);
        if (flow != FLOW_MOVED)
            return flow;
    }
    if (!from->bulk)
        return move_copy(relays, from, to);
    struct pipe *pipe = pipes_take(&relays->pipes);
    return pipe ? move_bulk(relays, from, to, pipe) : move_peeked(relays, from, to);
}

/* ---- ends ---- */

static bool end_has_unsent(const struct relay_end *end)
{
    int unsent = 0;
    return ioctl(end->fd, SIOCOUTQ, &unsent) == 0 && unsent > 0;
}

/* `broken` is no more: the other is told so, once it has all that came before. */
static void relay_break(struct relays *relays, struct relay *relay, struct relay_end *broken,
                        uint64_t now_ms)
{
    struct relay_end *other = other_end(broken);

    if (!end_has_unsent(other)) {
        relay_reset(relays, relay);
        return;
    }
    end_close(relays, broken);
    end_unwatch(relays, other);
    relay->began_ms = now_ms;
    relay_enter(relays, relay, RELAY_RESETTING, now_ms);
}

static void relay_end_side(struct relays *relays, struct relay *relay, struct relay_end *from,
                           struct relay_end *to, uint64_t now_ms)
{
    from->ended = true;
    if (from->production && relay->state == RELAY_OPEN)
        relay_enter(relays, relay, RELAY_HALF, now_ms);
    if (to->ended) {
        relay_close(relays, relay);
        return;
    }
    to->shut = true;
    if (shutdown(to->fd, SHUT_WR) < 0)
        relay_break(relays, relay, to, now_ms);
}

/* Whatever can go from the one to the other goes. False: the relay is not open any more. */
static bool relay_pump(struct relays *relays, struct relay *relay, struct relay_end *from,
                       uint64_t now_ms)
{
    struct relay_end *to = other_end(from);

    relays->now_ms = now_ms;
    from->blocked = false;
    for (unsigned i = 0; i < PUMPS_AT_ONCE && !from->ended; i++) {
        switch (move(relays, from, to)) {
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
            return relay->state < RELAY_RESETTING;
        case FLOW_FROM_BROKEN:
            relay_break(relays, relay, from, now_ms);
            return false;
        case FLOW_TO_BROKEN:
            /* What it said before it was reset, such as why, goes first. */
            while (!to->ended && move(relays, to, from) == FLOW_MOVED)
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
        end_mark_reset(&visitor);
        close(fd);
        if (!loopback)
            relays->refused++;
        return;
    }
    relay->visitor = (struct relay_end){.source = SOURCE_RELAY, .fd = fd};
    relay->production = (struct relay_end){.source = SOURCE_RELAY, .production = true, .fd = -1};
    relay->loopback = loopback;
    relay->id = ++relays->last_id;
    relay->began_ms = now_ms;
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
        relay_reset(relays, relay);
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
    if (relay->state < RELAY_RESETTING && (events & (EPOLLERR | EPOLLHUP)) &&
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
    case RELAY_RESETTING:
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
    if (state == RELAY_RESETTING)
        return relay->active_ms + RELAY_RESET_LOOK_MS;
    if (state == RELAY_HALF)
        due_ms = relay->active_ms + RELAY_HALF_MS;
    if (relays->draining && state != RELAY_CONNECTING) {
        uint64_t since_ms =
            relay->active_ms > relays->drain_ms ? relay->active_ms : relays->drain_ms;
        due_ms = earlier(due_ms, since_ms + relays->idle_ms);
    }
    return due_ms;
}

static void relay_expire(struct relays *relays, struct relay *relay, uint64_t now_ms)
{
    if (relay->state == RELAY_WAITING || relay->state == RELAY_ASKED) {
        relay_refuse(relays, relay);
    } else if (relay->state != RELAY_RESETTING) {
        relay_close(relays, relay);
    } else if (now_ms >= relay->began_ms + RELAY_RESET_MS ||
               !end_has_unsent(relay->visitor.fd >= 0 ? &relay->visitor : &relay->production)) {
        relay_reset(relays, relay);
    } else {
        relay_enter(relays, relay, RELAY_RESETTING, now_ms);
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
