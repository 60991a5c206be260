// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "responder/connection.h"
#include "responder/pipes.h"

/*
 * The bytes of the pass, one way: from one socket to the other, whatever they are.
 *
 * Small amounts are received and sent through one buffer; what the receiver does not take, which is
 * rare, is kept until it does, and nothing more is received meanwhile. Once a side fills the buffer
 * its bytes go by splice(2), without a copy, through a pipe that is borrowed for the moment.
 * Without a pipe they are looked at (MSG_PEEK), sent, and only then dropped from where they came.
 */

/* What was received and not yet taken. */
struct flow_rest {
    size_t at, end;
    char bytes[];
};

/* One of the two sockets, and the way of the bytes that come from it. */
struct relay_end {
    enum source source; /* SOURCE_RELAY */
    bool production;    /* else the visitor */
    bool registered;    /* with epoll */
    bool ended;         /* it sends nothing more, and all that it sent is with the other */
    bool blocked;       /* the other takes nothing at present */
    bool bulk;
    int fd; /* -1: none */
    uint32_t watched;
    struct pipe *pipe;      /* with bytes from here; NULL */
    struct flow_rest *rest; /* the same; one of the two at most */
};

/* What all ways share. */
struct flow_tools {
    struct pipes pipes;
    char buffer[16 * 1024];
};

/* How one step of a way went. */
enum flow {
    FLOW_MOVED,   /* and there may be more */
    FLOW_NOTHING, /* to be had at present */
    FLOW_BLOCKED, /* the receiver takes no more at present */
    FLOW_END,     /* the sender has ended, and everything is with the receiver */
    FLOW_FROM_BROKEN,
    FLOW_TO_BROKEN,
};

/* *moved: some bytes were, though the way may be blocked again. */
enum flow flow_move(struct flow_tools *tools, struct relay_end *from, const struct relay_end *to,
                    bool *moved);
/* Whatever is held is lost. */
void flow_drop(struct flow_tools *tools, struct relay_end *from);
