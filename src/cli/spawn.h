// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "wicket/error.h"

/*
 * Starts a keeper that outlives its caller: a session of its own, /dev/null for standard input,
 * output and error (an ACME client reads its hook's pipes to the end), an environment with PATH
 * alone, default signals, and two more descriptors:
 */
enum spawn_fd {
    SPAWN_FD_LOCK = 3,  /* the lock file, locked */
    SPAWN_FD_READY = 4, /* "R" once it listens; or "E", an exit code, a space and a line of text */
};

/*
 * Executes `keeper --on-demand --config CONFIG` and waits until it is ready. `lock_fd` stays the
 * caller's. The error is what the keeper says; 69 when it dies without a word; 75 when it is not
 * ready in time.
 */
int spawn_keeper(const char *keeper, const char *config, int lock_fd, uint64_t deadline_ms,
                 struct error *error);

/* What came through the pipe of SPAWN_FD_READY, to its end: 0 when it is "R". */
int spawn_read_report(const char *bytes, size_t length, struct error *error);
