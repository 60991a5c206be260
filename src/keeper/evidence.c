// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/evidence.h"

#include <arpa/inet.h>

#include "keeper/keeper.h"

/* The kernel's counters begin anew with a table that had to be made again. */
uint64_t keeper_since(uint64_t now, uint64_t before)
{
    uint64_t grown = now - before;

    return grown <= INT64_MAX ? grown : 0;
}

void keeper_evidence(struct keeper *keeper, bool leased, const struct redirect_counters *table,
                     struct evidence *out)
{
    const struct keeper_before *before = &keeper->before;
    struct redirect_counters read = {0};

    *out = (struct evidence){0};
    if (!leased)
        return;
    if (table == NULL && keeper->redirect != NULL)
        redirect_read_connections(keeper->redirect, &read, NULL);
    struct redirect_count sum = redirect_count_sum(table != NULL ? table : &read);
    out->validations = keeper_since(keeper_validations(keeper), before->validations);
    out->unknown = keeper_since(keeper_unknown(keeper), before->unknown);
    out->redirected = keeper_since(sum.redirected, before->redirected);
    out->arrived = keeper_since(sum.arrived, before->arrived);
    out->passed = keeper_since(keeper_passed(keeper), before->passed);
    out->turned_away = keeper_since(keeper_turned_away(keeper), before->turned_away);
    out->addresses = validators_since(&keeper->validators, before->validators);
    if (out->unknown > 0 && keeper->unknown_family != 0)
        inet_ntop(keeper->unknown_family, keeper->unknown_address, out->unknown_address,
                  sizeof(out->unknown_address));
}
