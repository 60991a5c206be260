// SPDX-License-Identifier: GPL-2.0-or-later
#include "responder/responder.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "responder/clock.h"
#include "responder/descriptors.h"
#include "responder/privileges.h"

/*
 * One round of the loop: accept and look, then take what the keeper says, then answer. In this
 * order a token is known to every request that was made after the keeper sent it, however the
 * kernel mixes the events.
 */

#define EVENTS_AT_ONCE 256
/* Descriptors that are no connections: those of enum link_fd, two epolls, a few spare ones for
 * what libraries need and for the duplicate of a connection that lingers. */
#define DESCRIPTORS_RESERVED 24
/* Connections that are decided end within microseconds; these are the ones whose peers leave an
 * answer unread. */
#define DECIDED_MAX 1024

static void responder_served(void *context, const struct connection *connection, const char *token,
                             size_t length)
{
    struct responder *responder = context;
    peer_tell_validation(&responder->peer, connection, token, length, responder->http.now_ms);
}

/* How many connections the descriptors allow. -1 with errno. */
static int find_connections_max(size_t undecided, size_t *out)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -1;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -1;
    if (limit.rlim_cur < (rlim_t)2 * DESCRIPTORS_RESERVED) {
        errno = EMFILE;
        return -1;
    }
    rlim_t allowed = limit.rlim_cur - DESCRIPTORS_RESERVED;
    size_t wanted = undecided + DECIDED_MAX;
    *out = allowed < wanted ? (size_t)allowed : wanted;
    return 0;
}

/* With few descriptors a quarter stays for those that are decided. */
static size_t undecided_allowed(size_t wanted, size_t max)
{
    return wanted > max - max / 4 ? max - max / 4 : wanted;
}

static int init_connections(struct responder *responder, const struct link_setup *setup,
                            struct error *error)
{
    size_t max = 0;

    if (find_connections_max(setup->undecided, &max) < 0)
        return error_set_errno(error, 70, "RLIMIT_NOFILE");
    if (connections_init(&responder->connections, responder->epoll, max,
                         undecided_allowed(setup->undecided, max),
                         setup->undecided_per_address) < 0)
        return error_set_errno(error, 70, "getrandom");
    return 0;
}

static enum link_other_requests other_requests(const struct link_setup *setup)
{
    return setup->other_requests == LINK_OTHER_HTTPS ? LINK_OTHER_HTTPS : LINK_OTHER_NOT_FOUND;
}

static int init_http(struct responder *responder, const struct link_setup *setup,
                     struct error *error)
{
    struct http *http = &responder->http;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = http};

    http->other_requests = other_requests(setup);
    http->connections = &responder->connections;
    http->tokens = &responder->tokens;
    http->served = responder_served;
    http->context = responder;
    if (http_init(http, error) < 0)
        return -1;
    if (epoll_ctl(responder->epoll, EPOLL_CTL_ADD, http->epoll, &event) < 0)
        return error_set_errno(error, 70, "epoll_ctl");
    return 0;
}

static int init_front(struct responder *responder, const struct link_setup *setup,
                      struct error *error)
{
    const int listeners[FRONT_LISTENERS_MAX] = {LINK_FD_LISTEN, LINK_FD_LISTEN + 1};
    struct front *front = &responder->front;

    front->epoll = responder->epoll;
    front->deadline_ms = setup->deadline_ms;
    front->connections = &responder->connections;
    front->http = &responder->http;
    return front_init(front, listeners, setup->listeners, error);
}

int responder_init(struct responder *responder, pid_t parent, struct error *error)
{
    struct link_setup setup;

    *responder = (struct responder){.epoll = -1, .peer.fd = LINK_FD_LINK};
    tokens_init(&responder->tokens);
    switch (peer_receive_setup(LINK_FD_LINK, &setup, error)) {
    case PEER_OPEN:
        break;
    case PEER_ENDED:
        return 1;
    case PEER_BROKEN:
        return -1;
    }
    if (descriptors_check(setup.listeners, error) < 0 || privileges_drop(&setup, parent, error) < 0)
        return -1;
    responder->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (responder->epoll < 0)
        return error_set_errno(error, 70, "epoll_create1");
    if (init_connections(responder, &setup, error) < 0 || init_http(responder, &setup, error) < 0 ||
        init_front(responder, &setup, error) < 0)
        return -1;
    if (peer_init(&responder->peer, LINK_FD_LINK, responder->epoll, &responder->tokens, error) < 0)
        return -1;
    responder->peer.setup = setup;
    return 0;
}

