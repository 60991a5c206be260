// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>

#include "responder/head.h"
#include "responder/tokens.h"

/*
 * The fork in the road: which way a connection goes, by its first bytes and the tokens there are.
 * Pure. Of what goes to production not one byte is judged: malformed requests, other protocols and
 * other servers' challenges are production's to answer.
 */
enum way {
    WAY_WAIT,    /* it could still become a challenge that is answered here */
    WAY_ANSWER,  /* the head is whole, and set, and names a token that is answered here */
    WAY_UNKNOWN, /* for production, unless the token is one that the keeper is about to name */
    WAY_PASS,    /* for production */
};

enum way way_find(const struct tokens *tokens, const char *bytes, size_t length, struct head *head);
