// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "keeper/event.h"
#include "wicket/control.h"

struct keeper;
struct window_reason;

/*
 * A peer: one connection to the control socket. What it says has been checked before anybody acts
 * on it; who it is comes from the kernel (SO_PEERCRED). It has one request at a time; one whose
 * answer has to wait for something is parked in `wait`, and keeper_settle() looks at it again after
 * every event.
 */
#define PEERS_PER_UID     16
#define PEERS_MAX         1024
#define PEERS_PAUSE_MS    100  /* after a connection that could not be taken */
#define PEER_STUCK_MS     5000 /* for a peer that does not read its answer */
#define PEER_OPEN_PER_UID 16   /* windows by hand at a time */

enum peer_wait {
    PEER_WAIT_NONE,
    PEER_WAIT_WINDOW,    /* until `reason` is served by a window in force */
    PEER_WAIT_RESPONDER, /* until the responder is ready */
    PEER_WAIT_SETTLE,    /* until it is known whether connections arrive */
    PEER_WAIT_STATUS,    /* until the responder's counters are fresh */
    PEER_WAIT_REPORT,    /* the same */
    PEER_WAIT_ENDED,     /* until what was asked to end is shut, and the responder is told so */
    PEER_WAIT_FORGOTTEN, /* until the responder has heard that */
};

/* The counters at CONTROL_ARM. */
struct peer_baseline {
    uint64_t windows, open_ms, tokens, validations, turned_away, passed, validators;
    uint64_t unknown, redirected, arrived;
    unsigned int troubles;
    bool was_open;
};

struct peer_packet;

struct peer {
    struct keeper *keeper;
    struct event_source source;
    uid_t uid;
    pid_t pid;
    struct peer *previous, *next;

    enum peer_wait wait;
    uint64_t wait_sequence; /* of the ping whose answer it takes */
    uint64_t wait_until_ms;
    unsigned int wait_refusals;
    const char *wait_ended;         /* `reason` ended meanwhile, and why */
    char warning[CONTROL_TEXT_MAX]; /* to go with a good result */
    bool explain;                   /* and why nobody validated what is withdrawn */
    struct window_reason *reason;   /* borrowed from the window; NULL once it has ended */

    bool is_armed;
    struct window_reason *run; /* the reason of `wicket run --open`; as above */
    struct peer_baseline baseline;

    struct peer_packet *packets, *packets_last; /* waiting for room in the socket */
    uint64_t stuck_at_ms;                       /* packets != NULL: when it is given up */
};

struct peers {
    struct peer *list;
    struct peer *dead; /* closed in this round of events, freed after it */
    size_t count;
    bool paused; /* nobody is taken until then */
    uint64_t paused_until_ms;
    int spare_fd; /* given up for a moment to turn somebody away when there is no other left */
};

/* Takes every connection that waits at the control socket; where the kernel gives none, those wait
 * for PEERS_PAUSE_MS. */
void peers_accept(struct keeper *keeper);
void peers_tick(struct keeper *keeper, uint64_t now_ms);
uint64_t peers_next_ms(const struct peers *peers);
void peers_reap(struct keeper *keeper);
void peers_close_all(struct keeper *keeper);
size_t peers_of(const struct keeper *keeper, uid_t uid);
/* The reason has ended: nobody may point at it any more. */
void peers_forget(struct keeper *keeper, const struct window_reason *reason, const char *why);

void peer_close(struct peer *peer);
/* Sends, or queues; `fd` may be -1 and stays the caller's. */
void peer_send(struct peer *peer, const union control_message *message, int fd);
/* The last word on a request. */
void peer_result(struct peer *peer, int exit_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
