// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redirect/host_rule.h"

/* The rules of one table of the host's own firewall. */
struct host_table {
    struct nftnl_rule **rules; /* owned; of one chain in the order in which they are gone through */
    size_t count, capacity;
    bool out_of_memory;
};

/* Takes `rule` over. */
void host_table_add(struct host_table *table, struct nftnl_rule *rule);
void host_table_deinit(struct host_table *table);

bool host_rule_is_of(const struct nftnl_rule *rule, const char *chain);
/* Whether the rule is an admission of ours: says so, and accepts. */
bool host_rule_is_admission(const struct nftnl_rule *rule);

/* Whether iptables can show this chain: it has nothing that iptables does not write itself. One of
 * our own that it could not is not looked at. */
bool host_table_is_iptables(const struct host_table *table, const char *chain);
