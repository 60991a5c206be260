// SPDX-License-Identifier: GPL-2.0-or-later
#include "responder/front.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "responder/refusal.h"
#include "responder/way.h"
#include "wicket/log.h"

#define ACCEPTS_AT_ONCE 64
#define DRAINS_AT_ONCE  16
#define DRAIN_BYTES     65536
#define PAUSE_MS        100
/* The kernel holds a connection back until its first bytes are there, for so long about. */
#define DEFER_ACCEPT_S 1
/* It does not when it is flooded (SYN cookies): then so long passes between the two packets. */
#define SILENT_LEAST_MS 250

static bool front_listen(struct front *front, struct listener *listener, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = listener};
    return epoll_ctl(front->epoll, EPOLL_CTL_MOD, listener->fd, &event) == 0;
}

int front_init(struct front *front, const int *fds, size_t count, struct error *error)
{
    front->listener_count = count;
    front->log_limit.about = "running out";
    for (size_t i = 0; i < count; i++) {
        struct listener *listener = &front->listeners[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = listener};

        listener->source = SOURCE_LISTENER;
        listener->fd = fds[i];
        if (epoll_ctl(front->epoll, EPOLL_CTL_ADD, fds[i], &event) < 0)
            return error_set_errno(error, 70, "descriptor %d: epoll_ctl", fds[i]);
    }
    return 0;
}

void front_adjust(struct front *front, const struct link_setup *setup)
{
    front->pass = setup->other_requests == LINK_OTHER_PASS;
    front->first_byte_ms = setup->first_byte_ms;
    front->deadline_ms = setup->deadline_ms;
    front->deferred = !front->pass || front->first_byte_ms >= DEFER_ACCEPT_S * 1000;
    for (size_t i = 0; i < front->listener_count; i++) {
        int seconds = front->deferred ? DEFER_ACCEPT_S : 0;
        if (setsockopt(front->listeners[i].fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds,
                       sizeof(seconds)) < 0)
            front->deferred = false;
    }
}

void front_deinit(struct front *front)
{
    for (size_t i = 0; i < front->listener_count; i++)
        close(front->listeners[i].fd);
    front->listener_count = 0;
}

/* ---- a moment without accepting ---- */

static void front_pause(struct front *front, uint64_t now_ms)
{
    for (size_t i = 0; i < front->listener_count; i++)
        (void)front_listen(front, &front->listeners[i], 0);
    front->paused = true;
    front->paused_until_ms = now_ms + PAUSE_MS;
    front->paused_count = front->connections->count;
}

static void front_resume(struct front *front)
{
    for (size_t i = 0; i < front->listener_count; i++)
        (void)front_listen(front, &front->listeners[i], EPOLLIN);
    front->paused = false;
}

/* ---- the pass ---- */

static void front_pass(struct front *front, struct connection *connection, uint64_t now_ms)
{
    bool loopback = connection->loopback;

    relays_add(front->relays, connections_let_go(front->connections, connection), loopback, now_ms);
}

/* Who was answered and says nothing more wants nothing of production. */
static void front_dismiss(struct front *front, struct connection *connection, uint64_t now_ms)
{
    if (front->pass && !connection->kept)
        front_pass(front, connection, now_ms);
    else
        connections_close(front->connections, connection);
}

/* Who is to make room; NULL: nobody can. */
static struct connection *front_find_evictable(const struct front *front)
{
    const struct connections *connections = front->connections;

    return connections->lingering ? connections->lingering
                                  : undecided_oldest(&connections->undecided);
}

/* ---- running out ---- */

/* Something ran out: somebody is closed, or nobody is accepted for a moment. A listener that stays
 * readable would otherwise be told of again and again. */
static void front_exhausted(struct front *front, uint32_t what, uint64_t now_ms)
{
    struct connection *victim = front_find_evictable(front);

    front->connections->exhausted |= what;
    if (log_limit_take(&front->log_limit, now_ms))
        log_warnx("out of %s with %zu connections: the oldest makes room",
                  what == LINK_EXHAUSTED_FDS ? "file descriptors" : "memory",
                  front->connections->count);
    if (victim)
        connections_close(front->connections, victim);
    else
        front_pause(front, now_ms);
}

