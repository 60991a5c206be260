// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/stateless.h"

#include <string.h>

#include "keeper/keeper.h"
#include "wicket/log.h"

/* "" when nobody is to be answered for. */
static const char *wanted(const struct keeper *keeper)
{
    const struct config *config = keeper->config;

    if (config->tokens.stateless_count == 0)
        return "";
    for (const struct window_reason *one = keeper->window.reasons; one != NULL; one = one->next)
        if (one->kind == WINDOW_HAND || one->kind == WINDOW_RUN)
            return config->tokens.stateless[0];
    return "";
}

static void tell(struct keeper *keeper, const char *thumbprint)
{
    union link_message message;

    link_message_init(&message, LINK_STATELESS);
    memcpy(message.stateless.thumbprint, thumbprint, strlen(thumbprint));
    child_send(&keeper->child, &message);
    memset(keeper->stateless.told, 0, sizeof(keeper->stateless.told));
    memcpy(keeper->stateless.told, thumbprint, strlen(thumbprint));
}

void stateless_allow(struct keeper *keeper)
{
    const char *thumbprint = wanted(keeper);

    if (!keeper->window.responder_ready || thumbprint[0] == '\0' ||
        strcmp(thumbprint, keeper->stateless.told) == 0)
        return;
    tell(keeper, thumbprint);
    log_info("every token is answered for the ACME account %s (tokens.stateless)", thumbprint);
}

void stateless_withdraw(struct keeper *keeper)
{
    if (keeper->stateless.told[0] == '\0' || wanted(keeper)[0] != '\0')
        return;
    tell(keeper, "");
    log_info("only registered tokens are answered from now on");
}

void stateless_forget(struct stateless *stateless)
{
    *stateless = (struct stateless){0};
}
