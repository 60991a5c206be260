// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/log_limit.h"

#include <inttypes.h>

#include "wicket/log.h"

bool log_limit_take(struct log_limit *limit, uint64_t now_ms)
{
    if (now_ms - limit->second_start_ms >= 1000) {
        if (limit->dropped > 0)
            log_warnx("%" PRIu64 " lines like these were left out", limit->dropped);
        *limit = (struct log_limit){.second_start_ms = now_ms};
    }
    if (limit->lines == LOG_LIMIT_LINES) {
        limit->dropped++;
        return false;
    }
    limit->lines++;
    return true;
}
