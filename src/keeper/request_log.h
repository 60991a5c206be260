// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/log_limit.h"

/*
 * Who may ask may fill the log, so lines that requests cause are counted by user: at most so many
 * in a second, and one that says how many were left out. Nobody's are left out for another's, but
 * where somebody asks under many a user's id, all of them but root's together have a limit too.
 */
#define REQUEST_LOG_LINES  20
#define REQUEST_LOG_OTHERS 200
/* A hundred names registered and removed, with a window each, in one second. */
#define REQUEST_LOG_ROOT 500

struct request_log_user;

/* All zero is a good start. */
struct request_log {
    struct request_log_user
        *users;              /* by uid; those of the present second, and who is owed a line */
    struct log_limit others; /* everybody but root */
};

/* Whether a line that this user's request has caused may be written. */
bool request_log_take(struct request_log *log, uid_t uid, uint64_t now_ms);
/* It was not even made. */
void request_log_leave_out(struct request_log *log, uid_t uid, uint64_t now_ms);
/* Says what was left out; this comes at request_log_next_ms, UINT64_MAX if there is nothing to say.
 */
void request_log_tick(struct request_log *log, uint64_t now_ms);
uint64_t request_log_next_ms(const struct request_log *log);
void request_log_deinit(struct request_log *log);
