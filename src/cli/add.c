// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/publish.h"
#include "cli/settings.h"
#include "cli/start.h"
#include "cli/terminal.h"

static int add(const struct invocation *invocation, struct error *error)
{
    const char *text = invocation->arguments->operands[0];
    struct publication one = {.purpose = "wicket add"};
    if (challenge_parse(&one.challenge, text, strlen(text), error) < 0) {
        return -1;
    }
    struct settings settings;
    if (settings_load(&settings, invocation, error) < 0) {
        return -1;
    }
    struct connection connection = CONNECTION_CLOSED;
    int result = start_connect(&connection, &settings, error);
    if (result == 0) {
        result = publish(&connection, &settings, &one, 1, NULL, error);
    }
    connection_close(&connection);
    settings_deinit(&settings);
    if (result == 0) {
        terminal_say("served, as seen through port 80 of this host; ends with: wicket remove %s\n",
                     one.challenge.token);
    }
    return result;
}

const struct command command_add = {
    .name = "add",
    .operands = "KEY_AUTHORIZATION",
    .summary = "serve a challenge, given by hand",
    .help = "usage: wicket [-c FILE] add KEY_AUTHORIZATION\n"
            "\n"
            "Registers a key authorization (TOKEN.THUMBPRINT), which opens a window on port 80 if\n"
            "none is open, and returns 0 only after the challenge was fetched through port 80 of\n"
            "this host. It is served until wicket remove TOKEN, or until window.token_lifetime is\n"
            "over. If it cannot be fetched, it is withdrawn and the exit status is 75.\n"
            "\n"
            "example:\n"
            "  wicket add \"$TOKEN.$THUMBPRINT\" && tell_the_ca; wicket remove \"$TOKEN\"\n",
    .missing = "no key authorization given",
    .operands_min = 1,
    .operands_max = 1,
    .takes_base64 = true,
    .function = add,
};
