// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/arrival.h"

#include <inttypes.h>
#include <stdio.h>

bool arrival_bans_hold(const struct config *config)
{
    return config->redirect.method == CONFIG_METHOD_TPROXY || config->redirect.admit_count > 0;
}

void arrival_begin(struct arrival *arrival, const struct redirect_counters *counters,
                   bool bans_hold)
{
    *arrival = (struct arrival){.verdict = ARRIVAL_UNKNOWN, .bans_hold = bans_hold};
    for (size_t i = 0; i < REDIRECT_FAMILIES; i++)
        arrival->family[i].since = counters->family[i];
}

/* Addresses expire while others come: that there are fewer says nothing. */
static uint64_t missing_addresses(const struct redirect_count *since,
                                  const struct redirect_count *now)
{
    return now->missing > since->missing ? now->missing - since->missing : 0;
}

/* After how many looks in a row that find so much missing the family is blocked; 0: that says
 * nothing. */
static unsigned int looks_needed(const struct arrival_family *family,
                                 const struct redirect_count *now, bool bans_hold)
{
    uint64_t addresses = missing_addresses(&family->since, now);

    if (family->verdict == ARRIVAL_PROVED)
        return addresses >= ARRIVAL_MANY_ADDRESSES ? ARRIVAL_LOOKS_PROVED : 0;
    if (addresses >= ARRIVAL_MANY_ADDRESSES)
        return ARRIVAL_LOOKS;
    if (bans_hold)
        return addresses >= ARRIVAL_SOME_ADDRESSES ? ARRIVAL_LOOKS_PATIENT : 0;
    return addresses >= ARRIVAL_FEW_ADDRESSES ||
                   now->redirected - family->since.redirected >= ARRIVAL_MANY_CONNECTIONS
               ? ARRIVAL_LOOKS
               : 0;
}

static void look_at(struct arrival_family *family, const struct redirect_count *now, bool bans_hold)
{
    if (family->verdict == ARRIVAL_BLOCKED)
        return;
    if (now->arrived != family->since.arrived) {
        *family = (struct arrival_family){.verdict = ARRIVAL_PROVED, .since = *now};
        return;
    }
    unsigned int needed = looks_needed(family, now, bans_hold);
    if (needed != family->needed)
        family->suspicious = 0;
    family->needed = needed;
    family->suspicious = needed > 0 ? family->suspicious + 1 : 0;
    if (needed > 0 && family->suspicious >= needed)
        family->verdict = ARRIVAL_BLOCKED;
}

enum arrival_verdict arrival_look(struct arrival *arrival, const struct redirect_counters *counters)
{
    bool blocked = false, proved = false, suspicious = false;

    for (size_t i = 0; i < REDIRECT_FAMILIES; i++) {
        struct arrival_family *family = &arrival->family[i];

        look_at(family, &counters->family[i], arrival->bans_hold);
        blocked |= family->verdict == ARRIVAL_BLOCKED;
        proved |= family->verdict == ARRIVAL_PROVED;
        suspicious |= family->suspicious > 0;
    }
    arrival->verdict = blocked                 ? ARRIVAL_BLOCKED
                       : proved && !suspicious ? ARRIVAL_PROVED
                                               : ARRIVAL_UNKNOWN;
    return arrival->verdict;
}

const char *arrival_describe(const struct arrival *arrival,
                             const struct redirect_counters *counters, char out[ARRIVAL_TEXT])
{
    static const char *const names[REDIRECT_FAMILIES] = {
        [REDIRECT_IPV4] = "IPv4",
        [REDIRECT_IPV6] = "IPv6",
    };
    uint64_t connections = 0, addresses = 0;
    bool blocked[REDIRECT_FAMILIES];

    for (size_t i = 0; i < REDIRECT_FAMILIES; i++) {
        const struct arrival_family *family = &arrival->family[i];

        blocked[i] = family->verdict == ARRIVAL_BLOCKED;
        if (!blocked[i])
            continue;
        connections += counters->family[i].redirected - family->since.redirected;
        addresses += missing_addresses(&family->since, &counters->family[i]);
    }
    bool both = blocked[REDIRECT_IPV4] && blocked[REDIRECT_IPV6];
    snprintf(out, ARRIVAL_TEXT,
             "over %s%s%s (%" PRIu64 " connection%s from %" PRIu64 " address%s, none arrived)",
             blocked[REDIRECT_IPV4] ? names[REDIRECT_IPV4] : "", both ? " and " : "",
             blocked[REDIRECT_IPV6] ? names[REDIRECT_IPV6] : "", connections,
             connections == 1 ? "" : "s", addresses, addresses == 1 ? "" : "es");
    return out;
}
