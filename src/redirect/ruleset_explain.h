// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdio.h>

#include "redirect/ruleset.h"

/* One sentence that says what a rule is for whom and does, as lines of a comment for nft(8). */
void ruleset_explain(FILE *stream, const struct ruleset_rule *rule);
