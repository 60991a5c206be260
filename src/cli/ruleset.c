// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "cli/commands.h"
#include "cli/settings.h"
#include "redirect/redirect.h"
#include "wicket/sources.h"

static int ruleset(const struct invocation *invocation, struct error *error)
{
    struct settings settings;
    if (settings_load(&settings, invocation, error) < 0) {
        return -1;
    }
    int result = sources_read(&settings.config, error);
    if (result == 0) {
        result = redirect_write_text(stdout, &settings.config, REDIRECT_TABLE, true, true, error);
    }
    settings_deinit(&settings);
    return result;
}

const struct command command_ruleset = {
    .name = "ruleset",
    .operands = "",
    .summary = "print the nft table a window installs here",
    .help = "usage: wicket [-c FILE] ruleset\n"
            "\n"
            "Prints what an open window is to the kernel, in the language of nft(8), as this\n"
            "configuration makes it. Nothing is installed; no privilege and no keeper is needed.\n"
            "\n"
            "example:\n"
            "  wicket ruleset | less\n",
    .function = ruleset,
};
