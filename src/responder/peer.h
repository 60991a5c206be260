// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "responder/connection.h"
#include "responder/http.h"
#include "responder/relay.h"
#include "responder/tokens.h"
#include "wicket/error.h"
#include "wicket/link.h"

/*
 * The responder's side of the link. Its end, or a message that breaks a rule, is the end of this
 * program. Answers that do not fit into the socket wait; validations that do not fit are dropped,
 * since the counters in the pong know of them.
 */
enum peer_state {
    PEER_OPEN,
    PEER_ENDED,  /* the keeper is gone or wants us gone */
    PEER_BROKEN, /* the error says how */
};

struct peer {
    enum source source; /* SOURCE_LINK */
    int fd;
    int epoll;             /* borrowed */
    struct tokens *tokens; /* borrowed */
    struct relays *relays; /* borrowed */

    bool ping_waits; /* one pong for several pings: the last one counts */
    uint64_t ping_sequence;
    bool setup_waits;        /* new limits, for the owner to take from `setup` */
    struct link_setup setup; /* the last one; the first is put here by the owner */
    uint64_t drain_sequence; /* of the question that waits for its answer; 0: none */
    bool crowded_waits;      /* to be told */
    bool crowded_told;
    bool blocked;          /* waiting for EPOLLOUT */
    in_port_t listen_port; /* ours, network order: what came to it was redirected */
    uint64_t retry_ms;     /* not to ask for visitors before; 0: at once */

    uint64_t second_start_ms; /* of the validations told */
    unsigned told;
};

/* When the kernel has too many descriptors on their way to take another. */
#define PEER_RETRY_MS 10

/*
 * Waits for LINK_SETUP, before there is a loop. PEER_ENDED: the link ended first.
 */
enum peer_state peer_receive_setup(int fd, struct link_setup *out, struct error *error);

/* Takes the descriptor over, registers it, and sends LINK_READY. */
int peer_init(struct peer *peer, int fd, int epoll, struct tokens *tokens, struct relays *relays,
              struct error *error);
void peer_deinit(struct peer *peer);

/* Takes all messages that are there; *any is set when there was one. */
enum peer_state peer_receive(struct peer *peer, uint64_t now_ms, bool *any, struct error *error);

/* Sends what waits: visitors for production, the pong, with what `pong` says (its sequence aside),
 * and LINK_DRAINED once pong->connections is 0. *pong_sent tells that `pong` went out. */
enum peer_state peer_flush(struct peer *peer, const struct link_pong *pong, bool *pong_sent,
                           uint64_t now_ms, struct error *error);
/* Whether there is something that waits, and when it is to be tried again though no event says so;
 * UINT64_MAX: never. */
bool peer_is_waiting(const struct peer *peer);
uint64_t peer_next_ms(const struct peer *peer);

/* Whether there is room for one more in this second; peer_tell_validation looks itself. */
bool peer_may_tell(struct peer *peer, uint64_t now_ms);
void peer_tell_validation(struct peer *peer, const struct http_served *served);
/* An address as the link has it; returns the family. */
uint16_t peer_address(uint8_t out[16], const struct in6_addr *address);
