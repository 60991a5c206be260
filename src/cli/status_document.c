// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/status_document.h"

#include <string.h>
#include <sysexits.h>

#include "build.h"
#include "cli/connection.h"
#include "cli/document.h"
#include "cli/reach.h"

static const char nothing_runs[] = "{\"version\":1,\"running\":false}";
static const char nothing_seen[] = "{\"version\":1,\"running\":null}";

/* Nobody answers: say only what is known. */
static int describe_nothing(char **out, size_t *length, bool known, struct error *error)
{
    const char *document = known ? nothing_runs : nothing_seen;
    *out = strdup(document);
    *length = strlen(document);
    return *out == NULL ? error_set_errno(error, EX_OSERR, "status") : 0;
}

int status_document(char **out, size_t *length, struct settings *settings, struct error *error)
{
    struct connection connection = CONNECTION_CLOSED;
    enum reach reached;
    /* No patience: a keeper that is leaving is something to tell. */
    int result = reach_keeper(&connection, settings, WICKET_RUNTIME_DIR, 0, &reached, error);
    if (result == 0 && reached == REACH_READY) {
        result = document_fetch(&connection, out, length, error);
    } else if (result == 0) {
        result = describe_nothing(out, length, reached == REACH_NOBODY, error);
    }
    connection_close(&connection);
    return result;
}
