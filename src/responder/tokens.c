// SPDX-License-Identifier: GPL-2.0-or-later
#include "responder/tokens.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/thumbprints.h"
#include "wicket/link.h"

/* Fewer are not worth it: the next window's would have to be asked for again. */
enum { TRIM_FROM = 1000 };

struct token {
    struct named named;
    struct thumbprint *thumbprint;
    char name[];
};

void tokens_init(struct tokens *tokens)
{
    *tokens = (struct tokens){.stateless = ""};
    names_init(&tokens->by_name, offsetof(struct token, name));
    thumbprints_init(&tokens->thumbprints);
}

static void tokens_remove(struct tokens *tokens, struct token *token)
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
        tokens_remove(tokens, (void *)one);
    }
}

static struct token *tokens_look_up(const struct tokens *tokens, const char *name, size_t length)
{
    return length > CHALLENGE_TOKEN_MAX ? NULL : (void *)names_find(&tokens->by_name, name, length);
}

static bool tokens_add(struct tokens *tokens, const char *name, size_t length,
                       struct thumbprint *thumbprint)
{
    struct token *token = malloc(sizeof(*token) + length + 1);

    if (!token)
        return false;
    token->thumbprint = thumbprint;
    memcpy(token->name, name, length);
    token->name[length] = '\0';
    if (!names_add(&tokens->by_name, &token->named)) {
        free(token);
        return false;
    }
    if (tokens->most < tokens->by_name.count)
        tokens->most = tokens->by_name.count;
    return true;
}

bool tokens_put(struct tokens *tokens, const char *key_authorization)
{
    size_t length = strcspn(key_authorization, ".");
    struct token *old = tokens_look_up(tokens, key_authorization, length);
    struct thumbprint *thumbprint =
        thumbprint_use(&tokens->thumbprints, key_authorization + length + 1);

    if (!thumbprint)
        return false;
    if (old) {
        thumbprint_release(&tokens->thumbprints, old->thumbprint);
        old->thumbprint = thumbprint;
        return true;
    }
    if (tokens_add(tokens, key_authorization, length, thumbprint))
        return true;
    thumbprint_release(&tokens->thumbprints, thumbprint);
    return false;
}

void tokens_forget(struct tokens *tokens, const char *token)
{
    struct token *entry = tokens_look_up(tokens, token, strlen(token));
    if (entry)
        tokens_remove(tokens, entry);
}

void tokens_trim(struct tokens *tokens)
{
    if (tokens->by_name.count > 0 || tokens->most < TRIM_FROM)
        return;
    tokens->most = 0;
    /* By itself the C library gives back only what lies behind all that is in use. */
    (void)malloc_trim(0);
}

const char *tokens_find(const struct tokens *tokens, char out[CHALLENGE_KEY_AUTHORIZATION_MAX + 1],
                        const char *token, size_t length)
{
    const struct token *entry = tokens_look_up(tokens, token, length);
    return entry ? challenge_join(out, token, length, entry->thumbprint->text) : NULL;
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
    const char *registered = tokens_find(tokens, out, token, length);
    if (registered || !tokens->stateless[0])
        return registered;
    if (length < LINK_STATELESS_TOKEN_MIN || length > CHALLENGE_TOKEN_MAX ||
        !challenge_is_token(token, length))
        return NULL;
    return challenge_join(out, token, length, tokens->stateless);
}
