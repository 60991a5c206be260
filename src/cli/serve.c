// SPDX-License-Identifier: GPL-2.0-or-later
#include <limits.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/program.h"
#include "cli/commands.h"
#include "cli/settings.h"
#include "wicket/log.h"

#define FD_FIRST 3 /* after standard error; of systemd's sockets too */

/* Descriptors of the caller are none of the keeper's business: it would hold their other ends up
 * for as long as it runs. The sockets that systemd passes (sd_listen_fds(3)) are. */
static unsigned first_unwanted(char *const *environment)
{
    const char *pid = environment_get(environment, "LISTEN_PID");
    const char *count = environment_get(environment, "LISTEN_FDS");
    char ours[24];
    snprintf(ours, sizeof ours, "%ld", (long)getpid());
    if (pid == NULL || count == NULL || strcmp(pid, ours) != 0 || count[0] == '\0' ||
        strspn(count, "0123456789") != strlen(count) || strlen(count) > 4) {
        return FD_FIRST;
    }
    return FD_FIRST + (unsigned)strtoul(count, NULL, 10);
}

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
        if (close_range(first_unwanted(invocation->environment), ~0U, CLOSE_RANGE_CLOEXEC) < 0) {
            log_warn("serve: descriptors of the caller stay open");
        }
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
