// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "check/registers.h"

struct nftnl_expr;

/* The expressions that load something into a register. */
void load_payload(struct registers *registers, const struct nftnl_expr *expression);
void load_meta(struct registers *registers, const struct nftnl_expr *expression);
void load_ct(struct registers *registers, const struct nftnl_expr *expression);
void load_fib(struct registers *registers, const struct nftnl_expr *expression);
