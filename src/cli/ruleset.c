// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdbool.h>
#include <stdio.h>

#include "cli/arguments.h"
#include "cli/check_program.h"
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
    const bool explain = invocation->arguments->explain;
    int result = sources_read(&settings.config, error);
    if (result == 0 && explain) {
        result = redirect_write_explained(stdout, &settings.config, error);
    } else if (result == 0) {
        result = redirect_write_text(stdout, &settings.config, REDIRECT_TABLE, true, true, error);
    }
    settings_deinit(&settings);
    /* What other chains do with it, wicket-check knows. */
    return result == 0 && explain ? check_program_execute(invocation, "--explain", error) : result;
}

const struct command command_ruleset = {
    .name = "ruleset",
    .operands = "[--explain]",
    .summary = "print the nft table a window installs here",
    .help =
        "usage: wicket [-c FILE] ruleset [--explain]\n"
        "\n"
        "Prints what an open window is to the kernel, in the language of nft(8), as this\n"
        "configuration makes it. Nothing is installed; no privilege and no keeper is needed.\n"
        "With --explain each rule has a sentence above it, and behind the table follows what the\n"
        "other chains of this host do with a connection that a window redirects; that part needs\n"
        "root, and says so otherwise.\n"
        "\n"
        "example:\n"
        "  wicket ruleset | less\n",
    .options = COMMAND_OPTION_EXPLAIN,
    .function = ruleset,
};
