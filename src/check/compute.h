// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "check/registers.h"

struct nftnl_expr;

/* The expressions that compare what is in a register, and those that change it. */
enum truth compute_compare(struct registers *registers, const struct nftnl_expr *expression);
enum truth compute_range(struct registers *registers, const struct nftnl_expr *expression);
void compute_bitwise(struct registers *registers, const struct nftnl_expr *expression);
void compute_byteorder(struct registers *registers, const struct nftnl_expr *expression);

/* The data of an attribute, if it is no longer than all registers; else NULL. */
const uint8_t *compute_data(const struct nftnl_expr *expression, uint16_t attribute,
                            size_t *length);
