// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "check/registers.h"

struct nftnl_expr;

/* The expressions that look something up in a set: the truth that it is in there. The
 * verdicts of a map are recorded. */
enum truth lookup_evaluate(struct registers *registers, const struct nftnl_expr *expression);
