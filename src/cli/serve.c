// SPDX-License-Identifier: GPL-2.0-or-later
#include <limits.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/program.h"
#include "cli/commands.h"
#include "cli/settings.h"

static int serve(const struct invocation *invocation, struct error *error)
{
    struct settings settings;
    if (settings_load(&settings, invocation, error) < 0) {
        return -1;
    }
    char keeper[PATH_MAX];
    int result = program_find(keeper, sizeof keeper, "wicket-keeper", error);
    if (result == 0) {
        char *const arguments[] = {keeper, (char *)"--config", settings.config.path, NULL};
        execv(keeper, arguments);
        result = error_set_errno(error, EX_UNAVAILABLE, "%s: cannot be executed", keeper);
    }
    settings_deinit(&settings);
    return result;
}

const struct command command_serve = {
    .name = "serve",
    .operands = "",
    .summary = "the keeper, in the foreground",
    .help = "usage: wicket [-c FILE] serve\n"
            "\n"
            "Becomes wicket-keeper, which stays in the foreground, logs to standard error, and\n"
            "leaves at SIGTERM once its windows are shut and drained; a second SIGTERM ends it at\n"
            "once. Started as root it gives up what it does not need.\n"
            "\n"
            "example:\n"
            "  wicket -c /etc/wicket/wicket.yaml serve\n",
    .function = serve,
};
