// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/arrival.h"

void arrival_begin(struct arrival *arrival, uint64_t redirected, uint64_t arrived)
{
    *arrival = (struct arrival){ARRIVAL_UNKNOWN, redirected, arrived, 0};
}

enum arrival_verdict arrival_look(struct arrival *arrival, uint64_t redirected, uint64_t arrived)
{
    if (arrival->verdict == ARRIVAL_BLOCKED)
        return ARRIVAL_BLOCKED;
    if (arrived != arrival->arrived) {
        *arrival = (struct arrival){ARRIVAL_PROVED, redirected, arrived, 0};
        return ARRIVAL_PROVED;
    }

    uint64_t missing = redirected - arrival->redirected;
    if (missing == 0)
        return arrival->verdict;
    arrival->suspicious++;
    if (arrival->suspicious >= 2 &&
        missing >= (arrival->verdict == ARRIVAL_PROVED ? ARRIVAL_MANY : 1))
        arrival->verdict = ARRIVAL_BLOCKED;
    return arrival->verdict;
}
