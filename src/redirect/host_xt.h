// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "redirect/host_rule.h"

struct nftnl_expr;

/* The matches and targets that iptables-nft puts into its rules. */
enum host_match host_xt_match(const struct nftnl_expr *match, const struct host_subject *subject);
enum host_act host_xt_target(const struct nftnl_expr *target);
