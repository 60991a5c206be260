// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "keeper/child_log.h"
#include "keeper/event.h"
#include "keeper/spawn.h"
#include "wicket/error.h"
#include "wicket/link.h"

/*
 * The responder as the keeper sees it: one child process and the link to it, kept alive. It is
 * started by child_start, started again when it dies (at once, then ever later if it keeps dying),
 * and killed when it does not say that it is ready in time.
 *
 * What it says reaches the owner through the handlers. `down` is told once for every `up`, before
 * the next start; a message that breaks the protocol is told as `broken` and is fatal.
 */
enum child_state {
    CHILD_DOWN,     /* dead and buried, or never started */
    CHILD_STARTING, /* not ready yet */
    CHILD_READY,
    CHILD_DYING, /* its end is known or asked for, it is not buried yet */
};

struct child_handlers {
    void (*up)(void *owner);
    void (*down)(void *owner);
    void (*pong)(void *owner, const struct link_pong *pong);
    void (*validation)(void *owner, const struct link_validation *validation);
    void (*drained)(void *owner, uint64_t sequence);
    /* A visitor to be passed on; the descriptor is the owner's, negative: it was lost on the way.
     */
    void (*pass)(void *owner, uint64_t id, int fd);
    void (*crowded)(void *owner);
    void (*broken)(void *owner, const struct error *error);
};

struct child_packet; /* a message waiting for room in the link */

struct child {
    int epoll_fd;
    struct spawn_plan plan;
    struct link_setup setup; /* what it is told at every start */
    const struct child_handlers *handlers;
    void *owner;

    enum child_state state;
    bool setup_changed;  /* STARTING: since it was told */
    bool was_up;         /* since the last `down` */
    bool listeners_lost; /* there can be no more starts */
    bool stopped;        /* child_stop was called: no more starts */
    unsigned int deaths; /* in a row, without CHILD_STEADY_MS of life between them */
    uint64_t due_ms;     /* STARTING: ready by then; DOWN: start then; UINT64_MAX: nothing */
    uint64_t started_ms;
    struct event_source link, process; /* the process's pidfd */
    int unread_fd;                     /* DYING: the link, which may have unread sockets in it */
    struct child_log log;
    struct child_packet *waiting, *waiting_last;
    size_t waiting_bytes;
};

/* After this long a life, a death is not counted as one of a row. */
#define CHILD_STEADY_MS 10000
#define CHILD_READY_MS  5000

void child_init(struct child *child, int epoll_fd, const struct spawn_plan *plan,
                const struct link_setup *setup, const struct child_handlers *handlers, void *owner);
int child_start(struct child *child, uint64_t now_ms, struct error *error);
/* A new setup: for the next start, and what can change in a life at once (see LINK_SETUP). */
void child_configure(struct child *child, const struct link_setup *setup);
/* Queued when the link is full. Nothing happens unless it is ready. */
void child_send(struct child *child, const union link_message *message);
/* The same with a descriptor, which it takes over; -1: none. */
void child_send_descriptor(struct child *child, const union link_message *message, int fd);
void child_kill(struct child *child);
/* Kills it and waits for its end; no handler is called any more. May be called twice. */
void child_stop(struct child *child);
void child_tick(struct child *child, uint64_t now_ms);
uint64_t child_next_ms(const struct child *child);
