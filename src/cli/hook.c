// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdint.h>
#include <string.h>
#include <sysexits.h>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/hooks/hooks.h"
#include "wicket/quote.h"

static const struct hook *const hooks[] = {&hook_certbot};

static int hook(const struct invocation *invocation, struct error *error)
{
    const char *client = invocation->arguments->operands[0];
    for (size_t i = 0; i < sizeof hooks / sizeof hooks[0]; i++) {
        if (strcmp(hooks[i]->client, client) == 0) {
            return hooks[i]->function(invocation, error);
        }
    }
    return error_set(error, EX_USAGE, "hook: no hook for %s; see wicket hook --help",
                     QUOTE(client, strlen(client)));
}

const struct command command_hook = {
    .name = "hook",
    .operands = "certbot [auth|cleanup]",
    .summary = "called by an ACME client",
    .help = "usage: wicket [-c FILE] hook certbot [auth|cleanup]\n"
            "\n"
            "For certbot's manual plugin. auth registers the challenge that certbot describes in\n"
            "the environment, and returns 0 only after it was fetched through port 80 of this\n"
            "host; cleanup withdraws it. Without a word the hook finds out which of the two it is\n"
            "from CERTBOT_AUTH_OUTPUT; auth prints the token then, by which it is recognised.\n"
            "\n"
            "example:\n"
            "  certbot certonly --manual --preferred-challenges http \\\n"
            "      --manual-auth-hook 'wicket hook certbot auth' \\\n"
            "      --manual-cleanup-hook 'wicket hook certbot cleanup' -d www.example.org\n",
    .missing = "no ACME client named",
    .operands_min = 1,
    .operands_max = SIZE_MAX,
    .function = hook,
};
