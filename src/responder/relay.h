// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "responder/connection.h"
#include "responder/relay_flow.h"

/*
 * The pass: a visitor's connection and the one to production that the keeper makes for it, and the
 * bytes between the two (relay_flow.h).
 *
 *   WAITING -> ASKED -> (CONNECTING) -> OPEN -> (HALF) -> (ENDING) -> closed
 *
 * The end of one side is passed on as the end of the other (half-close), a reset as a reset, but
 * not before what was sent ahead of it has arrived. Only when everything has arrived is a
 * connection over: the keeper takes the table away after the last of them, and with it the
 * addresses that the kernel translates. Whatever ends otherwise, be it by the death of this
 * program, ends in resets: nobody is to take a part for the whole.
 */
enum relay_state {
    RELAY_WAITING,    /* to ask the keeper: the link is full */
    RELAY_ASKED,      /* the keeper has a copy of the visitor's socket */
    RELAY_CONNECTING, /* production has not answered yet */
    RELAY_OPEN,
    RELAY_HALF,   /* production has ended its side */
    RELAY_ENDING, /* nothing more comes; the last bytes have not arrived yet */
    RELAY_STATES,
    RELAY_CLOSED, /* waits for the end of the round */
};

struct relay {
    struct relay_end visitor, production;
    enum relay_state state;
    bool loopback;             /* this host's own, which counts nowhere */
    bool reset;                /* ENDING: with a reset */
    uint64_t id;               /* in LINK_PASS */
    uint64_t active_ms;        /* when it came into its state, or when bytes last moved */
    uint64_t look_ms;          /* when it is looked at whether they have: no event tells */
    unsigned unsent;           /* bytes that had not arrived when they were last looked at */
    struct relay *prev, *next; /* relays.lists, by state */
};

struct relays {
    int epoll;         /* borrowed */
    size_t max, count; /* without closed ones */
    uint64_t last_id;
    struct relay *lists[RELAY_STATES]; /* the least recently active first */
    struct relay *closed;
    struct flow_tools tools;
    uint64_t passed, refused; /* visitors from outside, since start */
    bool crowded;             /* until there is room again; see relays_is_crowded */
    bool draining;
    uint64_t drain_ms; /* since when */
    uint64_t idle_ms;  /* then */
};

/* So long the keeper may take: a visitor waits for it. */
#define RELAY_ANSWER_MS 1000
/* A visitor who does not end after production has; as long as the kernel keeps the like
 * (net.ipv4.tcp_fin_timeout). */
#define RELAY_HALF_MS 60000
/* How often ENDING looks, and how long it does while nothing arrives. */
#define RELAY_LOOK_MS   10
#define RELAY_ENDING_MS 60000

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
