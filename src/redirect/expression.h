// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>

#include "redirect/ruleset.h"

struct nftnl_rule;

/* Appends the expressions of a rule's statements to `out`, exactly those that nft(8) makes of the
 * text form. Returns false when out of memory. */
bool expression_add_all(struct nftnl_rule *out, const struct ruleset_rule *rule);
