// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include "responder/front.h"
#include "responder/peer.h"
#include "wicket/error.h"

/* The whole program, on main's stack. */
struct responder {
    int epoll;
    struct tokens tokens;
    struct connections connections;
    struct relays relays;
    struct http http;
    struct front front;
    struct peer peer;
    bool heard;           /* in this round: the link has something to say */
    enum peer_state link; /* as the last look at the link found it */
    struct error *error;  /* the caller's, for what the link says */
};

/*
 * Takes over the descriptors of enum link_fd, gives up all privileges as the keeper's setup says,
 * gets ready, and fences itself in. `parent` as for privileges_drop. Returns 0; 1 when the link
 * ended before the setup came, which is no error; -1.
 */
int responder_init(struct responder *responder, pid_t parent, struct error *error);
void responder_deinit(struct responder *responder);

/* Serves until the link ends: 0; -1 when the link or the loop broke. */
int responder_run(struct responder *responder, struct error *error);
