// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "redirect/ruleset.h"

/* What the two methods have in common: who is redirected, and where the chains stand. */

/* Before Docker's DNAT and the like at -100; among equals the last that registered wins. */
#define RULESET_PRIORITY_NAT (-110)
/* Just before the host's own input filter at 0, and well behind it. */
#define RULESET_PRIORITY_GUARD   (-10)
#define RULESET_PRIORITY_ARRIVED 400

/* The interfaces, addresses and sources that the configuration chooses. */
struct scope;

/* Of 0 for IPv4 and 1 for IPv6: whether connections of this family are redirected at all. */
bool scope_has_family(const struct scope *scope, size_t family);

/* Packets of this family that are in scope. */
void rule_add_scope(struct ruleset_rule *rule, const struct scope *scope, size_t family);
/* And begin a connection, while there is a lease. */
void rule_add_first_packet(struct ruleset_rule *rule);

/* The set of those of this family who were redirected and have not arrived. */
const struct ruleset_set *ruleset_add_missing(struct ruleset *ruleset, size_t family);
