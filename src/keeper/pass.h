// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log_limit.h"
#include "keeper/event.h"
#include "keeper/pass_source.h"
#include "redirect/redirect.h"

struct keeper;

/*
 * The keeper's part of the pass: for each visitor that the responder hands over, a connection to
 * production that has the visitor's address. What came in one round of the loop is one batch for
 * the kernel's table, in which also go the elements of those that have connected since.
 *
 * It fails closed. A socket is marked (REDIRECT_PRIORITY) before it is connected, and the table's
 * `closed` chain drops the packet of such a one that would show this host's own address, whatever
 * the reason. Its element is there before it connects, and is not gone before that has come to an
 * end; the kernel ends a connect (PASS_SYNS) before it drops the element (REDIRECT_RELAY_MS),
 * should nobody do either.
 */

/* What is taken from the responder in one round; the rest waits in the link. */
#define PASS_A_ROUND 128
/* Elements to be removed with the next batch, or soon. */
#define PASS_GONE_MAX 256
#define PASS_GONE_MS  20
/* How often the first packet of a connect is sent again: the kernel gives up after 15 to 20 s. */
#define PASS_SYNS 3
/* Each holds a descriptor and an element; production with more than that to answer is down. */
#define PASS_CONNECTING_MAX 4096
/* Production that has not answered by then has not got the packet. */
#define PASS_STALL_MS 1000

struct pass_request {
    uint64_t id;
    int fd; /* the visitor's socket, ours to close */
};

/* A copy of an upstream socket that is still connecting. */
struct pass_connect {
    struct event_source source;
    int fd; /* of it */
    struct keeper *keeper;
    struct redirect_relay relay;
    bool loopback;
    bool stalled;
    uint64_t began_ms;
    struct pass_connect *prev, *next; /* pass.connecting */
};

struct pass {
    struct pass_request requests[PASS_A_ROUND];
    size_t request_count;
    struct redirect_relay gone[PASS_GONE_MAX];
    size_t gone_count;
    uint64_t gone_due_ms;
    struct pass_connect *connecting; /* the oldest first */
    struct pass_connect *dead;       /* retired in this round of events */
    size_t connecting_count;
    struct pass_sources sources;
    int tuples_fd;                     /* of pass_tuple_open */
    uint64_t closed_seen, looped_seen; /* of the table's counters */
    struct log_limit log_limit;
};

void pass_init(struct pass *pass);
/* Everything that is under way ends. */
void pass_deinit(struct keeper *keeper);

/* The responder asks. There is room for as many as are read in one round. */
void pass_ask(struct keeper *keeper, uint64_t id, int fd);
/* Connects those who asked, and removes what has to go. */
void pass_run(struct keeper *keeper, uint64_t now_ms);
uint64_t pass_next_ms(const struct pass *pass);
/* The responder is gone, and with it its questions. */
void pass_forget(struct keeper *keeper);

/* Ends what is still connecting. */
void pass_abort(struct keeper *keeper);

/* What the table has counted. Not NULL: connections to production were dropped since, and this is
 * why. */
const char *pass_look(struct pass *pass, const struct redirect_counters *counters);

/* The relays in force, for a table that is to take over; the caller frees them. False: no memory.
 */
bool pass_relays(const struct pass *pass, struct redirect_relay **out, size_t *count);
/* A new table is there, which has them or, unless `kept`, nothing of this kind. */
void pass_table_replaced(struct keeper *keeper, bool kept);
