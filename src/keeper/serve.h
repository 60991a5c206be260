// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdint.h>

#include "keeper/tokens.h"
#include "keeper/window.h"

struct keeper;

/*
 * A reason with the token it holds, if it is one for a token: the responder serves that for as long
 * as there is a reason that holds it.
 */

/* As window_begin, of a reason that it takes over; NULL is one that there was no memory for.
 * `challenge`: WINDOW_TOKEN. */
enum window_refusal serve_begin(struct keeper *keeper, struct window_reason *reason,
                                const struct challenge *challenge, uint64_t *until_ms);
/* The reason has ended. */
void serve_end(struct keeper *keeper, struct window_reason *reason);

/* The responder is told of this one, or of all. */
void serve_token(struct keeper *keeper, const struct token *token);
void serve_all(struct keeper *keeper);
