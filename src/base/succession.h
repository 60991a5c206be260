// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* More than a responder takes to die, which the kernel kills. */
#define SUCCESSION_MS 2000

/*
 * A keeper's lock is held by its responder too. When the keeper was killed, that is killed by the
 * kernel and lets go of the lock last of all: whoever comes next waits for it, and finds the port
 * and the table free.
 *
 * Waits for the flock(2) of `fd`, whose file names `holder`, for `timeout_ms` at most. True: it is
 * held. False: it is not; at once, when the holder lives. SIGALRM is used meanwhile.
 */
bool succession_wait(int fd, pid_t holder, uint64_t timeout_ms);
