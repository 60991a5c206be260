// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plan.h"

#include <stdint.h>

/* One connection of a visitor: requests, and answers that are checked as they come in. */
struct visit {
    int fd;             /* -1: not connected */
    bool asking;        /* a request is not yet answered */
    uint64_t due;       /* when the request was to begin, in ns */
    uint64_t requests;  /* over this connection, answered ones */
    uint64_t sent;      /* of the request and its body */
    uint64_t body_read; /* of the answer's body */
    uint64_t length;    /* of it, once the head was read */
    bool in_body;
    bool to_end; /* the head has no length: the body ends with the connection */
    bool last;   /* the head says that the server closes */
    size_t head_length;
    char head[2048];
};

enum visit_state {
    VISIT_PENDING,
    VISIT_ANSWERED, /* the answer is there, whole and right */
    VISIT_CLOSED,   /* and the server has closed, as it was asked to */
};

/* A new connection, under way; `from` may be NULL. */
int visit_connect(struct visit *visit, const struct plan *plan, const struct plan_address *from,
                  struct error *error);

/* A request over it, which was to begin at `due`. */
void visit_ask(struct visit *visit, uint64_t due);

/* As far as it goes without waiting. -1: an answer was wrong, or there was none. */
int visit_go_on(struct visit *visit, const struct plan *plan, enum visit_state *state,
                struct error *error);

void visit_close(struct visit *visit);
