// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>

#include "redirect/batch.h"
#include "redirect/redirect.h"

/* The relays as netlink commands, appended to a batch: elements of their family's map, in messages
 * of many elements. */
void relay_netlink_add(struct batch *batch, const struct redirect_relay *relays, size_t count);
void relay_netlink_remove(struct batch *batch, const struct redirect_relay *relays, size_t count);
