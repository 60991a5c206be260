// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/log_limit.h"

#include <inttypes.h>

#include "wicket/log.h"

void log_limit_tick(struct log_limit *limit, uint64_t now_ms)
{
    if (limit->dropped == 0 || now_ms - limit->second_start_ms < LOG_LIMIT_SECOND_MS)
        return;
    log_warnx("%" PRIu64 " more lines about %s were left out", limit->dropped,
              limit->about ? limit->about : "the like");
    limit->dropped = 0;
}

uint64_t log_limit_next_ms(const struct log_limit *limit)
{
    return limit->dropped > 0 ? limit->second_start_ms + LOG_LIMIT_SECOND_MS : UINT64_MAX;
}

static void begin_second(struct log_limit *limit, uint64_t now_ms)
{
    if (now_ms - limit->second_start_ms < LOG_LIMIT_SECOND_MS)
        return;
    log_limit_tick(limit, now_ms);
    limit->second_start_ms = now_ms;
    limit->lines = 0;
}

void log_limit_leave_out(struct log_limit *limit, uint64_t lines, uint64_t now_ms)
{
    begin_second(limit, now_ms);
    limit->dropped += lines;
}

bool log_limit_take(struct log_limit *limit, uint64_t now_ms)
{
    begin_second(limit, now_ms);
    if (limit->lines == (limit->most > 0 ? limit->most : LOG_LIMIT_LINES)) {
        limit->dropped++;
        return false;
    }
    limit->lines++;
    return true;
}
