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
#include "wicket/log.h"

#define ACCEPTS_AT_ONCE 64
#define DRAINS_AT_ONCE  16
#define DRAIN_BYTES     65536
#define PAUSE_MS        100
/* The kernel holds a connection back until its first bytes are there, for so long about. */
#define DEFER_ACCEPT_S 1

static bool front_listen(struct front *front, struct listener *listener, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = listener};
    return epoll_ctl(front->epoll, EPOLL_CTL_MOD, listener->fd, &event) == 0;
}

int front_init(struct front *front, const int *fds, size_t count, struct error *error)
{
    front->listener_count = count;
    for (size_t i = 0; i < count; i++) {
        struct listener *listener = &front->listeners[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = listener};
        int seconds = DEFER_ACCEPT_S;

        listener->source = SOURCE_LISTENER;
        listener->fd = fds[i];
        if (setsockopt(fds[i], IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds)) < 0)
            return error_set_errno(error, 70, "descriptor %d: TCP_DEFER_ACCEPT", fds[i]);
        if (epoll_ctl(front->epoll, EPOLL_CTL_ADD, fds[i], &event) < 0)
            return error_set_errno(error, 70, "descriptor %d: epoll_ctl", fds[i]);
    }
    return 0;
}

void front_deinit(struct front *front)
{
    for (size_t i = 0; i < front->listener_count; i++)
        close(front->listeners[i].fd);
    front->listener_count = 0;
}

/* ---- running out ---- */

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

/* Something ran out: somebody makes room, or nobody is accepted for a moment. A listener that
 * stays readable would otherwise be told of again and again. */
static void front_exhausted(struct front *front, uint32_t what, uint64_t now_ms)
{
    front->connections->exhausted |= what;
    if (log_limit_take(&front->log_limit, now_ms))
        log_warnx("out of %s with %zu connections: the oldest makes room",
                  what == LINK_EXHAUSTED_FDS ? "file descriptors" : "memory",
                  front->connections->count);
    if (!connections_evict(front->connections))
        front_pause(front, now_ms);
}

/* ---- the first look ---- */

static void front_refuse(struct front *front, struct connection *connection, unsigned status,
                         uint64_t now_ms)
{
    char answer[REFUSAL_MAX];
    size_t length = refusal_write(answer, status, time(NULL));

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

/* `ended`: the peer will send nothing more. */
static void front_look(struct front *front, struct connection *connection, bool ended,
                       uint64_t now_ms)
{
    struct head head;
    ssize_t got = recv(connection->fd, front->look, sizeof(front->look), MSG_PEEK | MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        connections_close(front->connections, connection);
        return;
    }
    switch (head_parse(&head, front->look, (size_t)got)) {
    case HEAD_COMPLETE:
        front_hand_over(front, connection, &head);
        break;
    case HEAD_REFUSED:
        front_refuse(front, connection, head.status, now_ms);
        break;
    case HEAD_INCOMPLETE:
        if (ended)
            front_refuse(front, connection, 400, now_ms);
        break;
    }
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

/* ---- accepting ---- */

static void front_take(struct front *front, int fd, const struct sockaddr_storage *peer,
                       uint64_t now_ms)
{
    struct connection *connection =
        connections_add(front->connections, fd, peer, now_ms + front->deadline_ms);

    if (!connection) {
        front_exhausted(front, LINK_EXHAUSTED_MEMORY, now_ms);
        return;
    }
    /* Accepting was deferred: mostly the whole request is there, and epoll is not needed. */
    front_look(front, connection, false, now_ms);
    if (connection->state == CONNECTION_UNDECIDED)
        connections_wait(front->connections, connection);
}

/* For one more. The bound on all connections is one that strangers can reach: somebody makes room,
 * and only where nobody can does the keeper hear of it, for it would give the window up. */
static void front_make_room(struct front *front, uint64_t now_ms)
{
    struct connections *connections = front->connections;

    if (connections->count >= connections->max && !connections_evict(connections))
        front_exhausted(front, LINK_EXHAUSTED_FDS, now_ms);
}

bool front_accept(struct front *front, struct listener *listener, uint64_t now_ms)
{
    bool accepted = false;

    for (unsigned i = 0; i < ACCEPTS_AT_ONCE && !front->paused; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t length = sizeof(peer);
        int fd =
            accept4(listener->fd, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            front_make_room(front, now_ms);
            front_take(front, fd, &peer, now_ms);
            accepted = true;
            continue;
        }
        switch (errno) {
        case EAGAIN:
            return accepted;
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
    }
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
    for (connection = connections->all; connection && connection->deadline_ms <= now_ms;) {
        struct connection *next = connection->next;
        if (connection->state != CONNECTION_ANSWERED)
            connections_close(connections, connection);
        else if (!connection->cut_off)
            http_cut_off(connection);
        connection = next;
    }
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
    uint64_t next_ms = UINT64_MAX;
    const struct connection *connection = front->connections->all;

    /* Those that were cut off end with libmicrohttpd's next round and need no reminder. */
    while (connection && connection->cut_off)
        connection = connection->next;
    if (connection)
        next_ms = connection->deadline_ms;
    if (front->connections->lingering)
        next_ms = earlier(next_ms, front->connections->lingering->linger_ms);
    if (front->paused)
        next_ms = earlier(next_ms, front->paused_until_ms);
    return next_ms;
}
