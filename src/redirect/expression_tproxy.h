// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "redirect/expression_build.h"

/* The expressions of redirect.method tproxy; see expression_build.h. */

/* [ payload load the destination address => reg 1 ], of the family, which is matched */
void add_destination(struct builder *builder, uint8_t family);
/* tproxy to :PORT, tproxy ip to :PORT, tproxy ip6 to :PORT */
void add_tproxy(struct builder *builder, uint8_t family, uint16_t port);
/* dnat ip to ip daddr, dnat ip6 to ip6 daddr */
void add_dnat_same(struct builder *builder, uint8_t family);
/* update @SET { tcp dport } */
void add_dport_update(struct builder *builder, const char *set);
