// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/deadline.h"
#include "cli/settings.h"
#include "cli/status_text.h"

#define DOCUMENT_MAX (16 * 1024 * 1024)

static const char nothing_runs[] = "{\"version\":1,\"running\":false}";

struct document {
    char *bytes; /* NULL before the first piece */
    size_t length;
    size_t total;
};

static int take_piece(void *context, const union control_message *message, int fd,
                      struct error *error)
{
    struct document *document = context;
    const struct control_document *piece = &message->document;
    if (fd >= 0) {
        close(fd);
        return error_set(error, EX_SOFTWARE, "the keeper's status is wrong");
    }
    if (document->bytes == NULL) {
        if (piece->total > DOCUMENT_MAX) {
            return error_set(error, EX_SOFTWARE, "the keeper's status is too long");
        }
        document->total = piece->total;
        document->bytes = malloc(document->total + 1);
        if (document->bytes == NULL) {
            return error_set_errno(error, EX_OSERR, "cannot take the status");
        }
    }
    if (piece->total != document->total || piece->length > document->total - document->length ||
        piece->length > sizeof piece->bytes) {
        return error_set(error, EX_SOFTWARE, "the keeper's status is not as long as it says");
    }
    memcpy(document->bytes + document->length, piece->bytes, piece->length);
    document->length += piece->length;
    return 0;
}

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
    union control_message request;
    control_message_init(&request, CONTROL_STATUS);
    struct document document = {0};
    const struct connection_answer answer = {CONTROL_DOCUMENT, take_piece, &document};
    int result = connection_ask(connection, &request, &answer, CONNECTION_ANSWER_MS, NULL, error);
    if (result == 0 && (document.bytes == NULL || document.length != document.total)) {
        result = error_set(error, EX_SOFTWARE, "the keeper's status is cut short");
    }
    if (result == 0) {
        result = print_document(document.bytes, document.length, json, error);
    }
    free(document.bytes);
    return result;
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
        result = print_document(nothing_runs, sizeof nothing_runs - 1, json, error);
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
