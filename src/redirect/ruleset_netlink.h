// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "redirect/batch.h"
#include "redirect/ruleset.h"

/* The table as netlink commands, appended to a batch; memory that runs out shows in the batch. */

/* The whole table, which must not exist when the batch reaches it. */
void ruleset_netlink_create(struct batch *batch, const struct ruleset *ruleset, bool owner);
void ruleset_netlink_delete_table(struct batch *batch);

/* A port in set `set`, for `timeout_ms` from the moment the batch is committed. */
void ruleset_netlink_add_port(struct batch *batch, const char *set, uint16_t port,
                              uint64_t timeout_ms);
void ruleset_netlink_delete_port(struct batch *batch, const char *set, uint16_t port);
/* Every element of the set, if there is any. */
void ruleset_netlink_flush(struct batch *batch, const char *set);

/* Queries: the table, its rules, the elements of one set. */
void ruleset_netlink_ask_table(struct batch *batch);
void ruleset_netlink_ask_rules(struct batch *batch);
void ruleset_netlink_ask_elements(struct batch *batch, const char *set);
