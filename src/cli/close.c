// SPDX-License-Identifier: GPL-2.0-or-later
#include "build.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/reach.h"
#include "cli/settings.h"
#include "wicket/log.h"

static int close_window(const struct invocation *invocation, struct error *error)
{
    struct settings settings;
    if (settings_load_for_socket(&settings, invocation, error) < 0) {
        return -1;
    }
    struct connection connection = CONNECTION_CLOSED;
    enum reach reached;
    int result = reach_keeper(&connection, &settings, WICKET_RUNTIME_DIR, REACH_PATIENCE_MS,
                              &reached, error);
    if (result == 0 && reached == REACH_READY) {
        union control_message request;
        control_message_init(&request, CONTROL_CLOSE);
        result = connection_request(&connection, &request, CONNECTION_ANSWER_MS, error);
    } else if (result == 0) {
        log_warnx("no keeper %s, so nothing is closed",
                  reached == REACH_NOBODY ? "runs" : "answers");
    }
    connection_close(&connection);
    settings_deinit(&settings);
    return result;
}

const struct command command_close = {
    .name = "close",
    .operands = "",
    .summary = "end what wicket open began",
    .help = "usage: wicket [-c FILE] close\n"
            "\n"
            "Ends the windows opened by hand: root ends all of them, others their own. A window\n"
            "stays open while a token is pending or wicket run --open runs. Nothing open is no\n"
            "error.\n"
            "\n"
            "example:\n"
            "  wicket open --for 10m; renew_somehow; wicket close\n",
    .function = close_window,
};
