// SPDX-License-Identifier: GPL-2.0-or-later
#include "responder/responder.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "responder/clock.h"
#include "responder/descriptors.h"
#include "responder/destination.h"
#include "responder/privileges.h"
#include "responder/sandbox.h"

/*
 * One round of the loop: accept and look, then take what the keeper says, then answer, and ask the
 * keeper for all who are to be passed. In this order a token is known to every request that was
 * made after the keeper sent it, however the kernel mixes the events; who would be passed because
 * of an unknown token is looked at again once the keeper was heard.
 */

#define EVENTS_AT_ONCE 256
/* Descriptors that are no connections: those of enum link_fd, two epolls, a few spare ones for
 * what libraries need and for the duplicate of a connection that lingers. */
#define DESCRIPTORS_RESERVED 24
/* Connections that are decided end within microseconds; these are the ones whose peers leave an
 * answer unread. */
#define DECIDED_MAX 1024
/* Where descriptors are no bound. */
#define RELAYS_MAX 65536
#define PIPES_MAX  256

static void responder_served(void *context, const struct http_served *served)
{
    struct responder *responder = context;
    peer_tell_validation(&responder->peer, served);
}

static bool responder_wants_told(void *context, uint64_t now_ms)
{
    struct responder *responder = context;
    return peer_may_tell(&responder->peer, now_ms);
}

/* What the descriptors allow. */
struct capacity {
    size_t descriptors; /* that all of these take, and no more are ever opened */
    size_t connections;
    size_t relays; /* two descriptors each */
    size_t pipes;  /* the same */
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* -1 with errno. */
static int find_capacity(const struct link_setup *setup, struct capacity *out)
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
    size_t allowed = limit.rlim_cur - DESCRIPTORS_RESERVED < INT_MAX
                         ? (size_t)limit.rlim_cur - DESCRIPTORS_RESERVED
                         : INT_MAX;
    /* Also where nobody is passed: a reload may change that. */
    out->connections = smaller(allowed / 2, setup->undecided + DECIDED_MAX);
    size_t rest = allowed - out->connections;
    out->pipes = smaller(rest / 8, PIPES_MAX);
    out->relays = smaller((rest - 2 * out->pipes) / 2, RELAYS_MAX);
    out->descriptors = DESCRIPTORS_RESERVED + out->connections + 2 * out->pipes + 2 * out->relays;
    return 0;
}

/* With few descriptors a quarter stays for those that are decided. */
static size_t undecided_allowed(size_t wanted, size_t max)
{
    return wanted > max - max / 4 ? max - max / 4 : wanted;
}

static int init_connections(struct responder *responder, const struct link_setup *setup,
                            const struct capacity *capacity, struct error *error)
{
    relays_init(&responder->relays, responder->epoll, capacity->relays, capacity->pipes);
    if (connections_init(&responder->connections, responder->epoll, capacity->connections,
                         undecided_allowed(setup->undecided, capacity->connections),
                         setup->undecided_per_address) < 0)
        return error_set_errno(error, 70, "getrandom");
    return 0;
}

static int init_http(struct responder *responder, const struct link_setup *setup,
                     struct error *error)
{
    struct http *http = &responder->http;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = http};

    http->other_requests = (enum link_other_requests)setup->other_requests;
    http->connections = &responder->connections;
    http->tokens = &responder->tokens;
    http->served = responder_served;
    http->wants_told = responder_wants_told;
    http->context = responder;
    if (http_init(http, error) < 0)
        return -1;
    if (epoll_ctl(responder->epoll, EPOLL_CTL_ADD, http->epoll, &event) < 0)
        return error_set_errno(error, 70, "epoll_ctl");
    return 0;
}

/* What becomes of the link is kept for the end of the round. */
static bool responder_refresh(void *context)
{
    struct responder *responder = context;
    bool any = false;

    if (responder->link == PEER_OPEN)
        responder->link = peer_receive(&responder->peer, clock_now_ms(), &any, responder->error);
    return any;
}

static int init_front(struct responder *responder, const struct link_setup *setup,
                      struct error *error)
{
    const int listeners[FRONT_LISTENERS_MAX] = {LINK_FD_LISTEN, LINK_FD_LISTEN + 1};
    struct front *front = &responder->front;

    front->epoll = responder->epoll;
    front->connections = &responder->connections;
    front->http = &responder->http;
    front->tokens = &responder->tokens;
    front->relays = &responder->relays;
    front->answers.connections = &responder->connections;
    front->answers.tokens = &responder->tokens;
    front->answers.http = &responder->http;
    front->refresh = responder_refresh;
    front->context = responder;
    if (front_init(front, listeners, setup->listeners, error) < 0)
        return -1;
    front_adjust(front, setup);
    return 0;
}

