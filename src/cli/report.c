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

/* Who came for something else. What did not happen is not told: a count of 0 would be a riddle. */
static void describe_visitors(char *out, size_t capacity, const struct control_report *report)
{
    char passed[64] = "";
    char turned_away[64] = "";
    if (report->passed > 0) {
        snprintf(passed, sizeof passed, ", %" PRIu64 " %s passed to production", report->passed,
                 plural(report->passed, "visitor", "visitors"));
    }
    if (report->turned_away > 0) {
        snprintf(turned_away, sizeof turned_away, ", %" PRIu64 " other %s turned away",
                 report->turned_away, plural(report->turned_away, "request", "requests"));
    }
    const bool nobody = report->passed == 0 && report->turned_away == 0;
    snprintf(out, capacity, "%s%s", nobody ? ", no visitors" : passed, turned_away);
}

char *report_format(char *out, size_t capacity, const struct control_report *report)
{
    char window[96];
    char visitors[128];
    describe_window(window, sizeof window, report);
    describe_visitors(visitors, sizeof visitors, report);
    const char *before = report->trouble != 0 && report->text[0] != '\0' ? "; " : "";
    const char *trouble = report->trouble != 0 ? report->text : "";
    const bool quiet = report->windows == 0 && report->open_ms == 0 && report->tokens == 0 &&
                       report->validations == 0 && report->turned_away == 0 && report->passed == 0;
    if (quiet) {
        snprintf(out, capacity, "%s%s%s", window, before, trouble);
        return out;
    }
    snprintf(out, capacity, "%s, %" PRIu32 " %s, %" PRIu64 " %s from %" PRIu32 " %s%s%s%s", window,
             report->tokens, plural(report->tokens, "token", "tokens"), report->validations,
             plural(report->validations, "validation", "validations"), report->addresses,
             plural(report->addresses, "address", "addresses"), visitors, before, trouble);
    return out;
}

bool report_explain(char *out, const struct control_report *report, uint16_t port)
{
    struct evidence evidence = {
        .validations = report->validations,
        .unknown = report->unknown,
        .redirected = report->redirected,
        .arrived = report->arrived,
        .passed = report->passed,
        .turned_away = report->turned_away,
        .addresses = report->addresses,
    };
    snprintf(evidence.unknown_address, sizeof evidence.unknown_address, "%s",
             report->unknown_address);
    if (report->tokens == 0) {
        const bool opened = report->windows > 0 || report->open_ms > 0;
        snprintf(
            out, EVIDENCE_TEXT,
            "no token was registered: the command failed before it came to a challenge, or its "
            "hook did not reach this keeper, or it wrote its challenge elsewhere than to "
            "$WICKET_WEBROOT");
        return opened;
    }
    /* The keeper has named what stood in the way. */
    if (report->trouble != 0 && report->validations == 0) {
        return false;
    }
    evidence_describe(out, &evidence, port);
    return true;
}
