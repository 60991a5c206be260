// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "build.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/publish.h"
#include "cli/reach.h"
#include "cli/settings.h"
#include "wicket/log.h"

static int remove_token(const struct invocation *invocation, struct error *error)
{
    const char *token = invocation->arguments->operands[0];
    if (challenge_check_token(token, strlen(token), error) < 0) {
        return -1;
    }
    struct settings settings;
    if (settings_load_for_socket(&settings, invocation, error) < 0) {
        return -1;
    }
    struct connection connection = CONNECTION_CLOSED;
    enum reach reached;
    char note[CONTROL_TEXT_MAX] = "";
    int result = reach_keeper(&connection, &settings, WICKET_RUNTIME_DIR, REACH_PATIENCE_MS,
                              &reached, error);
    if (result == 0 && reached == REACH_READY) {
        result = publish_withdraw(&connection, token, "wicket remove", false, note, error);
    } else if (result == 0) {
        snprintf(note, sizeof note, "%s",
                 reached == REACH_NOBODY ? "no keeper runs, so no token is served"
                                         : "no keeper answers, so nothing is withdrawn");
    }
    connection_close(&connection);
    settings_deinit(&settings);
    if (result == 0 && note[0] != '\0') {
        log_warnx("%s", note);
    }
    return result;
}

const struct command command_remove = {
    .name = "remove",
    .operands = "TOKEN",
    .summary = "serve a challenge no longer",
    .help = "usage: wicket [-c FILE] remove TOKEN\n"
            "\n"
            "Withdraws a token; when no reason is left, the window shuts. Only root and the user\n"
            "who registered a token may withdraw it. One that nobody registered is no error.\n"
            "\n"
            "example:\n"
            "  wicket remove evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA\n",
    .missing = "no token given",
    .operands_min = 1,
    .operands_max = 1,
    .takes_base64 = true,
    .function = remove_token,
};
