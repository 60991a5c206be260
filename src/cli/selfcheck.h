// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>

#include "cli/connection.h"
#include "wicket/challenge.h"
#include "wicket/error.h"

/*
 * Fetches a challenge through port 80 of this host, as a validator would: over each family that
 * has a global address, or over loopback when none has. The keeper connects, from a port that the
 * table redirects although the connection is this host's own; the reading is done here.
 */

#define SELFCHECK_MS 3000 /* for connect, request and answer of one family */

/* 0 when every family that could be tried, or one of two, answered; the other is a warning in the
 * log then. 75 when none did, with the reason of each. */
int selfcheck(struct connection *connection, const struct challenge *challenge,
              struct error *error);

#define SELFCHECK_REASON_MAX 256

struct selfcheck_result {
    bool tried; /* false: the keeper knows no such address of this host that is redirected */
    bool good;
    char reason[SELFCHECK_REASON_MAX]; /* why not */
};

/* The same at one address of this host, given as text. -1 only when the keeper cannot be talked to,
 * with what connection_ask() says. */
int selfcheck_at(struct connection *connection, const char *address,
                 const struct challenge *challenge, struct selfcheck_result *out,
                 struct error *error);