void responder_deinit(struct responder *responder)
{
    peer_deinit(&responder->peer);
    front_deinit(&responder->front);
    http_deinit(&responder->http);
    connections_deinit(&responder->connections);
    tokens_deinit(&responder->tokens);
    if (responder->epoll >= 0)
        close(responder->epoll);
    responder->epoll = -1;
}

static int responder_timeout(const struct responder *responder, bool busy, uint64_t now_ms)
{
    uint64_t next_ms = front_next_ms(&responder->front);

    if (busy || next_ms <= now_ms)
        return 0;
    if (next_ms == UINT64_MAX)
        return -1;
    return next_ms - now_ms < INT_MAX ? (int)(next_ms - now_ms) : INT_MAX;
}

static void responder_dispatch(struct responder *responder, const struct epoll_event *event,
                               uint64_t now_ms)
{
    switch (*(const enum source *)event->data.ptr) {
    case SOURCE_LISTENER:
        front_accept(&responder->front, event->data.ptr, now_ms);
        break;
    case SOURCE_CONNECTION:
        front_event(&responder->front, event->data.ptr, event->events, now_ms);
        break;
    case SOURCE_LINK: /* both are seen to in every round */
    case SOURCE_HTTP:
        break;
    }
}

/* *busy: there are connections to be answered at once. */
static enum peer_state responder_talk(struct responder *responder, uint64_t now_ms, bool *busy,
                                      struct error *error)
{
    struct peer *peer = &responder->peer;
    struct link_pong pong;
    bool pong_sent = false;

    if (!peer->ping_waits && !peer->drain_waits)
        return PEER_OPEN;
    /* Whoever got in before the drain was asked for is still to be served. */
    while (peer->drain_waits && responder->connections.count == 0 &&
           front_accept_all(&responder->front, now_ms))
        *busy = true;
    pong = (struct link_pong){
        .validations = responder->connections.counters.validations,
        .turned_away = responder->connections.counters.turned_away,
        .connections = (uint32_t)responder->connections.count,
        .exhausted = responder->connections.exhausted,
    };
    enum peer_state state = peer_flush(peer, &pong, &pong_sent, error);
    if (pong_sent)
        responder->connections.exhausted = 0;
    return state;
}

/* Limits that changed while this runs. A connection keeps the deadline it began with, and until the
 * last of those has passed, one with a shorter deadline may wait for it. */
static void responder_adjust(struct responder *responder)
{
    struct peer *peer = &responder->peer;
    struct connections *connections = &responder->connections;

    if (!peer->setup_waits)
        return;
    peer->setup_waits = false;
    connections->undecided.total = undecided_allowed(peer->setup.undecided, connections->max);
    connections->undecided.per_address = peer->setup.undecided_per_address;
    responder->front.deadline_ms = peer->setup.deadline_ms;
    responder->http.other_requests = other_requests(&peer->setup);
}

static enum peer_state responder_round(struct responder *responder, bool *busy, struct error *error)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int timeout_ms = responder_timeout(responder, *busy, clock_now_ms());
    int count = epoll_wait(responder->epoll, events, EVENTS_AT_ONCE, timeout_ms);
    uint64_t now_ms = clock_now_ms();
    enum peer_state state;

    if (count < 0 && errno != EINTR) {
        error_set_errno(error, 70, "epoll_wait");
        return PEER_BROKEN;
    }
    for (int i = 0; i < count; i++)
        responder_dispatch(responder, &events[i], now_ms);
    front_expire(&responder->front, now_ms);
    state = peer_receive(&responder->peer, error);
    if (state != PEER_OPEN)
        return state;
    responder_adjust(responder);
    *busy = http_run(&responder->http, now_ms);
    state = responder_talk(responder, now_ms, busy, error);
    connections_reap(&responder->connections);
    return state;
}

int responder_run(struct responder *responder, struct error *error)
{
    enum peer_state state = PEER_OPEN;
    bool busy = false;

    while (state == PEER_OPEN)
        state = responder_round(responder, &busy, error);
    return state == PEER_ENDED ? 0 : -1;
}
