// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "check/evaluate.h"
#include "check/journey.h"

#define JUDGE_TEXT 512

/* "inet filter input rule 7 (tcp dport 80 drop)", or "inet filter input, its policy". */
char *judge_place(char *out, size_t capacity, const struct firewall *firewall,
                  const struct ending *ending);

/* The command that lets in at a base chain what was redirected, or port 80 with TPROXY. */
char *judge_admission(char *out, size_t capacity, const struct journey *journey,
                      const struct firewall_chain *base, enum network_family family);

/* "IPv4 by eth0". */
char *judge_scope(char *out, size_t capacity, const struct traveller *traveller);

/* Whether the chain is one of redirect.admit. */
bool judge_is_admitted(const struct config *config, const struct firewall_chain *base);
