// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <limits.h>
#include <stdint.h>
#include <time.h>

/* Points in time as milliseconds of CLOCK_MONOTONIC. */

static inline uint64_t deadline_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline uint64_t deadline_in(uint64_t ms)
{
    return deadline_now() + ms;
}

/* What is left of it, as poll(2) wants it; 0 when it has passed. */
static inline int deadline_left(uint64_t deadline_ms)
{
    const uint64_t now = deadline_now();
    if (deadline_ms <= now) {
        return 0;
    }
    return deadline_ms - now > INT_MAX ? INT_MAX : (int)(deadline_ms - now);
}
