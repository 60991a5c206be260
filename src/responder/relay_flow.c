// SPDX-License-Identifier: GPL-2.0-or-later
#include "responder/relay_flow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* What is in the pipe goes first. */
static enum flow flush_pipe(struct flow_tools *tools, struct relay_end *from,
                            const struct relay_end *to, bool *moved)
{
    struct pipe *pipe = from->pipe;

    while (pipe->held > 0) {
        ssize_t sent =
            splice(pipe->out, NULL, to->fd, NULL, pipe->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (sent > 0) {
            pipe->held -= (size_t)sent;
            *moved = true;
        } else if (sent < 0 && errno == EAGAIN) {
            return FLOW_BLOCKED;
        } else if (sent == 0 || errno != EINTR) {
            return FLOW_TO_BROKEN;
        }
    }
    from->pipe = NULL;
    pipes_give(&tools->pipes, pipe);
    return FLOW_MOVED;
}

static enum flow flow_of_receive(ssize_t got)
{
    if (got == 0)
        return FLOW_END;
    return errno == EAGAIN || errno == EINTR ? FLOW_NOTHING : FLOW_FROM_BROKEN;
}

/* FLOW_NOTHING also where splice stops for good, as before a byte marked as urgent, or cannot tell
 * an end from that: recv can. Not after an error: the socket tells it once, and recv would see an
 * end. */
static enum flow move_bulk(struct flow_tools *tools, struct relay_end *from,
                           const struct relay_end *to, struct pipe *pipe, bool *moved)
{
    ssize_t got =
        splice(from->fd, NULL, pipe->in, NULL, PIPES_BYTES, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

    if (got <= 0) {
        bool broken = got < 0 && errno != EAGAIN && errno != EINTR;
        from->bulk = false;
        pipes_give(&tools->pipes, pipe);
        return broken ? FLOW_FROM_BROKEN : FLOW_NOTHING;
    }
    from->bulk = (size_t)got >= sizeof(tools->buffer);
    from->pipe = pipe;
    pipe->held = (size_t)got;
    *moved = true;
    return flush_pipe(tools, from, to, moved);
}

static enum flow flow_of_send(void)
{
    return errno == EAGAIN ? FLOW_BLOCKED : errno == EINTR ? FLOW_MOVED : FLOW_TO_BROKEN;
}

/* What was kept goes first. */
static enum flow flush_rest(struct relay_end *from, const struct relay_end *to, bool *moved)
{
    struct flow_rest *rest = from->rest;
    ssize_t sent =
        send(to->fd, rest->bytes + rest->at, rest->end - rest->at, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent < 0)
        return errno == EINTR ? FLOW_BLOCKED : flow_of_send();
    rest->at += (size_t)sent;
    *moved = true;
    if (rest->at < rest->end)
        return FLOW_BLOCKED;
    from->rest = NULL;
    free(rest);
    return FLOW_MOVED;
}

static enum flow keep_rest(struct relay_end *from, const char *bytes, size_t length)
{
    from->rest = malloc(sizeof(*from->rest) + length);
    if (!from->rest)
        return FLOW_FROM_BROKEN;
    from->rest->at = 0;
    from->rest->end = length;
    memcpy(from->rest->bytes, bytes, length);
    return FLOW_BLOCKED;
}

static enum flow move_copy(struct flow_tools *tools, struct relay_end *from,
                           const struct relay_end *to, bool *moved)
{
    ssize_t got = recv(from->fd, tools->buffer, sizeof(tools->buffer), MSG_DONTWAIT);
    if (got <= 0)
        return flow_of_receive(got);

    from->bulk = (size_t)got == sizeof(tools->buffer);
    *moved = true;
    ssize_t sent = send(to->fd, tools->buffer, (size_t)got, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent == got)
        return FLOW_MOVED;
    if (sent < 0 && flow_of_send() == FLOW_TO_BROKEN)
        return FLOW_TO_BROKEN;
    size_t taken = sent < 0 ? 0 : (size_t)sent;
    return keep_rest(from, tools->buffer + taken, (size_t)got - taken);
}

/* Keeps nothing. */
static enum flow move_peeked(struct flow_tools *tools, struct relay_end *from,
                             const struct relay_end *to, bool *moved)
{
    ssize_t got = recv(from->fd, tools->buffer, sizeof(tools->buffer), MSG_PEEK | MSG_DONTWAIT);
    if (got <= 0)
        return flow_of_receive(got);

    ssize_t sent = send(to->fd, tools->buffer, (size_t)got, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
        return flow_of_send();
    *moved = true;
    /* tcp(7): with MSG_TRUNC the bytes are discarded where they are, and they are there. */
    if (recv(from->fd, NULL, (size_t)sent, MSG_TRUNC | MSG_DONTWAIT) != sent)
        return FLOW_FROM_BROKEN;
    from->bulk = (size_t)got == sizeof(tools->buffer);
    return sent < got ? FLOW_BLOCKED : FLOW_MOVED;
}

enum flow flow_move(struct flow_tools *tools, struct relay_end *from, const struct relay_end *to,
                    bool *moved)
{
    enum flow flow = FLOW_MOVED;

    if (from->pipe)
        flow = flush_pipe(tools, from, to, moved);
    else if (from->rest)
        flow = flush_rest(from, to, moved);
    if (flow != FLOW_MOVED)
        return flow;
    if (from->bulk) {
        struct pipe *pipe = pipes_take(&tools->pipes);
        if (!pipe)
            return move_peeked(tools, from, to, moved);
        flow = move_bulk(tools, from, to, pipe, moved);
        if (flow != FLOW_NOTHING)
            return flow;
    }
    return move_copy(tools, from, to, moved);
}

void flow_drop(struct flow_tools *tools, struct relay_end *from)
{
    if (from->pipe)
        pipes_give(&tools->pipes, from->pipe);
    free(from->rest);
    from->pipe = NULL;
    from->rest = NULL;
}
