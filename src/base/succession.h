// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdint.h>
#include <sys/types.h>

/*
 * A keeper's lock is held by its responder too. When the keeper was killed, that is killed by the
 * kernel and lets go of the lock last of all: whoever comes next waits for it, and finds the port
 * and the table free.
 *
 * Waits for the flock(2) of `fd`, whose file names `holder`, for `timeout_ms` at most; not at all
 * when the holder lives. Another who waits may be faster: not to be done for long without looking
 * whether there is a keeper by then. SIGALRM is used meanwhile.
 */
enum succession {
    SUCCESSION_NONE, /* the holder lives */
    SUCCESSION_LATE, /* the time is over */
    SUCCESSION_HELD, /* the lock is ours */
};
enum succession succession_wait(int fd, pid_t holder, uint64_t timeout_ms);