/* ---- the first look ---- */

static void front_refuse(struct front *front, struct connection *connection, unsigned status,
                         bool content, uint64_t now_ms)
{
    char answer[REFUSAL_MAX];
    size_t length =
        refusal_write(answer, status, content, date_of(&front->answers.date, time(NULL)));

    /* The first bytes of a connection always fit; when they do not, the peer is gone. */
    if (send(connection->fd, answer, length, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)length) {
        connections_close(front->connections, connection);
        return;
    }
    connections_linger(front->connections, connection, now_ms);
}

static void front_hand_over(struct front *front, struct connection *connection,
                            const struct head *head)
{
    char skipped[HEAD_SKIP_MAX];

    connections_unwatch(front->connections, connection);
    connections_decide(front->connections, connection);
    connection->target_length = (uint16_t)head->target_length;
    connection->body = head->body;
    if (head->skip > 0)
        (void)recv(connection->fd, skipped, head->skip, MSG_DONTWAIT);
    http_add(front->http, connection);
}

/* When the window is shut, who is kept would keep it from ending. */
static bool front_answer(struct front *front, struct connection *connection,
                         const struct head *head, size_t length, bool ended, uint64_t now_ms)
{
    return answers_give(&front->answers, connection, head, length,
                        !ended && !front->relays->draining, now_ms);
}

static void front_hear(struct front *front)
{
    (void)front->refresh(front->context);
    front->heard = true;
}

void front_begin_round(struct front *front)
{
    front->heard = false;
}

/* Where visitors are not passed. */
static void front_judge(struct front *front, struct connection *connection, size_t length,
                        bool ended, uint64_t now_ms)
{
    struct head head;

    switch (head_parse(&head, front->look, length)) {
    case HEAD_COMPLETE:
        if (!front->heard)
            (void)front->refresh(front->context);
        if (!front_answer(front, connection, &head, length, ended, now_ms))
            front_hand_over(front, connection, &head);
        break;
    case HEAD_REFUSED:
        front_refuse(front, connection, head.status, !head.asks_head, now_ms);
        break;
    case HEAD_INCOMPLETE:
        if (ended)
            front_refuse(front, connection, 400, !head.asks_head, now_ms);
        break;
    }
}

static void front_choose(struct front *front, struct connection *connection, size_t length,
                         bool ended, uint64_t now_ms)
{
    struct head head;
    enum way way = way_find(front->tokens, front->look, length, &head);

    /* The request may be newer than the last news of tokens, be they withdrawn or new. Of the new
     * ones none is missed, also when the last bytes came after the keeper was heard for many. */
    if ((way == WAY_UNKNOWN || (way == WAY_ANSWER && !front->heard)) &&
        front->refresh(front->context))
        way = way_find(front->tokens, front->look, length, &head);
    if (way == WAY_UNKNOWN)
        connections_note_unknown(front->connections, connection);
    if (way == WAY_ANSWER && front_answer(front, connection, &head, length, ended, now_ms))
        return;
    if (way == WAY_ANSWER)
        front_hand_over(front, connection, &head);
    else if (way != WAY_WAIT || ended)
        front_pass(front, connection, now_ms);
    else
        connections_speak(front->connections, connection);
}

/* `ended`: the peer will send nothing more. */
static void front_look(struct front *front, struct connection *connection, bool ended,
                       uint64_t now_ms)
{
    ssize_t got = recv(connection->fd, front->look, sizeof(front->look), MSG_PEEK | MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0 && connection->kept)
        connection->kept = connection->token_served = false;
    if (got < 0)
        connections_close(front->connections, connection);
    else if (got == 0)
        front_dismiss(front, connection, now_ms);
    else if (front->pass)
        front_choose(front, connection, (size_t)got, ended, now_ms);
    else
        front_judge(front, connection, (size_t)got, ended, now_ms);
}

