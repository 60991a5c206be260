// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/tokens.h"

#include <stdlib.h>
#include <string.h>

static void token_free(struct tokens *tokens, struct token *token)
{
    HASH_DEL(tokens->by_name, token);
    free(token->holders);
    free(token);
}

void tokens_deinit(struct tokens *tokens)
{
    struct token *token, *next;

    HASH_ITER(hh, tokens->by_name, token, next)
    {
        token_free(tokens, token);
    }
}

struct token *tokens_find(const struct tokens *tokens, const char *name)
{
    struct token *token;

    HASH_FIND_STR(tokens->by_name, name, token);
    return token;
}

static bool holds(const struct window_reason *reason, bool is_file)
{
    return reason->count > 0 && reason->is_file == is_file;
}

struct window_reason *token_holder(const struct token *token, uid_t uid)
{
    for (size_t i = 0; i < token->holder_count; i++)
        if (holds(token->holders[i], false) && token->holders[i]->uid == uid)
            return token->holders[i];
    return NULL;
}

struct window_reason *token_any_holder(const struct token *token)
{
    for (size_t i = 0; i < token->holder_count; i++)
        if (holds(token->holders[i], false))
            return token->holders[i];
    return NULL;
}

struct window_reason *token_file_holder(const struct token *token)
{
    for (size_t i = 0; i < token->holder_count; i++)
        if (holds(token->holders[i], true))
            return token->holders[i];
    return NULL;
}

struct token *tokens_hold(struct tokens *tokens, struct window_reason *reason)
{
    struct token *token = tokens_find(tokens, reason->challenge.token);

    if (token == NULL) {
        token = calloc(1, sizeof(*token));
        if (token == NULL)
            return NULL;
        token->challenge = reason->challenge;
        HASH_ADD_STR(tokens->by_name, challenge.token, token);
    }
    struct window_reason **holders =
        reallocarray(token->holders, token->holder_count + 1, sizeof(*holders));
    if (holders == NULL) {
        if (token->holder_count == 0)
            token_free(tokens, token);
        return NULL;
    }
    token->holders = holders;
    token->holders[token->holder_count++] = reason;
    return token;
}

bool tokens_let_go(struct tokens *tokens, struct window_reason *reason)
{
    struct token *token = tokens_find(tokens, reason->challenge.token);

    if (token == NULL)
        return false;
    for (size_t i = 0; i < token->holder_count; i++) {
        if (token->holders[i] != reason)
            continue;
        token->holders[i] = token->holders[--token->holder_count];
        break;
    }
    if (token->holder_count > 0)
        return false;
    token_free(tokens, token);
    return true;
}
