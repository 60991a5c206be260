// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "wicket/challenge.h"

/*
 * The key authorizations that are served, by token. They come from the keeper only, which has
 * checked them; the hash needs no protection from chosen keys. One allocation each: 100,000 of
 * them take less than 20 MB.
 */
struct token_entry;

struct tokens {
    struct token_entry *table;
    char stateless[CHALLENGE_THUMBPRINT_LENGTH + 1]; /* of the account that is answered for whenever
                                                        nobody registered a token; or "" */
};

void tokens_init(struct tokens *tokens);
void tokens_deinit(struct tokens *tokens);

/* A well-formed key authorization; one of the same token is replaced. False: no memory, and what
 * was there is still there. */
bool tokens_put(struct tokens *tokens, const char *key_authorization);
/* One not there is fine. */
void tokens_forget(struct tokens *tokens, const char *token);

/* A well-formed thumbprint, or "" for the end of it. */
void tokens_set_stateless(struct tokens *tokens, const char *thumbprint);

/* NULL when nobody registered this token. Valid until the table changes. */
const char *tokens_find(const struct tokens *tokens, const char *token, size_t length);

/* What to answer: the registered key authorization, or the stateless one, which is written to
 * `out`; NULL when there is neither. Valid as long as both `out` and what tokens_find gives. */
const char *tokens_answer(const struct tokens *tokens,
                          char out[CHALLENGE_KEY_AUTHORIZATION_MAX + 1], const char *token,
                          size_t length);