int responder_init(struct responder *responder, pid_t parent, struct error *error)
{
    struct link_setup setup;
    struct capacity capacity = {0};
    in_port_t listen_port = 0;

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
    if (!destination_port(&listen_port, LINK_FD_LISTEN))
        return error_set_errno(error, 70, "descriptor %d: getsockname", LINK_FD_LISTEN);
    responder->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (responder->epoll < 0)
        return error_set_errno(error, 70, "epoll_create1");
    if (find_capacity(&setup, &capacity) < 0)
        return error_set_errno(error, 70, "RLIMIT_NOFILE");
    if (init_connections(responder, &setup, &capacity, error) < 0 ||
        init_http(responder, &setup, error) < 0 || init_front(responder, &setup, error) < 0)
        return -1;
    /* Before the keeper hears that this is ready, and strangers can reach it. */
    if (responder_sandbox_enter(capacity.descriptors, error) < 0)
        return -1;
    if (peer_init(&responder->peer, LINK_FD_LINK, responder->epoll, &responder->tokens,
                  &responder->relays, error) < 0)
        return -1;
    responder->peer.setup = setup;
    responder->peer.listen_port = listen_port;
    return 0;
}

void responder_deinit(struct responder *responder)
{
    peer_deinit(&responder->peer);
    front_deinit(&responder->front);
    http_deinit(&responder->http);
    connections_deinit(&responder->connections);
    relays_deinit(&responder->relays);
    tokens_deinit(&responder->tokens);
    if (responder->epoll >= 0)
        close(responder->epoll);
    responder->epoll = -1;
}

static int responder_timeout(const struct responder *responder, bool busy, uint64_t now_ms)
{
    uint64_t next_ms = front_next_ms(&responder->front);
    uint64_t relays_ms = relays_next_ms(&responder->relays);
    uint64_t peer_ms = peer_next_ms(&responder->peer);

    if (relays_ms < next_ms)
        next_ms = relays_ms;
    if (peer_ms < next_ms)
        next_ms = peer_ms;
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
    case SOURCE_RELAY:
        relays_event(&responder->relays, event->data.ptr, event->events, now_ms);
        break;
    case SOURCE_LINK:
        responder->heard = true;
        break;
    case SOURCE_HTTP:
        responder->http.due = true;
        break;
    }
}

/* The keeper is told once that there are nearly too many visitors to pass, and in every pong. */
static void responder_note_crowd(struct responder *responder)
{
    struct peer *peer = &responder->peer;
    bool crowded = responder->front.pass && relays_is_crowded(&responder->relays);

    peer->crowded_waits = crowded && (peer->crowded_waits || !peer->crowded_told);
    peer->crowded_told = crowded;
}

/* *busy: there are connections to be answered at once. */
static enum peer_state responder_talk(struct responder *responder, uint64_t now_ms, bool *busy,
                                      struct error *error)
{
    struct connections *connections = &responder->connections;
    struct relays *relays = &responder->relays;
    struct peer *peer = &responder->peer;
    struct link_pong pong;
    bool pong_sent = false;

    responder_note_crowd(responder);
    if (!peer_is_waiting(peer))
        return PEER_OPEN;
    /* Whoever got in before the drain was asked for is still to be served. */
    while (peer->drain_sequence != 0 && connections->count + relays->count == 0 &&
           front_accept_all(&responder->front, now_ms))
        *busy = true;
    pong = (struct link_pong){
        .validations = connections->counters.validations,
        .turned_away = connections->counters.turned_away + relays->refused,
        .passed = relays->passed,
        .unknown = connections->counters.unknown,
        .connections = (uint32_t)(connections->count + relays->count),
        .passing = (uint32_t)relays->count,
        .exhausted = connections->exhausted | (peer->crowded_told ? LINK_EXHAUSTED_PASSES : 0U),
    };
    if (pong.unknown > 0)
        pong.unknown_family =
            peer_address(pong.unknown_address, &connections->counters.unknown_address);
    enum peer_state state = peer_flush(peer, &pong, &pong_sent, now_ms, error);
    if (pong_sent)
        connections->exhausted = 0;
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
    responder->http.other_requests = (enum link_other_requests)peer->setup.other_requests;
    front_adjust(&responder->front, &peer->setup);
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
    responder->heard = false;
    front_begin_round(&responder->front);
    for (int i = 0; i < count; i++)
        responder_dispatch(responder, &events[i], now_ms);
    front_expire(&responder->front, now_ms);
    relays_expire(&responder->relays, now_ms);
    if (responder->heard || responder->http.due)
        (void)responder_refresh(responder);
    if (responder->link != PEER_OPEN)
        return responder->link;
    responder_adjust(responder);
    if (responder->relays.draining)
        front_end_kept(&responder->front, now_ms);
    *busy = responder->http.due && http_run(&responder->http, now_ms);
    state = responder_talk(responder, now_ms, busy, error);
    connections_reap(&responder->connections);
    relays_reap(&responder->relays);
    return state;
}

int responder_run(struct responder *responder, struct error *error)
{
    enum peer_state state = PEER_OPEN;
    bool busy = false;

    responder->error = error;
    while (state == PEER_OPEN)
        state = responder_round(responder, &busy, error);
    return state == PEER_ENDED ? 0 : -1;
}
