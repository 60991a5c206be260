// SPDX-License-Identifier: GPL-2.0-or-later
#include "responder/tokens.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wicket/challenge.h"
#include "wicket/link.h"

/* FNV-1a; uthash's own function does not compile without warnings everywhere. */
static unsigned token_hash(const void *key, size_t length)
{
    const unsigned char *bytes = key;
    unsigned hash = 2166136261U;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ bytes[i]) * 16777619U;
    return hash;
}

#define HASH_FUNCTION(key, length, hash) ((hash) = token_hash((key), (length)))
#define HASH_NONFATAL_OOM                1
#define uthash_nonfatal_oom(entry)       ((entry)->lost = true)
#include <uthash.h>

struct token_entry {
    UT_hash_handle hh;
    bool lost;                /* the table could not grow to take it */
    char key_authorization[]; /* the token is what stands before the dot, and the key */
};

void tokens_init(struct tokens *tokens)
{
    *tokens = (struct tokens){.table = NULL};
}

static void tokens_remove(struct tokens *tokens, struct token_entry *entry)
{
    HASH_DEL(tokens->table, entry);
    free(entry);
}

void tokens_deinit(struct tokens *tokens)
{
    while (tokens->table)
        tokens_remove(tokens, tokens->table);
}

static struct token_entry *tokens_look_up(const struct tokens *tokens, const char *token,
                                          size_t length)
{
    struct token_entry *entry = NULL;
    if (length > 0 && length <= CHALLENGE_TOKEN_MAX)
        HASH_FIND(hh, tokens->table, token, length, entry);
    return entry;
}

bool tokens_put(struct tokens *tokens, const char *key_authorization)
{
    size_t length = strlen(key_authorization);
    size_t token_length = strcspn(key_authorization, ".");
    struct token_entry *old = tokens_look_up(tokens, key_authorization, token_length);
    struct token_entry *entry;

    if (old && strcmp(old->key_authorization, key_authorization) == 0)
        return true;
    entry = malloc(sizeof(*entry) + length + 1);
    if (!entry)
        return false;
    entry->lost = false;
    memcpy(entry->key_authorization, key_authorization, length + 1);
    if (old)
        tokens_remove(tokens, old);
    HASH_ADD_KEYPTR(hh, tokens->table, entry->key_authorization, token_length, entry);
    if (entry->lost) {
        free(entry);
        return false;
    }
    return true;
}

void tokens_forget(struct tokens *tokens, const char *token)
{
    struct token_entry *entry = tokens_look_up(tokens, token, strlen(token));
    if (entry)
        tokens_remove(tokens, entry);
}

const char *tokens_find(const struct tokens *tokens, const char *token, size_t length)
{
    const struct token_entry *entry = tokens_look_up(tokens, token, length);
    return entry ? entry->key_authorization : NULL;
}

void tokens_set_stateless(struct tokens *tokens, const char *thumbprint)
{
    memset(tokens->stateless, 0, sizeof(tokens->stateless));
    memcpy(tokens->stateless, thumbprint, strlen(thumbprint));
}

const char *tokens_answer(const struct tokens *tokens,
                          char out[CHALLENGE_KEY_AUTHORIZATION_MAX + 1], const char *token,
                          size_t length)
{
    const char *registered = tokens_find(tokens, token, length);
    if (registered || !tokens->stateless[0])
        return registered;
    if (length < LINK_STATELESS_TOKEN_MIN || length > CHALLENGE_TOKEN_MAX ||
        !challenge_is_token(token, length))
        return NULL;
    memcpy(out, token, length);
    out[length] = '.';
    memcpy(out + length + 1, tokens->stateless, sizeof(tokens->stateless));
    return out;
}
