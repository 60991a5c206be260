// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <uthash.h>

#include "keeper/window.h"
#include "wicket/challenge.h"

/*
 * The pending tokens by name. A token is served while somebody holds it: each user who registered
 * it holds it with a reason of his own (window.h), and can take back only that; a file in the
 * webroot holds it with one more. A reason that has ended and still waits to be taken holds nothing
 * any more.
 */
struct token {
    struct challenge challenge;
    struct window_reason **holders; /* borrowed from the window; one a uid, and one of a file */
    size_t holder_count;
    uint64_t validations; /* from outside */
    UT_hash_handle hh;
};

struct tokens {
    struct token *by_name;
};

void tokens_deinit(struct tokens *tokens);
/* NULL when it is not there. */
struct token *tokens_find(const struct tokens *tokens, const char *name);
/* Who registered it: this user, or anybody. */
struct window_reason *token_holder(const struct token *token, uid_t uid);
struct window_reason *token_any_holder(const struct token *token);
struct window_reason *token_file_holder(const struct token *token);
/* Registers the reason as a holder of its challenge's token; NULL when memory ran out. */
struct token *tokens_hold(struct tokens *tokens, struct window_reason *reason);
/* The reason has ended. Returns whether it was the last holder: the token is gone then. */
bool tokens_let_go(struct tokens *tokens, struct window_reason *reason);
