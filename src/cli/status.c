// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>

#include "build.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/deadline.h"
#include "cli/document.h"
#include "cli/elsewhere.h"
#include "cli/settings.h"
#include "cli/status_text.h"

static const char nothing_runs[] = "{\"version\":1,\"running\":false}";

static int print_document(const char *bytes, size_t length, bool json, struct error *error)
{
    if (!json) {
        return status_text_write(stdout, bytes, length, error);
    }
    fwrite(bytes, 1, length, stdout);
    if (length > 0 && bytes[length - 1] != '\n') {
        fputc('\n', stdout);
    }
    return 0;
}

static int ask(struct connection *connection, bool json, struct error *error)
{
    char *bytes;
    size_t length;
    if (document_fetch(connection, &bytes, &length, error) < 0) {
        return -1;
    }
    const int result = print_document(bytes, length, json, error);
    free(bytes);
    return result;
}

static int nothing_answers(const struct settings *settings, bool json, struct error *error)
{
    bool known;
    if (elsewhere_check(WICKET_RUNTIME_DIR, settings, &known, error) < 0) {
        return -1;
    }
    if (!known && !json) {
        printf("no keeper answers at %s; whether one runs elsewhere is for root to see\n",
               settings->config.control.socket);
        return 0;
    }
    return print_document(nothing_runs, sizeof nothing_runs - 1, json, error);
}

static int status(const struct invocation *invocation, struct error *error)
{
    struct settings settings;
    if (settings_load(&settings, invocation, error) < 0) {
        return -1;
    }
    struct connection connection = CONNECTION_CLOSED;
    bool running = false;
    const bool json = invocation->arguments->json;
    int result = connection_find(&connection, &settings, deadline_in(CONNECTION_ESTABLISH_MS),
                                 &running, error);
    if (running) {
        result = ask(&connection, json, error);
    } else if (result == 0) {
        result = nothing_answers(&settings, json, error);
    }
    connection_close(&connection);
    settings_deinit(&settings);
    return result;
}

const struct command command_status = {
    .name = "status",
    .operands = "[--json]",
    .summary = "what is open, why, until when",
    .help = "usage: wicket [-c FILE] status [--json]\n"
            "\n"
            "Says whether a window is open, for which reasons and for how long, what went through\n"
            "since the keeper started, and what is wrong, if anything. With --json the same for\n"
            "programs. It starts nothing; that nothing runs is no error.\n"
            "\n"
            "example:\n"
            "  wicket status --json | jq .window\n",
    .options = COMMAND_OPTION_JSON,
    .function = status,
};
