// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdint.h>
#include <string.h>
#include <sysexits.h>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/settings.h"
#include "cli/start.h"
#include "cli/terminal.h"
#include "wicket/duration.h"
#include "wicket/quote.h"

/* 0 without --for: until wicket close or the limit. */
static int parse_duration(uint64_t *out, const char *text, struct error *error)
{
    *out = 0;
    if (text != NULL && (!duration_parse(text, out) || *out == 0)) {
        return error_set(
            error, EX_USAGE,
            "open: --for %s is not a length of time such as 90s, 10m or 1h; see wicket open --help",
            QUOTE(text, strlen(text)));
    }
    return 0;
}

static int ask(const struct settings *settings, uint64_t duration_ms, struct error *error)
{
    struct connection connection = CONNECTION_CLOSED;
    if (start_connect(&connection, settings, error) < 0) {
        return -1;
    }
    union control_message request;
    control_message_init(&request, CONTROL_OPEN);
    request.open.duration_ms = duration_ms;
    connection_set_purpose(&request.open.purpose, "wicket open");
    const int result = connection_request(&connection, &request, CONNECTION_OPEN_MS, error);
    connection_close(&connection);
    return result;
}

static int open_window(const struct invocation *invocation, struct error *error)
{
    uint64_t duration_ms;
    if (parse_duration(&duration_ms, invocation->arguments->duration, error) < 0) {
        return -1;
    }
    struct settings settings;
    if (settings_load(&settings, invocation, error) < 0) {
        return -1;
    }
    const uint64_t limit_ms = settings.config.window.limit_ms;
    int result = ask(&settings, duration_ms, error);
    if (result == 0) {
        const bool limited = duration_ms == 0 || duration_ms > limit_ms;
        char text[DURATION_TEXT];
        duration_describe(text, sizeof text, limited ? limit_ms : duration_ms);
        terminal_say("open, for %s%s; ends with: wicket close\n", text,
                     limited ? " at the most (window.limit)" : "");
    }
    settings_deinit(&settings);
    return result;
}

const struct command command_open = {
    .name = "open",
    .operands = "[--for TIME]",
    .summary = "open a window by hand",
    .help = "usage: wicket [-c FILE] open [--for TIME]\n"
            "\n"
            "Opens a window on port 80 and returns when it is in force. It shuts after TIME (90s,\n"
            "10m, 1h), at wicket close, or at window.limit, whichever comes first. While it is\n"
            "open, nothing but registered challenges is served to whoever connects anew.\n"
            "\n"
            "example:\n"
            "  wicket open --for 5m\n",
    .options = COMMAND_OPTION_FOR,
    .function = open_window,
};
