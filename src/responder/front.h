// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/log_limit.h"
#include "responder/answer.h"
#include "responder/connections.h"
#include "responder/head.h"
#include "responder/http.h"
#include "responder/relay.h"
#include "responder/tokens.h"
#include "wicket/error.h"
#include "wicket/link.h"

/*
 * The front: accepts, has a first look at what arrives without taking it (MSG_PEEK), and decides.
 * Who asks for a challenge in the plainest way, as validators do, is answered here, and kept for
 * another request where it asks for that; in any other it goes to libmicrohttpd, bytes untouched.
 * Who does not ask for one goes to production in the same way; or, where visitors are not passed,
 * to libmicrohttpd too when the head is good, and is refused here when it is not. The look is
 * edge-triggered: bytes that were looked at stay in the socket, and would wake us without end.
 */
#define FRONT_LISTENERS_MAX 2

struct listener {
    enum source source; /* SOURCE_LISTENER */
    int fd;
};

struct front {
    size_t listener_count;
    uint64_t first_byte_ms;          /* how long a connection may say nothing */
    uint64_t deadline_ms;            /* of a connection, from accept to end or to its passing */
    struct connections *connections; /* borrowed */
    struct http *http;               /* borrowed */
    const struct tokens *tokens;     /* borrowed */
    struct relays *relays;           /* borrowed */
    /* Takes in what the keeper has sent by now. Whether there was anything. */
    bool (*refresh)(void *context);
    void *context;
    uint64_t paused_until_ms;
    size_t paused_count; /* of connections at that time */
    struct log_limit log_limit;
    struct answers answers;
    int epoll; /* borrowed */
    struct listener listeners[FRONT_LISTENERS_MAX];
    bool pass;     /* visitors; see front_adjust for this, the next and the two times */
    bool deferred; /* the kernel has waited for the first bytes */
    bool paused;   /* no accepting until then or until a connection ends */
    bool heard;    /* the keeper, since there was something to look at in this round */
    char look[HEAD_LOOK];
};

/* Takes the listening descriptors over. */
int front_init(struct front *front, const int *fds, size_t count, struct error *error);
void front_deinit(struct front *front);
/* How connections that come from now on are treated. */
void front_adjust(struct front *front, const struct link_setup *setup);

/* Ends the connections that are kept for another request, but for those that have just made one. */
void front_end_kept(struct front *front, uint64_t now_ms);

/* Accepts what is there, but never without end: epoll tells again of the rest. Whether there was
 * any. */
bool front_accept(struct front *front, struct listener *listener, uint64_t now_ms);
/* The same for all listeners. */
bool front_accept_all(struct front *front, uint64_t now_ms);
/* Before the events of a round, for all of which the keeper is heard once. */
void front_begin_round(struct front *front);
void front_event(struct front *front, struct connection *connection, uint32_t events,
                 uint64_t now_ms);

/* Ends what has passed its deadline. */
void front_expire(struct front *front, uint64_t now_ms);
/* When front_expire has something to do; UINT64_MAX: never. */
uint64_t front_next_ms(const struct front *front);
