// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * What epoll points at: a descriptor and who handles it. Embedded in its owner, which outlives its
 * registration. Handlers run one at a time; an owner that goes away during a round of events
 * retires its source instead of freeing it, so that a later event of the same round finds it dead.
 */
struct event_source {
    int fd; /* -1: retired */
    void (*ready)(void *owner, uint32_t events);
    void *owner;
};

bool event_add(int epoll_fd, struct event_source *source, uint32_t events);
bool event_change(int epoll_fd, struct event_source *source, uint32_t events);
/* Unregisters; the descriptor is the caller's to close. */
void event_remove(int epoll_fd, struct event_source *source);
/* Unregisters and closes; may be called twice. */
void event_close(int epoll_fd, struct event_source *source);
/* One epoll_wait without a limit in time, and every handler it calls for. False with errno. */
bool event_wait(int epoll_fd);

/* The clock of all deadlines: goes on through suspend, never steps. */
uint64_t event_now_ms(void);
