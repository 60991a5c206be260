// SPDX-License-Identifier: GPL-2.0-or-later
#include "wicket/ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

char *ledger_time(char out[LEDGER_TIME_TEXT], const struct timespec *time)
{
    struct tm parts = {0};

    gmtime_r(&time->tv_sec, &parts);
    size_t length = strftime(out, LEDGER_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out + length, LEDGER_TIME_TEXT - length, ".%03ldZ", time->tv_nsec / 1000000 % 1000);
    return out;
}

char *ledger_time_now(char out[LEDGER_TIME_TEXT])
{
    struct timespec now = {0};

    clock_gettime(CLOCK_REALTIME, &now);
    return ledger_time(out, &now);
}

size_t ledger_line_lost(char *out, size_t capacity, const char *keeper)
{
    char time[LEDGER_TIME_TEXT];
    int length = snprintf(out, capacity,
                          "{\"v\":%d,\"time\":\"%s\",\"event\":\"keeper-lost\",\"keeper\":\"%s\"}",
                          LEDGER_VERSION, ledger_time_now(time), keeper);

    return length < 0 || (size_t)length >= capacity ? 0 : (size_t)length;
}

size_t ledger_line_left_out(char *out, size_t capacity, const char *keeper, uint64_t lines)
{
    char time[LEDGER_TIME_TEXT];
    int length = snprintf(out, capacity,
                          "{\"v\":%d,\"time\":\"%s\",\"event\":\"left-out\",\"keeper\":\"%s\","
                          "\"lines\":%" PRIu64 "}",
                          LEDGER_VERSION, ledger_time_now(time), keeper, lines);

    return length < 0 || (size_t)length >= capacity ? 0 : (size_t)length;
}
