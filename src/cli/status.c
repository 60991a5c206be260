// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/settings.h"
#include "cli/status_document.h"
#include "cli/status_text.h"
#include "cli/status_watch.h"

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

static int print_once(struct settings *settings, bool json, struct error *error)
{
    char *bytes;
    size_t length;
    if (status_document(&bytes, &length, settings, error) < 0) {
        return -1;
    }
    const int result = print_document(bytes, length, json, error);
    free(bytes);
    return result;
}

static int status(const struct invocation *invocation, struct error *error)
{
    const struct arguments *arguments = invocation->arguments;
    if (arguments->watch && arguments->json) {
        return error_set(error, EX_USAGE,
                         "status: --watch and --json do not go together; see wicket status --help");
    }
    struct settings settings;
    if (settings_load_for_socket(&settings, invocation, error) < 0) {
        return -1;
    }
    const int result = arguments->watch ? status_watch(&settings, error)
                                        : print_once(&settings, arguments->json, error);
    settings_deinit(&settings);
    return result;
}

const struct command command_status = {
    .name = "status",
    .operands = "[--json | --watch]",
    .summary = "what is open, why, until when",
    .help = "usage: wicket [-c FILE] status [--json | --watch]\n"
            "\n"
            "Says whether a window is open, for which reasons, who asked for them and for how\n"
            "long, what went through it and since the keeper started, and what is wrong, if\n"
            "anything. With --json the same for programs. With --watch again every second, until\n"
            "Ctrl-C; where standard output is no terminal, a line whenever something changed. It\n"
            "starts nothing; that nothing runs is no error.\n"
            "\n"
            "example:\n"
            "  wicket status --json | jq .window\n",
    .options = COMMAND_OPTION_JSON | COMMAND_OPTION_WATCH,
    .function = status,
};
