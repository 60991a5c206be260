// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>

#include "redirect/redirect.h"
#include "wicket/evidence.h"

struct keeper;

/* How much a counter has grown. One of the kernel's may have begun anew: then `before` has been
 * taken below zero, that is around, by as much as was lost (reload.c), or else nothing is known. */
uint64_t keeper_since(uint64_t now, uint64_t before);

/* What has come through the present window, or through the last one. Nothing does before its first
 * lease: `leased` says whether it had one. `table`: what the kernel has counted by now; NULL: it is
 * asked. */
void keeper_evidence(struct keeper *keeper, bool leased, const struct redirect_counters *table,
                     struct evidence *out);
