// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "responder/connection.h"
#include "responder/pipes.h"

/*
 * The pass: a visitor's connection and the one to production that the keeper makes for it, and the
 * bytes between the two, whatever they are.
 *
 *   WAITING -> ASKED -> (CONNECTING) -> OPEN -> (HALF) -> closed
 *
 * Small amounts are received and sent through one buffer; what the receiver does not take, which is
 * rare, is kept until it does, and nothing more is received meanwhile. Once a side fills the buffer
 * its bytes go by splice(2), without a copy, through a pipe that is borrowed for the moment.
 * Without a pipe they are looked at (MSG_PEEK), sent, and only then dropped from where they came.
 * The end of one side is passed on as the end of the other (half-close), a reset as a reset, but
 * not before what was sent ahead of it has arrived.
 */
enum relay_state {
    RELAY_WAITING,    /* to ask the keeper: the link is full */
    RELAY_ASKED,      /* the keeper has a copy of the visitor's socket */
    RELAY_CONNECTING, /* production has not answered yet */
    RELAY_OPEN,
    RELAY_HALF,      /* production has ended its side */
    RELAY_RESETTING, /* to be reset as soon as the last bytes have arrived */
    RELAY_STATES,
    RELAY_CLOSED, /* waits for the end of the round */
};

/* What was received and not yet taken. */
struct relay_rest {
    size_t at, end;
    char bytes[];
};

/* One of the two sockets, and the way of the bytes that come from it. */
struct relay_end {
    enum source source; /* SOURCE_RELAY */
    bool production;    /* else the visitor */
    bool registered;    /* with epoll */
    bool ended;         /* it sends nothing more, and all that it sent is with the other */
    bool shut;          /* the other has ended, and it was told */
    bool blocked;       /* the other takes nothing at present */
    bool bulk;
    int fd; /* -1: none */
    uint32_t watched;
    struct pipe *pipe;       /* with bytes from here; NULL */
    struct relay_rest *rest; /* the same; one of the two at most */
};

struct relay {
    struct relay_end visitor, production;
    enum relay_state state;
    bool loopback;      /* this host's own, which counts nowhere */
    uint64_t id;        /* in LINK_PASS */
    uint64_t active_ms; /* when it came into its state, or when bytes last moved */
    uint64_t began_ms;
    struct relay *prev, *next; /* relays.lists, by state */
};

struct relays {
    int epoll;         /* borrowed */
    size_t max, count; /* without closed ones */
    uint64_t last_id;
    struct relay *lists[RELAY_STATES]; /* the least recently active first */
    struct relay *closed;
    struct pipes pipes;
    uint64_t passed, refused; /* visitors from outside, since start */
    bool crowded;             /* until there is room again; see relays_is_crowded */
    bool draining;
    uint64_t drain_ms; /* since when */
    uint64_t idle_ms;  /* then */
    uint64_t now_ms;   /* while bytes are moved */
    char buffer[16 * 1024];
};

/* So long the keeper may take: a visitor waits for it. */
#define RELAY_ANSWER_MS 1000
/* A visitor who does not end after production has; as long as the kernel keeps the like
 * (net.ipv4.tcp_fin_timeout). */
#define RELAY_HALF_MS 60000
/* How long a reset waits for the bytes before it, and how often it looks: no event tells. */
#define RELAY_RESET_MS      2000
#define RELAY_RESET_LOOK_MS 10

void relays_init(struct relays *relays, int epoll, size_t max, size_t pipes);
void relays_deinit(struct relays *relays);

/* Takes the visitor's socket over. Where there is no room it is reset, and counted as refused. */
void relays_add(struct relays *relays, int fd, bool loopback, uint64_t now_ms);
/* Whoever waits longest to ask the keeper, and that it has been asked. NULL: nobody. */
struct relay *relays_waiting(const struct relays *relays);
void relays_asked(struct relays *relays, struct relay *relay, uint64_t now_ms);
/* What the keeper says: `fd`, taken over, is the socket to production, or `failure` an errno. False
 * when nobody asked so; one who has given up by now is fine. */
bool relays_answer(struct relays *relays, uint64_t id, int fd, int failure, bool connected,
                   uint64_t now_ms);

void relays_event(struct relays *relays, struct relay_end *end, uint32_t events, uint64_t now_ms);

/* No more come, but for late ones: who is idle for `idle_ms` from now on is ended. */
void relays_drain(struct relays *relays, uint64_t idle_ms, uint64_t now_ms);
void relays_resume(struct relays *relays);

/* More of them soon would be more than `max`. Once it is so it stays so until a quarter is free. */
bool relays_is_crowded(struct relays *relays);

/* Ends what is over by now, and when there is something to end; UINT64_MAX: never. */
void relays_expire(struct relays *relays, uint64_t now_ms);
uint64_t relays_next_ms(const struct relays *relays);
/* Frees those that closed in this round, when no event can name them any more. */
void relays_reap(struct relays *relays);
