// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/hooks/call.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "build.h"
#include "cli/reach.h"
#include "cli/settings.h"
#include "cli/start.h"
#include "wicket/log.h"
#include "wicket/quote.h"

int call_read(struct publication *out, const char *client, const char *identifier,
              const char *token, const char *key_authorization, size_t length, struct error *error)
{
    char purpose[sizeof out->purpose];
    snprintf(purpose, sizeof purpose, "%s hook for %s", client, identifier);
    connection_set_purpose(&out->purpose, purpose);
    if (challenge_parse(&out->challenge, key_authorization, length, error) < 0) {
        return error_prefix(error, "%s", out->purpose);
    }
    if (strcmp(out->challenge.token, token) != 0) {
        return error_set(error, EX_DATAERR, "%s: the key authorization is not one of the token %s",
                         out->purpose, QUOTE(token, strlen(token)));
    }
    return 0;
}

int call_publish(const struct invocation *invocation, const struct publication *list, size_t count,
                 struct error *error)
{
    struct settings settings;
    if (settings_load(&settings, invocation, error) < 0) {
        return -1;
    }
    struct connection connection = CONNECTION_CLOSED;
    size_t culprit = 0;
    int result = start_connect(&connection, &settings, error);
    if (result == 0) {
        result = publish(&connection, &settings, list, count, &culprit, error);
    }
    connection_close(&connection);
    settings_deinit(&settings);
    return result < 0 ? error_prefix(error, "%s", list[culprit].purpose) : 0;
}

static int withdraw_each(struct connection *connection, const struct publication *list,
                         size_t count, struct error *error)
{
    int result = 0;
    for (size_t i = 0; i < count; i++) {
        char note[CONTROL_TEXT_MAX] = "";
        struct error second;
        if (publish_withdraw(connection, list[i].challenge.token, list[i].purpose, true, note,
                             result == 0 ? error : &second) < 0) {
            result = result == 0 ? error_prefix(error, "%s", list[i].purpose) : result;
        } else if (note[0] != '\0') {
            log_warnx("%s: %s", list[i].purpose, note);
        }
    }
    return result;
}

int call_withdraw(const struct invocation *invocation, const struct publication *list, size_t count,
                  struct error *error)
{
    struct settings settings;
    if (settings_load_for_socket(&settings, invocation, error) < 0) {
        return -1;
    }
    struct connection connection = CONNECTION_CLOSED;
    enum reach reached;
    int result = reach_keeper(&connection, &settings, WICKET_RUNTIME_DIR, REACH_PATIENCE_MS,
                              &reached, error);
    if (result < 0) {
        error_prefix(error, "%s", list[0].purpose);
    } else if (reached == REACH_READY) {
        result = withdraw_each(&connection, list, count, error);
    } else if (reached == REACH_UNKNOWN) {
        log_warnx("%s: no keeper answers, so nothing is withdrawn", list[0].purpose);
    }
    connection_close(&connection);
    settings_deinit(&settings);
    return result;
}
