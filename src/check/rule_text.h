// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>

struct firewall;
struct firewall_chain;
struct nftnl_rule;

#define RULE_TEXT 256

/*
 * A rule for people, about as nft(8) says it: "ip saddr @bans tcp dport 80 drop". What is not
 * common has only its name, in brackets. Printable, cut with "..." when it is long. Returns `out`.
 */
char *rule_text(char *out, size_t capacity, const struct firewall *firewall,
                const struct firewall_chain *chain, const struct nftnl_rule *rule);
