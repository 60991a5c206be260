// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <signal.h>
#include <stddef.h>

#include "cli/connection.h"
#include "wicket/challenge.h"
#include "wicket/error.h"

/* A challenge that is to be served, and who wants it. */
struct publication {
    struct challenge challenge;
    char purpose[CONTROL_PURPOSE_MAX]; /* as connection_set_purpose writes it */
};

/*
 * Registers `count` challenges, and returns 0 only after each was fetched through port 80 of this
 * host and the keeper saw no firewall in the way. All are registered before the first is fetched.
 * Otherwise those of this call are withdrawn again and the error says why; *culprit, which may be
 * NULL, is the number of the one it was about. One that got no answer may have been registered, and
 * is withdrawn over another connection, to the keeper of `settings`.
 */
int publish(struct connection *connection, const struct settings *settings,
            const struct publication *list, size_t count, size_t *culprit, struct error *error);

/* Withdraws a token. What the keeper says about one that was not registered is in `note`
 * (CONTROL_TEXT_MAX bytes), which is empty when it was; with `explain` also what it knows of why
 * nobody validated one that was. */
int publish_withdraw(struct connection *connection, const char *token, const char *purpose,
                     bool explain, char *note, struct error *error);

/* The parts of publish(): registering one, which is answered when the window is in force; and
 * waiting until the keeper knows that no firewall is in the way (75). */
int publish_add(struct connection *connection, const struct publication *one, struct error *error);
int publish_settle(struct connection *connection, struct error *error);

/* Whoever is interrupted between registering a token and knowing that it is served would leave it
 * behind: SIGHUP, SIGINT and SIGTERM wait until it is known, seconds at most. */
void publish_hold_signals(sigset_t *before);
