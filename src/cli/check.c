// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/arguments.h"
#include "cli/check_program.h"
#include "cli/commands.h"

#define DOMAINS_MAX 100 /* as many as one certificate has with most CAs */

static int check(const struct invocation *invocation, struct error *error)
{
    return check_program_execute(invocation, invocation->arguments->json ? "--json" : NULL, error);
}

const struct command command_check = {
    .name = "check",
    .operands = "[DOMAIN...] [--json]",
    .summary = "would a renewal work on this host?",
    .help =
        "usage: wicket [-c FILE] check [--json] [DOMAIN...]\n"
        "\n"
        "Looks for whatever would stop a renewal, before a CA is asked: the configuration, the\n"
        "kernel, this host's firewall, interfaces and listeners, and with DOMAINs what DNS says\n"
        "about them. It opens a window for a moment, with a token nobody knows, and fetches that\n"
        "over each of this host's addresses. One line a finding, with what mends it; --json for\n"
        "programs. The exit status is 0, or 1 with findings. What needs root and cannot be\n"
        "looked at without is said to be so.\n"
        "\n"
        "example:\n"
        "  wicket check www.example.org\n",
    .options = COMMAND_OPTION_JSON,
    .operands_max = DOMAINS_MAX,
    .function = check,
};