/* One that has not shown what it is has to leave. Of one that is kept it may be there, unseen. */
static void front_give_way(struct front *front, struct connection *connection, uint64_t now_ms)
{
    if (connection->kept)
        front_look(front, connection, true, now_ms);
    if (connection->state == CONNECTION_UNDECIDED)
        front_dismiss(front, connection, now_ms);
}

/* Throws away what still arrives; in a linger the peer's end is all that is waited for. */
static void front_drain(struct front *front, struct connection *connection)
{
    for (unsigned i = 0; i < DRAINS_AT_ONCE; i++) {
        /* tcp(7): with MSG_TRUNC the bytes are discarded where they are. */
        ssize_t got = recv(connection->fd, NULL, DRAIN_BYTES, MSG_TRUNC | MSG_DONTWAIT);
        if (got > 0)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        connections_close(front->connections, connection);
        return;
    }
}

void front_event(struct front *front, struct connection *connection, uint32_t events,
                 uint64_t now_ms)
{
    switch (connection->state) {
    case CONNECTION_UNDECIDED:
        if (!front->heard)
            front_hear(front);
        if (events & (EPOLLERR | EPOLLHUP))
            connections_close(front->connections, connection);
        else
            front_look(front, connection, (events & EPOLLRDHUP) != 0, now_ms);
        break;
    case CONNECTION_LINGERING:
        front_drain(front, connection);
        break;
    case CONNECTION_ANSWERED:
    case CONNECTION_CLOSED: /* told of in the same round as what closed it */
        break;
    }
}

void front_end_kept(struct front *front, uint64_t now_ms)
{
    struct connection *next;

    front_begin_round(front);
    for (struct connection *one = front->connections->undecided.list; one; one = next) {
        next = one->undecided_next;
        if (!one->kept)
            continue;
        if (!front->heard)
            front_hear(front);
        front_look(front, one, false, now_ms);
        if (one->kept && one->state == CONNECTION_UNDECIDED)
            connections_close(front->connections, one);
    }
}

/* ---- accepting ---- */

/* How long one that said nothing by the time it was accepted may go on with that. */
static uint64_t front_silence_ms(const struct front *front)
{
    uint64_t waited_ms = front->deferred ? DEFER_ACCEPT_S * 1000 : 0;

    return front->first_byte_ms >= waited_ms + SILENT_LEAST_MS ? front->first_byte_ms - waited_ms
                                                               : SILENT_LEAST_MS;
}

