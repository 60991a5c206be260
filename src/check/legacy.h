// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "check/firewall.h"
#include "wicket/error.h"

/*
 * The tables of iptables-legacy and ip6tables-legacy, which nftables does not list, added as if
 * they were chains of it. Only tables that are there already are read: asking for one would make
 * it. 77: not root.
 */
int legacy_read(struct firewall *firewall, struct error *error);

/* One table out of the bytes that the kernel keeps it in (IPT_SO_GET_ENTRIES). Where each hook's
 * chain begins and ends comes with it. Pure. False: they make no sense. */
#define LEGACY_HOOKS 5
struct legacy_table {
    bool ipv6;
    const char *name;
    unsigned int valid_hooks;
    unsigned int begin[LEGACY_HOOKS], end[LEGACY_HOOKS]; /* offsets; end is the policy's rule */
    const void *bytes;
    size_t length;
};
bool legacy_take(struct firewall *firewall, const struct legacy_table *table);
