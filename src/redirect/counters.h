// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "redirect/redirect.h"
#include "redirect/transport.h"

/* Reads the counters of the table, within the transport's clock. */
int counters_read(struct transport *transport, struct redirect_counters *out,
                  struct failure *failure);
