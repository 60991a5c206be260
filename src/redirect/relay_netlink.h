// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>

#include "redirect/batch.h"
#include "redirect/redirect.h"

/* The relays' elements as netlink commands, appended to a batch: of each family those of the set
 * `passing` and those of the map `relay`, in messages of many elements. */
void relay_netlink_add(struct batch *batch, const struct redirect_relay *relays, size_t count);
void relay_netlink_remove(struct batch *batch, const struct redirect_relay *relays, size_t count);
