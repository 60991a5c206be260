// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/status_document.h"

#include <string.h>
#include <sysexits.h>

#include "cli/connection.h"
#include "cli/deadline.h"
#include "cli/document.h"

static const char nothing_runs[] = "{\"version\":1,\"running\":false}";

int status_document(char **out, size_t *length, const struct settings *settings,
                    struct error *error)
{
    struct connection connection = CONNECTION_CLOSED;
    bool running = false;
    int result = connection_find(&connection, settings, deadline_in(CONNECTION_ESTABLISH_MS),
                                 &running, error);
    if (running) {
        result = document_fetch(&connection, out, length, error);
    } else if (result == 0) {
        *out = strdup(nothing_runs);
        *length = sizeof nothing_runs - 1;
        if (*out == NULL) {
            result = error_set_errno(error, EX_OSERR, "status");
        }
    }
    connection_close(&connection);
    return result;
}
