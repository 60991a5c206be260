// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/serve.h"

#include <stdlib.h>
#include <string.h>

#include "keeper/keeper.h"

void serve_token(struct keeper *keeper, const struct token *token)
{
    union link_message message;

    link_message_init(&message, LINK_TOKEN);
    challenge_join(message.token.key_authorization, token->name, strlen(token->name),
                   token->thumbprint->text);
    child_send(&keeper->child, &message);
}

void serve_all(struct keeper *keeper)
{
    for (const struct token *token = tokens_first(&keeper->tokens); token != NULL;
         token = tokens_next(&keeper->tokens, token))
        serve_token(keeper, token);
}

static void forget(struct keeper *keeper, const struct token *token)
{
    union link_message message;

    link_message_init(&message, LINK_FORGET);
    memcpy(message.forget.token, token->name, strlen(token->name));
    child_send(&keeper->child, &message);
}

void serve_end(struct keeper *keeper, struct window_reason *reason)
{
    if (token_is_last_holder(reason))
        forget(keeper, reason->token);
    tokens_let_go(&keeper->tokens, reason);
}

enum window_refusal serve_begin(struct keeper *keeper, struct window_reason *reason,
                                const struct challenge *challenge, uint64_t *until_ms)
{
    *until_ms = 0;
    if (reason == NULL || (challenge != NULL && !tokens_hold(&keeper->tokens, reason, challenge))) {
        free(reason);
        return WINDOW_REFUSED_MEMORY;
    }
    /* The responder hears of the token before the ping that window_begin asks for. */
    if (challenge != NULL)
        serve_token(keeper, reason->token);
    enum window_refusal refusal = window_begin(&keeper->window, event_now_ms(), reason, until_ms);
    if (refusal == WINDOW_ACCEPTED) {
        ledger_note_reason(keeper, reason);
        return refusal;
    }
    serve_end(keeper, reason);
    free(reason);
    return refusal;
}
