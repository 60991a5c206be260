// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "redirect/ruleset.h"

/* What the table has for the pass: visitors' connections handed on to production, which sees their
 * own addresses. */

/* Upstream sockets are never sent back to the responder, neither as connections of this host
 * (redirect.local) nor because of a port that is a self-check's too. */
void pass_exempt(struct ruleset_chain *output);

/* The maps, the timeouts and the chains. */
void pass_add(struct ruleset *ruleset, const struct config *config);
