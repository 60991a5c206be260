// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/webroot_tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "keeper/keeper.h"
#include "keeper/request.h"
#include "keeper/serve.h"
#include "keeper/webroot_create.h"
#include "wicket/duration.h"
#include "wicket/log.h"

bool webroot_tokens_may_log(struct keeper *keeper)
{
    return log_limit_take(&keeper->webroot.log_limit, event_now_ms());
}

static int refuse(const struct keeper *keeper, enum window_refusal refusal, uid_t uid,
                  uint64_t wait_ms, struct error *error)
{
    char wait[DURATION_TEXT];

    duration_describe(wait, sizeof(wait), wait_ms);
    switch (refusal) {
    case WINDOW_REFUSED_QUOTA:
        return error_set(error, EX_TEMPFAIL,
                         "its owner, uid %u, has %d tokens already, which is all a user may have",
                         (unsigned int)uid, WINDOW_TOKENS_PER_UID);
    case WINDOW_REFUSED_PENALTY:
        return error_set(error, EX_TEMPFAIL,
                         "a window of its owner, uid %u, ran into window.limit; the next one may "
                         "open in %s",
                         (unsigned int)uid, wait);
    case WINDOW_REFUSED_BLOCKED:
        return error_set(error, EX_TEMPFAIL, "no window is opened for another %s: %s", wait,
                         keeper->trouble);
    case WINDOW_REFUSED_STOPPING:
        return error_set(error, EX_TEMPFAIL, "the keeper is leaving");
    case WINDOW_REFUSED_MEMORY:
    case WINDOW_ACCEPTED:
        break;
    }
    return error_set(error, EX_TEMPFAIL, "the keeper ran out of memory");
}

static int begin(struct keeper *keeper, const struct webroot_file *file, uint64_t lifetime_ms,
                 struct error *error)
{
    uint64_t now_ms = event_now_ms();
    uint64_t until_ms;
    struct window_reason *reason =
        window_reason_new(WINDOW_TOKEN, file->uid, now_ms + lifetime_ms, "file in the webroot");

    if (reason != NULL)
        reason->is_file = true;
    enum window_refusal refusal = serve_begin(keeper, reason, &file->challenge, &until_ms);
    if (refusal != WINDOW_ACCEPTED)
        return refuse(keeper, refusal, file->uid, until_ms > now_ms ? until_ms - now_ms : 0, error);
    return 0;
}

static int check(const struct keeper *keeper, const struct webroot_file *file, uint64_t lifetime_ms,
                 struct error *error)
{
    const struct challenge *challenge = &file->challenge;
    const struct token *token = tokens_find(&keeper->tokens, challenge->token);

    if (lifetime_ms == 0)
        return error_set(error, EX_DATAERR, "it is older than window.token_lifetime; remove it");
    if (!request_account_admitted(keeper->config, challenge))
        return error_set(error, EX_NOPERM, "its ACME account is not among tokens.accounts in %s",
                         keeper->config->path);
    if (token != NULL && !token_is_of(token, challenge))
        return error_set(error, EX_DATAERR, "the token is registered for another ACME account");
    return 0;
}

static int appeared(void *owner, const struct webroot_file *file, uint64_t age_ms,
                    struct error *error)
{
    struct keeper *keeper = owner;
    const struct challenge *challenge = &file->challenge;
    uint64_t now_ms = event_now_ms();
    uint64_t lifetime_ms = webroot_judge_age(age_ms, 0, keeper->config->window.token_lifetime_ms);

    if (check(keeper, file, lifetime_ms, error) < 0)
        return -1;
    const struct token *token = tokens_find(&keeper->tokens, challenge->token);
    struct window_reason *reason = token == NULL ? NULL : token_file_holder(token);
    if (reason != NULL) {
        window_again(&keeper->window, now_ms, reason, now_ms + lifetime_ms);
        return 0;
    }
    if (begin(keeper, file, lifetime_ms, error) < 0)
        return -1;
    keeper->tokens_total++;
    if (webroot_tokens_may_log(keeper))
        log_info("token %s appeared as a file of uid %u in the webroot", challenge->token,
                 (unsigned int)file->uid);
    return 0;
}

static void vanished(void *owner, const char *name)
{
    struct keeper *keeper = owner;
    const struct token *token = tokens_find(&keeper->tokens, name);
    struct window_reason *reason = token == NULL ? NULL : token_file_holder(token);

    if (reason != NULL)
        window_finish(&keeper->window, event_now_ms(), reason, WINDOW_END_REMOVED);
}

static const struct webroot_handlers handlers = {.appeared = appeared, .vanished = vanished};

void webroot_tokens_complete(struct keeper *keeper, char *warning, size_t capacity)
{
    struct error error = {0};

    if (webroot_create_directories(keeper->config->tokens.webroot, &keeper->account, &error) < 0)
        snprintf(warning, capacity, "%s; challenge files are taken once it is there", error.text);
    else
        warning[0] = '\0';
}

void webroot_tokens_prepare(struct keeper *keeper)
{
    char warning[sizeof(((struct error *)NULL)->text)];

    webroot_tokens_complete(keeper, warning, sizeof(warning));
    if (warning[0] != '\0')
        log_warnx("%s", warning);
}

void webroot_tokens_start(struct keeper *keeper)
{
    struct error error;

    if (webroot_start(&keeper->webroot, keeper->epoll_fd, keeper->config->tokens.webroot, &handlers,
                      keeper, &error) < 0)
        log_warnx("%s; challenge files are not taken", error.text);
}

void webroot_tokens_ended(struct keeper *keeper, const struct window_reason *reason)
{
    /* The file may have been removed and written again in one turn. */
    if (reason->is_file && token_file_holder(reason->token) == NULL)
        webroot_forget(&keeper->webroot, reason->token->name);
}
