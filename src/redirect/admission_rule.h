// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "redirect/batch.h"
#include "redirect/host_place.h"
#include "redirect/ruleset.h"
#include "wicket/config.h"

/* The rule that lets in what was redirected, in a chain of the host's own firewall, as netlink
 * commands appended to a batch. `chain` outlives the batch. */

/* In words that iptables reads too, where `iptables` is set: native ones for conntrack's status
 * would make it refuse the whole table. */
void admission_rule_add(struct batch *batch, const struct config_chain *chain,
                        const struct host_place *place, uint16_t port, bool iptables);
void admission_rule_delete(struct batch *batch, const struct config_chain *chain, uint64_t handle);

/* The family of that name, NFPROTO_*; of none, any. */
uint8_t admission_family(const struct config_chain *chain);
