// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/connection.h"
#include "wicket/challenge.h"
#include "wicket/error.h"

/*
 * Registers a challenge, and returns 0 only after it was fetched through port 80 of this host and
 * the keeper saw no firewall in the way. Otherwise it is withdrawn again and the error says why.
 */
int publish(struct connection *connection, const struct challenge *challenge, const char *purpose,
            struct error *error);

/* Withdraws a token. What the keeper says about one that was not registered is in `note`
 * (CONTROL_TEXT_MAX bytes), which is empty when it was. */
int publish_withdraw(struct connection *connection, const char *token, const char *purpose,
                     char *note, struct error *error);
