// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "check/registers.h"

struct nftnl_rule;

/* What one rule does with a packet. Pure. */

/* `reach` is how likely it is that the packet comes to this rule: what a rule of that kind does to
 * the packet's marks is certain, or makes them unknown. */
void match_rule(struct match *match, const struct firewall *firewall,
                const struct firewall_chain *chain, const struct nftnl_rule *rule,
                struct packet *packet, enum truth reach);
