// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "redirect/ruleset.h"

/* What the parts of the table are put together with. There is room for the largest table. */

void rule_add_plain(struct ruleset_rule *rule, enum ruleset_statement_type type);
void rule_add_set(struct ruleset_rule *rule, enum ruleset_statement_type type, const char *set);
void rule_add_port(struct ruleset_rule *rule, enum ruleset_statement_type type, uint16_t port);
struct ruleset_rule *chain_add_rule(struct ruleset_chain *chain, const char *comment);
struct ruleset_chain *ruleset_add_chain(struct ruleset *ruleset, struct ruleset_chain chain);
struct ruleset_set *ruleset_add_set(struct ruleset *ruleset, const char *name, enum ruleset_key key,
                                    const char *note);
