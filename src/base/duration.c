// SPDX-License-Identifier: GPL-2.0-or-later
#include "wicket/duration.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SECOND_MS UINT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)

/* From the longest to the shortest. */
static const struct duration_unit {
    const char *name;
    uint64_t ms;
} units[] = {
    {"h", HOUR_MS},
    {"m", MINUTE_MS},
    {"s", SECOND_MS},
    {"ms", 1},
};
#define UNIT_COUNT (sizeof(units) / sizeof(units[0]))

bool duration_parse(const char *text, uint64_t *out_ms)
{
    const char *digit = text;
    uint64_t number = 0;
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        if (digit != text && number == 0)
            return false; /* a leading zero: some read it as octal */
        number = number * 10 + (uint64_t)(*digit - '0');
        if (number > DURATION_MAX_MS)
            return false;
    }
    if (digit == text)
        return false;

    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (strcmp(digit, units[i].name) != 0)
            continue;
        if (number > DURATION_MAX_MS / units[i].ms)
            return false;
        *out_ms = number * units[i].ms;
        return true;
    }
    return false;
}

char *duration_format(char *out, size_t capacity, uint64_t ms)
{
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        /* Nothing is "0s" rather than "0h". */
        if (ms % units[i].ms == 0 && (ms != 0 || units[i].ms == SECOND_MS)) {
            snprintf(out, capacity, "%" PRIu64 "%s", ms / units[i].ms, units[i].name);
            break;
        }
    }
    return out;
}

static uint64_t divide_rounded(uint64_t ms, uint64_t by)
{
    return ms / by + (ms % by >= by / 2 ? 1 : 0);
}

/* "4 min 10 s", and "4 min" when the second part is nothing. */
static void describe_two(char *out, size_t capacity, uint64_t small, uint64_t ratio,
                         const char *large_name, const char *small_name)
{
    if (small % ratio == 0)
        snprintf(out, capacity, "%" PRIu64 " %s", small / ratio, large_name);
    else
        snprintf(out, capacity, "%" PRIu64 " %s %" PRIu64 " %s", small / ratio, large_name,
                 small % ratio, small_name);
}

/* Rounded before the form is chosen, so that 59.99 s is "1 min" and never "60.0 s". */
char *duration_describe(char *out, size_t capacity, uint64_t ms)
{
    uint64_t tenths = divide_rounded(ms, SECOND_MS / 10);
    uint64_t seconds = divide_rounded(ms, SECOND_MS);

    if (ms < SECOND_MS)
        snprintf(out, capacity, "%" PRIu64 " ms", ms);
    else if (tenths < 600 && tenths % 10 == 0)
        snprintf(out, capacity, "%" PRIu64 " s", tenths / 10);
    else if (tenths < 600)
        snprintf(out, capacity, "%" PRIu64 ".%" PRIu64 " s", tenths / 10, tenths % 10);
    else if (seconds < 3600)
        describe_two(out, capacity, seconds, 60, "min", "s");
    else
        describe_two(out, capacity, divide_rounded(ms, MINUTE_MS), 60, "h", "min");
    return out;
}
