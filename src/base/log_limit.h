// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Lines that strangers can provoke: at most LOG_LIMIT_LINES in a second, and afterwards one that
 * says how many were left out.
 */
#define LOG_LIMIT_LINES 10

struct log_limit {
    uint64_t second_start_ms;
    unsigned lines;
    uint64_t dropped;
};

/* Whether this line may be written. */
bool log_limit_take(struct log_limit *limit, uint64_t now_ms);
