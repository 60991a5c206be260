// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdint.h>

#include "wicket/error.h"

/*
 * Waits until something happens to the files of a keeper: the socket and the lock file appear,
 * are written, closed or deleted. Made before the first look, so that nothing is missed.
 */
struct watch {
    int fd;          /* inotify; -1: closed */
    int patience_ms; /* of the next watch_wait_hung_up */
};

/* Watches the directories of both files; `lock` may be NULL. A directory that is not there is not
 * watched. */
int watch_init(struct watch *watch, const char *socket, const char *lock, struct error *error);
void watch_deinit(struct watch *watch);

/* Returns after an event or at the deadline. */
void watch_wait(struct watch *watch, uint64_t deadline_ms);

/* For a socket whose listener hung up: what ends that may leave no trace in the file system (a
 * unit's socket stays), so this also returns by itself, each time later, a second at most. */
void watch_wait_hung_up(struct watch *watch, uint64_t deadline_ms);
