// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/names.h"
#include "wicket/challenge.h"

/*
 * The key authorizations that are served, by token. They come from the keeper only, which has
 * checked them. One allocation each, of the token, and the thumbprints once: 100,000 of them take
 * less than 10 MB. A key authorization is put together when it is asked for.
 */
struct tokens {
    struct names by_name;
    struct names thumbprints;
    size_t most;                                     /* at once, since memory was last given back */
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

/* Nobody is there who would have to wait: gives back the memory of many that are gone. */
void tokens_trim(struct tokens *tokens);

/* A well-formed thumbprint, or "" for the end of it. */
void tokens_set_stateless(struct tokens *tokens, const char *thumbprint);

/* Both write a key authorization to `out` and return it, or return NULL: the first one when nobody
 * registered this token, the second when there is no stateless answer to it either. */
const char *tokens_find(const struct tokens *tokens, char out[CHALLENGE_KEY_AUTHORIZATION_MAX + 1],
                        const char *token, size_t length);
const char *tokens_answer(const struct tokens *tokens,
                          char out[CHALLENGE_KEY_AUTHORIZATION_MAX + 1], const char *token,
                          size_t length);
