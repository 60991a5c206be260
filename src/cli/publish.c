// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/publish.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sysexits.h>

#include "cli/deadline.h"
#include "cli/selfcheck.h"
#include "wicket/log.h"

int publish_add(struct connection *connection, const struct publication *one, struct error *error)
{
    union control_message request;
    control_message_init(&request, CONTROL_ADD);
    memcpy(request.add.key_authorization, one->challenge.key_authorization,
           strlen(one->challenge.key_authorization));
    connection_set_purpose(&request.add.purpose, one->purpose);
    return connection_request(connection, &request, CONNECTION_OPEN_MS, error);
}

int publish_settle(struct connection *connection, struct error *error)
{
    union control_message request;
    control_message_init(&request, CONTROL_SETTLE);
    return connection_request(connection, &request, CONNECTION_ANSWER_MS, error);
}

int publish_withdraw(struct connection *connection, const char *token, const char *purpose,
                     bool explain, char *note, struct error *error)
{
    union control_message request;
    control_message_init(&request, CONTROL_REMOVE);
    memcpy(request.remove.token, token, strlen(token));
    request.remove.explain = explain ? 1 : 0;
    connection_set_purpose(&request.remove.purpose, purpose);
    return connection_ask(connection, &request, NULL, CONNECTION_ANSWER_MS, note, error);
}

static const int ending_signals[] = {SIGHUP, SIGINT, SIGTERM};

void publish_hold_signals(sigset_t *before)
{
    sigset_t held;
    sigemptyset(&held);
    for (size_t i = 0; i < sizeof ending_signals / sizeof ending_signals[0]; i++) {
        sigaddset(&held, ending_signals[i]);
    }
    sigprocmask(SIG_BLOCK, &held, before);
}

static bool is_interrupted(void)
{
    sigset_t waiting;
    bool any = false;
    sigpending(&waiting);
    for (size_t i = 0; i < sizeof ending_signals / sizeof ending_signals[0]; i++) {
        any = any || sigismember(&waiting, ending_signals[i]) == 1;
    }
    return any;
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
        if (publish_add(connection, &list[*added], error) < 0) {
            /* Without an answer it may be registered, unless the keeper is gone, and all with it.
             */
            *added += connection->fd < 0 && error->exit_code != EX_UNAVAILABLE ? 1 : 0;
            return -1;
        }
    }
    for (size_t i = 0; i < count && !is_interrupted(); i++) {
        *culprit = i;
        if (selfcheck(connection, &list[i].challenge, error) < 0) {
            return -1;
        }
    }
    if (!is_interrupted() && publish_settle(connection, error) < 0) {
        return -1;
    }
    return is_interrupted() ? error_set(error, EX_TEMPFAIL, "interrupted; withdrawn") : 0;
}

/* 1: withdrawn, 0: there is no keeper any more. A connection that was given up is made anew. */
static int withdraw_one(struct connection *connection, const struct settings *settings,
                        const struct publication *one, struct error *error)
{
    bool running = connection->fd >= 0;
    if (!running && connection_find(connection, settings, deadline_in(CONNECTION_ANSWER_MS),
                                    &running, error) < 0) {
        return -1;
    }
    char note[CONTROL_TEXT_MAX];
    if (running &&
        publish_withdraw(connection, one->challenge.token, one->purpose, false, note, error) < 0) {
        return -1;
    }
    return running ? 1 : 0;
}

static void withdraw(struct connection *connection, const struct settings *settings,
                     const struct publication *list, size_t count)
{
    int result = 1;
    for (size_t i = 0; i < count && result > 0; i++) {
        struct error error;
        result = withdraw_one(connection, settings, &list[i], &error);
        if (result < 0) {
            log_warnx("the token could not be withdrawn, and is served until its deadline: %s",
                      error.text);
            result = connection->fd >= 0 ? 1 : -1; /* one that is mute is not asked again */
        }
    }
}

int publish(struct connection *connection, const struct settings *settings,
            const struct publication *list, size_t count, size_t *culprit, struct error *error)
{
    size_t added;
    size_t ignored;
    sigset_t before;
    publish_hold_signals(&before);
    const int result =
        add_and_check(connection, list, count, &added, culprit != NULL ? culprit : &ignored, error);
    if (result < 0) {
        withdraw(connection, settings, list, added);
    }
    /* One that waits ends the process here, as it would have. */
    sigprocmask(SIG_SETMASK, &before, NULL);
    return result;
}
