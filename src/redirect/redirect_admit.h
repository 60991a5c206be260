// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>

#include "redirect/redirect.h"
#include "redirect/ruleset.h"
#include "redirect/transport.h"

/* Within redirect.c and redirect_admit.c: what the redirect does in the host's own chains. */

struct redirect {
    const struct config *config; /* the caller's */
    struct ruleset ruleset;
    struct transport transport;
    bool without_owner; /* never ask for it, or the kernel does not know it */
    bool owned;         /* the table that was installed last */
    char overruled[REDIRECT_OVERRULED_MAX];
};

enum admitting { ADMITTING_LEASED_FIRST, ADMITTING_LEASED, ADMITTING, ADMITTING_NO_MORE };

/* The lease, its time counted from now; `first`: and nobody is missing any more. */
void redirect_put_lease(const struct redirect *redirect, struct batch *batch, bool first);

/* The admissions of the redirect's config; LEASED: with the lease, in the same batch. */
int redirect_run_admitting(struct redirect *redirect, enum admitting what, bool *changed,
                           struct error *error);

/* The same as parts of a batch that admission_begin() has begun. */
int redirect_put_admissions(struct redirect *redirect, struct batch *batch,
                            const struct config *config, struct failure *failure);
/* Out of the chains that `config` names, but for those that `kept` (may be NULL) names too. */
int redirect_take_admissions(struct redirect *redirect, struct batch *batch,
                             const struct config *config, const struct config *kept,
                             struct failure *failure);
