// SPDX-License-Identifier: GPL-2.0-or-later
#include "responder/pipes.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void pipes_init(struct pipes *pipes, size_t max)
{
    *pipes = (struct pipes){.max = max};
}

static void pipe_destroy(struct pipes *pipes, struct pipe *pipe)
{
    close(pipe->in);
    close(pipe->out);
    free(pipe);
    pipes->count--;
}

void pipes_deinit(struct pipes *pipes)
{
    while (pipes->free) {
        struct pipe *pipe = pipes->free;
        pipes->free = pipe->next;
        pipe_destroy(pipes, pipe);
    }
    pipes->free_count = 0;
}

static struct pipe *pipe_create(struct pipes *pipes)
{
    struct pipe *pipe = calloc(1, sizeof(*pipe));
    int fds[2];

    if (!pipe)
        return NULL;
    if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0) {
        free(pipe);
        return NULL;
    }
    pipe->out = fds[0];
    pipe->in = fds[1];
    /* One user's pipes share a limit (pipe-user-pages-soft in pipe(7)): a smaller one does too. */
    (void)fcntl(pipe->in, F_SETPIPE_SZ, (int)PIPES_BYTES);
    pipes->count++;
    return pipe;
}

struct pipe *pipes_take(struct pipes *pipes)
{
    struct pipe *pipe = pipes->free;

    if (pipe) {
        pipes->free = pipe->next;
        pipes->free_count--;
        return pipe;
    }
    return pipes->count < pipes->max ? pipe_create(pipes) : NULL;
}

void pipes_give(struct pipes *pipes, struct pipe *pipe)
{
    if (pipe->held > 0 || pipes->free_count >= PIPES_KEPT) {
        pipe_destroy(pipes, pipe);
        return;
    }
    pipe->next = pipes->free;
    pipes->free = pipe;
    pipes->free_count++;
}
