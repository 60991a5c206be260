// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdint.h>

#include "wicket/error.h"

/*
 * Waits until something happens to the files of a keeper: the socket and the lock file appear,
 * are written, closed or deleted. Only the first wait begins to watch, and returns at once, so that
 * its caller looks again and misses nothing: who finds a keeper at the first look needs no watch,
 * and it takes the kernel milliseconds to end one.
 */
struct watch {
    const char *socket;
    const char *lock;
    int fd;          /* inotify; -1: not begun */
    int patience_ms; /* of the next watch_wait_hung_up */
};

/* For the directories of both files, whose paths are kept by reference; `lock` may be NULL. A
 * directory that is not there is not watched. */
void watch_init(struct watch *watch, const char *socket, const char *lock);
void watch_deinit(struct watch *watch);

/* Returns after an event or at the deadline, and the first time at once. */
int watch_wait(struct watch *watch, uint64_t deadline_ms, struct error *error);

/* For a socket whose listener hung up: what ends that may leave no trace in the file system (a
 * unit's socket stays), so this also returns by itself, each time later, a second at most. */
int watch_wait_hung_up(struct watch *watch, uint64_t deadline_ms, struct error *error);
