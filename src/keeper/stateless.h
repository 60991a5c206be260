// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>

#include "wicket/challenge.h"

struct keeper;

/*
 * Stateless answers (tokens.stateless): the responder may give them only while somebody holds the
 * window open by hand or with `wicket run --open`. A window that is open for tokens alone, or not
 * at all, is none of theirs.
 */
struct stateless {
    char told[CHALLENGE_THUMBPRINT_LENGTH + 1]; /* what the responder answers for now, or "" */
};

/* Before anything is asked of the responder, so that what it may answer is known by its pong. */
void stateless_allow(struct keeper *keeper);
/* After the lease went. */
void stateless_withdraw(struct keeper *keeper);
/* A new responder answers for nobody. */
void stateless_forget(struct stateless *stateless);
