// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "responder/connection.h"
#include "responder/undecided.h"

/*
 * All connections, whoever holds their descriptors: undecided, answered, lingering. Each has one
 * deadline from accept to end; all have the same length, so that the oldest is always the first to
 * pass.
 */
struct connections {
    int epoll;                    /* borrowed */
    size_t count;                 /* without those in `closed` */
    size_t max;                   /* what the descriptors allow */
    struct connection *all;       /* oldest first */
    struct connection *lingering; /* the first to pass first */
    struct connection *silent;    /* the same */
    struct connection *closed;    /* freed by connections_reap */
    struct undecided undecided;
    struct counters counters;
    uint32_t exhausted; /* LINK_EXHAUSTED_…, since it was last told */
};

/* A peer that does not end its side after an answer is waited for so long. */
#define CONNECTIONS_LINGER_MS 2000

/* Both as undecided_init. */
int connections_init(struct connections *connections, int epoll, size_t max, size_t undecided,
                     size_t undecided_per_address);
void connections_deinit(struct connections *connections);

/* Takes the descriptor over. NULL: no memory; the descriptor is closed. */
struct connection *connections_add(struct connections *connections, int fd,
                                   const struct sockaddr_storage *peer, uint64_t deadline_ms);

/* Its head is not complete: from now on it counts into the limits, for which there has to be room,
 * and is watched. A request that is there with its first packet never gets here. False: it is
 * closed, there is no memory. */
bool connections_wait(struct connections *connections, struct connection *connection);
/* It has not said a word until then. */
void connections_be_silent(struct connections *connections, struct connection *connection,
                           uint64_t silent_ms);
/* It has. */
void connections_speak(struct connections *connections, struct connection *connection);

/* It asks for a token that nobody registered. */
void connections_note_unknown(struct connections *connections, const struct connection *connection);

/* The front has seen its whole head. */
void connections_decide(struct connections *connections, struct connection *connection);

/* The answer is sent and nothing else will be: ends our side, waits for the peer's. `fd` is ours.
 */
void connections_linger(struct connections *connections, struct connection *connection,
                        uint64_t now_ms);

/* It goes on elsewhere, and is counted there: the descriptor is the caller's. */
int connections_let_go(struct connections *connections, struct connection *connection);

/* Counts it and closes it; its memory lives until connections_reap. */
void connections_close(struct connections *connections, struct connection *connection);
void connections_reap(struct connections *connections);

/* Takes it out of the loop. */
void connections_unwatch(struct connections *connections, struct connection *connection);
