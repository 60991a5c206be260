// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Pipes for splice(2). One is taken for bytes that are on their way and given back empty; only
 * where the receiver is slow does it stay with them. There are at most `max`: whoever gets none
 * copies.
 */
struct pipe {
    int in, out; /* written to, read from */
    size_t held; /* bytes in it */
    struct pipe *next;
};

struct pipes {
    size_t max, count; /* of all pipes, free ones too */
    size_t free_count;
    struct pipe *free;
};

/* What one splice takes at the most, and what a pipe is made to hold where the kernel allows: the
 * larger, the fewer system calls for each byte. */
#define PIPES_BYTES ((size_t)1024 * 1024)
/* That are kept for the next bytes. */
#define PIPES_KEPT 4

void pipes_init(struct pipes *pipes, size_t max);
void pipes_deinit(struct pipes *pipes);

/* NULL: there is none. */
struct pipe *pipes_take(struct pipes *pipes);
/* With whatever it still holds, which is lost. */
void pipes_give(struct pipes *pipes, struct pipe *pipe);
