// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "redirect/redirect.h"
#include "redirect/ruleset.h"
#include "redirect/transport.h"

/* Reads the counters of the table that `ruleset` describes, within the transport's clock. */
int counters_read(struct transport *transport, const struct ruleset *ruleset,
                  struct redirect_counters *out, struct failure *failure);

/* The same of `redirected` and `arrived` alone, which takes a fraction of the time. */
int counters_read_connections(struct transport *transport, const struct ruleset *ruleset,
                              struct redirect_counters *out, struct failure *failure);
