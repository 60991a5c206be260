// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Lines that strangers can provoke: at most so many in a second, and once that is over one more
 * that says how many were left out, whether or not there is another line by then.
 */
#define LOG_LIMIT_LINES     10
#define LOG_LIMIT_SECOND_MS 1000

/* All zero is a good start. */
struct log_limit {
    const char *about; /* what the lines are about; NULL: "the like" */
    unsigned most;     /* lines in a second; 0: LOG_LIMIT_LINES */
    uint64_t second_start_ms;
    unsigned lines;
    uint64_t dropped;
};

/* Whether this line may be written. */
bool log_limit_take(struct log_limit *limit, uint64_t now_ms);
/* So many lines were not even made. */
void log_limit_leave_out(struct log_limit *limit, uint64_t lines, uint64_t now_ms);
/* Says what was left out, when the second is over; this comes at log_limit_next_ms, UINT64_MAX if
 * there is nothing to say. */
void log_limit_tick(struct log_limit *limit, uint64_t now_ms);
uint64_t log_limit_next_ms(const struct log_limit *limit);
