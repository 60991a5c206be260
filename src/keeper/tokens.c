// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/tokens.h"

#include <stdlib.h>
#include <string.h>

void tokens_init(struct tokens *tokens)
{
    names_init(&tokens->by_name, offsetof(struct token, name));
    thumbprints_init(&tokens->thumbprints);
}

static void token_free(struct tokens *tokens, struct token *token)
{
    names_remove(&tokens->by_name, &token->named);
    thumbprint_release(&tokens->thumbprints, token->thumbprint);
    free(token);
}

void tokens_deinit(struct tokens *tokens)
{
    struct named *next;

    for (struct named *one = names_first(&tokens->by_name); one != NULL; one = next) {
        next = names_next(&tokens->by_name, one);
        token_free(tokens, (void *)one);
    }
}

struct token *tokens_find(const struct tokens *tokens, const char *name)
{
    return (void *)names_find(&tokens->by_name, name, strlen(name));
}

const struct token *tokens_first(const struct tokens *tokens)
{
    return (const void *)names_first(&tokens->by_name);
}

const struct token *tokens_next(const struct tokens *tokens, const struct token *token)
{
    return (const void *)names_next(&tokens->by_name, &token->named);
}

bool token_is_of(const struct token *token, const struct challenge *challenge)
{
    return strcmp(token->thumbprint->text, challenge_thumbprint(challenge)) == 0;
}

static bool holds(const struct window_reason *reason, bool is_file)
{
    return reason->count > 0 && reason->is_file == is_file;
}

struct window_reason *token_holder(const struct token *token, uid_t uid)
{
    struct window_reason *one = token->holders;

    while (one != NULL && !(holds(one, false) && one->uid == uid))
        one = one->next_holder;
    return one;
}

struct window_reason *token_any_holder(const struct token *token)
{
    struct window_reason *one = token->holders;

    while (one != NULL && !holds(one, false))
        one = one->next_holder;
    return one;
}

struct window_reason *token_file_holder(const struct token *token)
{
    struct window_reason *one = token->holders;

    while (one != NULL && !holds(one, true))
        one = one->next_holder;
    return one;
}

/* NULL: no memory. */
static struct token *token_new(struct tokens *tokens, const struct challenge *challenge)
{
    size_t length = strlen(challenge->token);
    size_t size = offsetof(struct token, name) + length + 1;
    struct token *token = calloc(1, size < sizeof(*token) ? sizeof(*token) : size);

    if (token == NULL)
        return NULL;
    memcpy(token->name, challenge->token, length);
    token->thumbprint = thumbprint_use(&tokens->thumbprints, challenge_thumbprint(challenge));
    if (token->thumbprint != NULL && names_add(&tokens->by_name, &token->named))
        return token;
    if (token->thumbprint != NULL)
        thumbprint_release(&tokens->thumbprints, token->thumbprint);
    free(token);
    return NULL;
}

bool tokens_hold(struct tokens *tokens, struct window_reason *reason,
                 const struct challenge *challenge)
{
    struct token *token = tokens_find(tokens, challenge->token);

    if (token == NULL)
        token = token_new(tokens, challenge);
    if (token == NULL)
        return false;
    /* Who came first is named first. */
    struct window_reason **at = &token->holders;
    while (*at != NULL)
        at = &(*at)->next_holder;
    *at = reason;
    reason->next_holder = NULL;
    reason->token = token;
    return true;
}

bool token_is_last_holder(const struct window_reason *reason)
{
    return reason->token != NULL && reason->token->holders == reason && reason->next_holder == NULL;
}

void tokens_let_go(struct tokens *tokens, struct window_reason *reason)
{
    struct token *token = reason->token;

    if (token == NULL)
        return;
    struct window_reason **at = &token->holders;
    while (*at != reason)
        at = &(*at)->next_holder;
    *at = reason->next_holder;
    reason->next_holder = NULL;
    reason->token = NULL;
    if (token->holders == NULL)
        token_free(tokens, token);
}
