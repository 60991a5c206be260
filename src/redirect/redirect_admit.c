// SPDX-License-Identifier: GPL-2.0-or-later
#include "redirect/redirect_admit.h"

#include <assert.h>
#include <string.h>

#include "redirect/admission.h"
#include "redirect/admission_rule.h"

static_assert(REDIRECT_OVERRULED_MAX == ADMISSION_BAN_TEXT, "one text");

int redirect_put_admissions(struct redirect *redirect, struct batch *batch,
                            const struct config *config, struct failure *failure)
{
    char overruled[REDIRECT_OVERRULED_MAX] = "";

    for (size_t i = 0; i < config->redirect.admit_count; i++) {
        const struct config_chain *chain = &config->redirect.admit[i];
        struct host_ban ban = {0};

        if (admission_put(&redirect->transport, batch, config, chain, &ban, failure) < 0)
            return -1;
        if (ban.chain[0] && overruled[0] == '\0')
            admission_describe_ban(overruled, &ban, chain);
    }
    memcpy(redirect->overruled, overruled, sizeof(overruled));
    return 0;
}

const char *redirect_overruled(const struct redirect *redirect)
{
    return redirect->config->redirect.admit_count > 0 ? redirect->overruled : "";
}

int redirect_take_admissions(struct redirect *redirect, struct batch *batch,
                             const struct config *config, const struct config *kept,
                             struct failure *failure)
{
    for (size_t i = 0; i < config->redirect.admit_count; i++) {
        bool stays = false;

        for (size_t j = 0; kept && j < kept->redirect.admit_count; j++)
            stays |= memcmp(&config->redirect.admit[i], &kept->redirect.admit[j],
                            sizeof(config->redirect.admit[i])) == 0;
        if (!stays &&
            admission_take(&redirect->transport, batch, &config->redirect.admit[i], failure) < 0)
            return -1;
    }
    return 0;
}

/* What the batch is for, once it has begun. */
static int redirect_fill_admitting(struct redirect *redirect, enum admitting what,
                                   struct batch *batch, struct failure *failure)
{
    const struct config *config = redirect->config;

    if (what == ADMITTING_NO_MORE)
        return redirect_take_admissions(redirect, batch, config, NULL, failure);
    if (redirect_put_admissions(redirect, batch, config, failure) < 0)
        return -1;
    if (what != ADMITTING)
        redirect_put_lease(redirect, batch, what == ADMITTING_LEASED_FIRST);
    return 0;
}

static int redirect_admit_once(struct redirect *redirect, enum admitting what, bool *changed,
                               struct failure *failure)
{
    struct batch batch;
    int outcome;

    if (admission_begin(&redirect->transport, &batch, failure) < 0)
        return -1;
    outcome = redirect_fill_admitting(redirect, what, &batch, failure);
    *changed = outcome == 0 && batch.count > 1;
    if (*changed) {
        batch_finish(&batch);
        outcome = transport_run(&redirect->transport, &batch, failure);
    }
    batch_deinit(&batch);
    return outcome;
}

/* What the host's chains are found to hold must still be so when the batch is committed. */
#define ADMIT_ATTEMPTS 16

int redirect_run_admitting(struct redirect *redirect, enum admitting what, bool *changed,
                           struct error *error)
{
    struct failure failure = {.kind = FAILURE_NONE};

    transport_start_clock(&redirect->transport);
    for (int attempt = 0; attempt < ADMIT_ATTEMPTS; attempt++) {
        if (redirect_admit_once(redirect, what, changed, &failure) == 0)
            return 0;
        if (!admission_is_outdated(&failure))
            break;
    }
    *changed = false;
    return failure_explain(&failure, error);
}

int redirect_admit(struct redirect *redirect, bool *changed, struct error *error)
{
    *changed = false;
    if (redirect->config->redirect.admit_count == 0)
        return 0;
    return redirect_run_admitting(redirect, ADMITTING, changed, error);
}

uint32_t redirect_port(const struct redirect *redirect)
{
    return redirect->transport.changes.port;
}

static int redirect_sweep_once(struct redirect *redirect, size_t *swept, struct failure *failure)
{
    struct admission_leftovers leftovers;
    struct batch batch;
    int outcome;

    if (admission_begin(&redirect->transport, &batch, failure) < 0)
        return -1;
    outcome = admission_find_all(&redirect->transport, &leftovers, failure);
    for (size_t i = 0; i < leftovers.count; i++)
        admission_rule_delete(&batch, &leftovers.chains[i], leftovers.handles[i]);
    if (outcome == 0 && leftovers.count > 0) {
        batch_finish(&batch);
        outcome = transport_run(&redirect->transport, &batch, failure);
    }
    *swept = leftovers.count;
    batch_deinit(&batch);
    /* What failed was about one of them. */
    if (outcome < 0 && failure->kind == FAILURE_KERNEL)
        failure->object.admits = NULL;
    admission_leftovers_deinit(&leftovers);
    return outcome;
}

int redirect_sweep(struct redirect *redirect, size_t *swept, struct error *error)
{
    struct failure failure = {.kind = FAILURE_NONE};

    transport_start_clock(&redirect->transport);
    for (int attempt = 0; attempt < ADMIT_ATTEMPTS; attempt++) {
        if (redirect_sweep_once(redirect, swept, &failure) == 0)
            return 0;
        if (!admission_is_outdated(&failure))
            break;
    }
    *swept = 0;
    return failure_explain(&failure, error);
}