static void front_wait(struct front *front, struct connection *connection, uint64_t now_ms)
{
    struct connections *connections = front->connections;
    struct connection *victim;
    char byte;

    while ((victim = undecided_find_victim(&connections->undecided, &connection->address)))
        front_give_way(front, victim, now_ms);
    if (connections_wait(connections, connection) && front->pass && !connection->kept &&
        recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
        connections_be_silent(connections, connection, now_ms + front_silence_ms(front));
}

/* Those that were accepted in one go. The keeper is heard once, after the last of them, and their
 * requests are older than that; where accepting was not deferred they may be newer by as much as
 * the batch takes, in which a token that is withdrawn is still answered, and a new one is found. */
struct batch {
    struct connection *connections[ACCEPTS_AT_ONCE];
    size_t count;
};

static void front_take(struct front *front, struct batch *batch, int fd,
                       const struct sockaddr_storage *peer, uint64_t now_ms)
{
    struct connection *connection =
        connections_add(front->connections, fd, peer, now_ms + front->deadline_ms);

    if (connection)
        batch->connections[batch->count++] = connection;
    else
        front_exhausted(front, LINK_EXHAUSTED_MEMORY, now_ms);
}

/* Accepting was deferred: mostly the whole request is there, and epoll is not needed. */
static void front_look_at_all(struct front *front, struct batch *batch, uint64_t now_ms)
{
    if (batch->count == 0)
        return;
    front_hear(front);
    for (size_t i = 0; i < batch->count; i++) {
        struct connection *connection = batch->connections[i];

        front_look(front, connection, false, now_ms);
        if (connection->state == CONNECTION_UNDECIDED)
            front_wait(front, connection, now_ms);
    }
    batch->count = 0;
}

/* For one more. The bound on all connections is one that strangers can reach: somebody makes room,
 * and only where nobody can does the keeper hear of it, for it would give the window up. */
static void front_make_room(struct front *front, uint64_t now_ms)
{
    struct connections *connections = front->connections;
    struct connection *victim;

    /* One that was kept, and has asked again unseen, is answered first: it may stay a moment yet.
     */
    while (connections->count >= connections->max && (victim = front_find_evictable(front))) {
        if (victim->state == CONNECTION_LINGERING)
            connections_close(connections, victim);
        else
            front_give_way(front, victim, now_ms);
    }
    if (connections->count >= connections->max)
        front_exhausted(front, LINK_EXHAUSTED_FDS, now_ms);
}

/* What accept4 says instead of a descriptor. Whether there may be another. */
static bool front_cannot_accept(struct front *front, int reason, uint64_t now_ms)
{
    switch (reason) {
    case EAGAIN:
        return false;
    case EMFILE:
    case ENFILE:
        front_exhausted(front, LINK_EXHAUSTED_FDS, now_ms);
        break;
    case ENOBUFS:
    case ENOMEM:
        front_exhausted(front, LINK_EXHAUSTED_MEMORY, now_ms);
        break;
    default: /* accept(2): what was wrong with that one connection; it is gone */
        break;
    }
    return true;
}

bool front_accept(struct front *front, struct listener *listener, uint64_t now_ms)
{
    struct batch batch;
    bool accepted = false, more = true;

    batch.count = 0;
    for (unsigned i = 0; i < ACCEPTS_AT_ONCE && more && !front->paused; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t length = sizeof(peer);
        int fd =
            accept4(listener->fd, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            /* Of these most are done with as soon as they are looked at. */
            if (front->connections->count >= front->connections->max)
                front_look_at_all(front, &batch, now_ms);
            front_make_room(front, now_ms);
            front_take(front, &batch, fd, &peer, now_ms);
            accepted = true;
        } else {
            more = front_cannot_accept(front, errno, now_ms);
        }
    }
    front_look_at_all(front, &batch, now_ms);
    return accepted;
}

bool front_accept_all(struct front *front, uint64_t now_ms)
{
    bool accepted = false;

    for (size_t i = 0; i < front->listener_count; i++) {
        if (front_accept(front, &front->listeners[i], now_ms))
            accepted = true;
    }
    return accepted;
}

/* ---- deadlines ---- */

void front_expire(struct front *front, uint64_t now_ms)
{
    struct connections *connections = front->connections;
    struct connection *connection;

    while ((connection = connections->lingering) && connection->linger_ms <= now_ms)
        connections_close(connections, connection);
    while ((connection = connections->silent) && connection->silent_ms <= now_ms)
        front_give_way(front, connection, now_ms);
    for (connection = connections->all; connection && connection->deadline_ms <= now_ms;) {
        struct connection *next = connection->next;
        if (connection->state == CONNECTION_UNDECIDED)
            front_give_way(front, connection, now_ms);
        else if (connection->state != CONNECTION_ANSWERED)
            connections_close(connections, connection);
        else if (!connection->cut_off)
            http_cut_off(connection);
        connection = next;
    }
    log_limit_tick(&front->log_limit, now_ms);
    if (front->paused &&
        (front->paused_until_ms <= now_ms || connections->count < front->paused_count))
        front_resume(front);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t front_next_ms(const struct front *front)
{
    uint64_t next_ms = log_limit_next_ms(&front->log_limit);
    const struct connection *connection = front->connections->all;

    /* Those that were cut off end with libmicrohttpd's next round and need no reminder. */
    while (connection && connection->cut_off)
        connection = connection->next;
    if (connection)
        next_ms = earlier(next_ms, connection->deadline_ms);
    if (front->connections->lingering)
        next_ms = earlier(next_ms, front->connections->lingering->linger_ms);
    if (front->connections->silent)
        next_ms = earlier(next_ms, front->connections->silent->silent_ms);
    if (front->paused)
        next_ms = earlier(next_ms, front->paused_until_ms);
    return next_ms;
}
