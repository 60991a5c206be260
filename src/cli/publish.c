// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/publish.h"

#include <string.h>

#include "cli/selfcheck.h"
#include "wicket/log.h"

static int add(struct connection *connection, const struct publication *one, struct error *error)
{
    union control_message request;
    control_message_init(&request, CONTROL_ADD);
    memcpy(request.add.key_authorization, one->challenge.key_authorization,
           strlen(one->challenge.key_authorization));
    connection_set_purpose(&request.add.purpose, one->purpose);
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

static void warn_of_length(const struct challenge *challenge)
{
    if (challenge_is_long(challenge)) {
        log_warnx("the key authorization has %zu bytes; the validators of Let's Encrypt read no "
                  "more than %d",
                  strlen(challenge->key_authorization), CHALLENGE_VALIDATOR_READS);
    }
}

/* *added is how many were registered, whatever comes of it. */
static int add_and_check(struct connection *connection, const struct publication *list,
                         size_t count, size_t *added, size_t *culprit, struct error *error)
{
    for (*added = 0; *added < count; (*added)++) {
        *culprit = *added;
        warn_of_length(&list[*added].challenge);
        if (add(connection, &list[*added], error) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < count; i++) {
        *culprit = i;
        if (selfcheck(connection, &list[i].challenge, error) < 0) {
            return -1;
        }
    }
    return settle(connection, error);
}

int publish(struct connection *connection, const struct publication *list, size_t count,
            size_t *culprit, struct error *error)
{
    size_t added;
    size_t ignored;
    if (add_and_check(connection, list, count, &added, culprit != NULL ? culprit : &ignored,
                      error) == 0) {
        return 0;
    }
    for (size_t i = 0; i < added && connection->fd >= 0; i++) {
        char note[CONTROL_TEXT_MAX];
        struct error second;
        if (publish_withdraw(connection, list[i].challenge.token, list[i].purpose, note, &second) <
            0) {
            log_warnx("the token could not be withdrawn, and is served until its deadline: %s",
                      second.text);
        }
    }
    return -1;
}
