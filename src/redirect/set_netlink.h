// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdint.h>

#include "redirect/batch.h"
#include "redirect/ruleset.h"

/* Sets and their elements as netlink commands, appended to a batch. */

/* With the elements that it begins with. `id` is of this batch only, another for each set. */
void set_netlink_create(struct batch *batch, const struct ruleset_set *set, uint32_t id);

/* A port in set `set`, for `timeout_ms` from the moment the batch is committed. */
void set_netlink_add_port(struct batch *batch, const char *set, uint16_t port, uint64_t timeout_ms);
void set_netlink_delete_port(struct batch *batch, const char *set, uint16_t port);
/* Its time counted from now. An element that is there keeps its timeout: only a new one begins
 * anew, and the first add makes sure that there is one to delete. */
void set_netlink_renew_port(struct batch *batch, const char *set, uint16_t port,
                            uint64_t timeout_ms);
/* Every element of the set, if there is any. */
void set_netlink_flush(struct batch *batch, const char *set);

/* A query for the elements. */
void set_netlink_ask_elements(struct batch *batch, const char *set);
