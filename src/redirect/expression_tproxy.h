// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "redirect/expression_build.h"

/* The expressions of redirect.method tproxy; see expression_build.h. */

/* tproxy to :PORT, tproxy ip to :PORT, tproxy ip6 to :PORT */
void add_tproxy(struct builder *builder, uint8_t family, uint16_t port);
/* dnat ip to ip daddr, dnat ip6 to ip6 daddr */
void add_dnat_same(struct builder *builder, uint8_t family);
/* update @SET { tcp dport } */
void add_dport_update(struct builder *builder, const char *set);
/* ip saddr . tcp sport @SET, ip6 saddr . tcp sport @SET */
void add_socket_in(struct builder *builder, uint8_t family, const char *set);
/* update @SET { ip saddr . tcp sport }, update @SET { ip6 saddr . tcp sport } */
void add_socket_update(struct builder *builder, uint8_t family, const char *set);
