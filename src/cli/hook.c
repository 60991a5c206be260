// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdint.h>
#include <string.h>
#include <sysexits.h>

#include "build.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/hooks/hooks.h"
#include "wicket/quote.h"

static const struct hook *const hooks[] = {&hook_acmetool, &hook_certbot, &hook_dehydrated,
                                           &hook_uacme};

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
    .operands = "CLIENT [ARG...]",
    .summary = "called by an ACME client",
    .help =
        "usage: wicket [-c FILE] hook certbot [auth|cleanup]\n"
        "       wicket [-c FILE] hook dehydrated EVENT [ARG...]\n"
        "       wicket [-c FILE] hook uacme [METHOD TYPE IDENT TOKEN AUTH]\n"
        "       wicket [-c FILE] hook acmetool EVENT [ARG...]\n"
        "\n"
        "Called by an ACME client in that client's own way. A challenge that is to be served is\n"
        "registered, and the hook returns 0 only after it was fetched through port 80 of this\n"
        "host; one that is over is withdrawn.\n"
        "\n"
        "certbot: auth and cleanup, with the challenge in the environment. Without a word the\n"
        "hook finds out which of the two it is from CERTBOT_AUTH_OUTPUT; auth prints the token\n"
        "then, by which it is recognised.\n"
        "dehydrated: deploy_challenge and clean_challenge, one challenge or with HOOK_CHAIN=yes\n"
        "many; other events are left alone.\n"
        "uacme: begin, done and failed, as arguments or in the environment; challenges other\n"
        "than http-01 are declined with 1.\n"
        "acmetool: challenge-http-start and challenge-http-stop, the key authorization on\n"
        "standard input; other events get 42.\n"
        "\n"
        "The last three want the path of a program instead of a command: there is one for each,\n"
        "called by the name of the client, in " WICKET_LIBEXECDIR "/wicket/hooks.\n"
        "\n"
        "example:\n"
        "  certbot certonly --manual --preferred-challenges http \\\n"
        "      --manual-auth-hook 'wicket hook certbot auth' \\\n"
        "      --manual-cleanup-hook 'wicket hook certbot cleanup' -d www.example.org\n"
        "  dehydrated --cron --domain www.example.org \\\n"
        "      --hook " WICKET_LIBEXECDIR "/wicket/hooks/dehydrated\n",
    .missing = "no ACME client named",
    .operands_min = 1,
    .operands_max = SIZE_MAX,
    .runs_program = true,
    .function = hook,
};
