// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/document.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define DOCUMENT_MAX (16 * 1024 * 1024)

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

int document_fetch(struct connection *connection, char **out, size_t *length, struct error *error)
{
    union control_message request;
    control_message_init(&request, CONTROL_STATUS);
    struct document document = {0};
    const struct connection_answer answer = {CONTROL_DOCUMENT, take_piece, &document};
    int result = connection_ask(connection, &request, &answer, CONNECTION_ANSWER_MS, NULL, error);
    if (result == 0 && (document.bytes == NULL || document.length != document.total)) {
        result = error_set(error, EX_SOFTWARE, "the keeper's status is cut short");
    }
    if (result < 0) {
        free(document.bytes);
        return -1;
    }
    *out = document.bytes;
    *length = document.length;
    return 0;
}
