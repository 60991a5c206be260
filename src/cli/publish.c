// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/publish.h"

#include <string.h>

#include "cli/selfcheck.h"
#include "wicket/log.h"

static int add(struct connection *connection, const struct challenge *challenge,
               const char *purpose, struct error *error)
{
    union control_message request;
    control_message_init(&request, CONTROL_ADD);
    memcpy(request.add.key_authorization, challenge->key_authorization,
           strlen(challenge->key_authorization));
    connection_set_purpose(&request.add.purpose, purpose);
    return connection_request(connection, &request, CONNECTION_OPEN_MS, error);
}

static int settle(struct connection *connection, struct error *error)
{
    union control_message request;
    control_message_init(&request, CONTROL_SETTLE);
    return connection_request(connection, &request, CONNECTION_ANSWER_MS, error);
}

int publish_withdraw(struct connection *connection, const char *token, const char *purpose,
                     char *note, struct error *error)
{
    union control_message request;
    control_message_init(&request, CONTROL_REMOVE);
    memcpy(request.remove.token, token, strlen(token));
    connection_set_purpose(&request.remove.purpose, purpose);
    return connection_ask(connection, &request, NULL, CONNECTION_ANSWER_MS, note, error);
}

int publish(struct connection *connection, const struct challenge *challenge, const char *purpose,
            struct error *error)
{
    if (challenge_is_long(challenge)) {
        log_warnx("the key authorization has %zu bytes; the validators of Let's Encrypt read no "
                  "more than %d",
                  strlen(challenge->key_authorization), CHALLENGE_VALIDATOR_READS);
    }
    if (add(connection, challenge, purpose, error) < 0) {
        return -1;
    }
    if (selfcheck(connection, challenge, error) == 0 && settle(connection, error) == 0) {
        return 0;
    }
    char note[CONTROL_TEXT_MAX];
    struct error second;
    if (connection->fd >= 0 &&
        publish_withdraw(connection, challenge->token, purpose, note, &second) < 0) {
        log_warnx("the token could not be withdrawn, and is served until its deadline: %s",
                  second.text);
    }
    return -1;
}
