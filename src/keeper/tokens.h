// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/thumbprints.h"
#include "keeper/window.h"
#include "wicket/challenge.h"

/*
 * The pending tokens by name. A token is served while somebody holds it: each user who registered
 * it holds it with a reason of his own (window.h), and can take back only that; a file in the
 * webroot holds it with one more. A reason that has ended and still waits to be taken holds nothing
 * any more, but its token is there until it lets go.
 *
 * One allocation each, of the name, and the thumbprints once.
 */
struct token {
    struct named named;
    struct thumbprint *thumbprint;
    struct window_reason *holders; /* by next_holder; one a uid, and one of a file */
    bool validated;                /* from outside */
    char name[];
};

struct tokens {
    struct names by_name;
    struct names thumbprints;
};

void tokens_init(struct tokens *tokens);
void tokens_deinit(struct tokens *tokens);
/* NULL when it is not there. */
struct token *tokens_find(const struct tokens *tokens, const char *name);
/* All of them, in no order, while none comes or goes; NULL: there is no other. */
const struct token *tokens_first(const struct tokens *tokens);
const struct token *tokens_next(const struct tokens *tokens, const struct token *token);
/* Whether it was registered with this thumbprint. */
bool token_is_of(const struct token *token, const struct challenge *challenge);
/* Who registered it: this user, or anybody. */
struct window_reason *token_holder(const struct token *token, uid_t uid);
struct window_reason *token_any_holder(const struct token *token);
struct window_reason *token_file_holder(const struct token *token);
/* Registers the reason, before it begins, as a holder of the challenge's token, and sets
 * reason->token. False when memory ran out. */
bool tokens_hold(struct tokens *tokens, struct window_reason *reason,
                 const struct challenge *challenge);
/* Whether the token is gone when this one lets go of it. */
bool token_is_last_holder(const struct window_reason *reason);
/* The reason has ended, or did not begin; it has no token any more. One that has none is fine. */
void tokens_let_go(struct tokens *tokens, struct window_reason *reason);
