// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "wicket/duration.h"

static const char *plural(uint64_t count, const char *one, const char *many)
{
    return count == 1 ? one : many;
}

static void describe_window(char *out, size_t capacity, const struct control_report *report)
{
    char duration[DURATION_TEXT];
    duration_describe(duration, sizeof duration, report->open_ms);
    if (report->windows == 0 && report->open_ms == 0) {
        snprintf(out, capacity, "no window was opened");
    } else if (report->windows <= 1) {
        snprintf(out, capacity, "window open %s", duration);
    } else {
        snprintf(out, capacity, "%" PRIu32 " windows open %s", report->windows, duration);
    }
}

char *report_format(char *out, size_t capacity, const struct control_report *report)
{
    char window[96];
    describe_window(window, sizeof window, report);
    const char *before = report->trouble != 0 && report->text[0] != '\0' ? "; " : "";
    const char *trouble = report->trouble != 0 ? report->text : "";
    const bool quiet = report->windows == 0 && report->open_ms == 0 && report->tokens == 0 &&
                       report->validations == 0 && report->turned_away == 0;
    if (quiet) {
        snprintf(out, capacity, "%s%s%s", window, before, trouble);
        return out;
    }
    snprintf(out, capacity,
             "%s, %" PRIu32 " %s, %" PRIu64 " %s from %" PRIu32 " %s, %" PRIu64
             " other %s turned away%s%s",
             window, report->tokens, plural(report->tokens, "token", "tokens"), report->validations,
             plural(report->validations, "validation", "validations"), report->addresses,
             plural(report->addresses, "address", "addresses"), report->turned_away,
             plural(report->turned_away, "request", "requests"), before, trouble);
    return out;
}
