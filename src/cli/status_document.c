// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/status_document.h"

#include <string.h>
#include <sysexits.h>

#include "build.h"
#include "cli/connection.h"
#include "cli/deadline.h"
#include "cli/document.h"
#include "cli/elsewhere.h"

static const char nothing_runs[] = "{\"version\":1,\"running\":false}";
static const char nothing_seen[] = "{\"version\":1,\"running\":null}";

/* Nobody answers: say only what is known. */
static int describe_nothing(char **out, size_t *length, const struct settings *settings,
                            struct error *error)
{
    bool known;
    if (elsewhere_check(WICKET_RUNTIME_DIR, settings, &known, error) < 0) {
        return -1;
    }
    const char *document = known ? nothing_runs : nothing_seen;
    *out = strdup(document);
    *length = strlen(document);
    return *out == NULL ? error_set_errno(error, EX_OSERR, "status") : 0;
}

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
        result = describe_nothing(out, length, settings, error);
    }
    connection_close(&connection);
    return result;
}
