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

/* Queries: the table, its rules, of one chain or (NULL) of all. */
void ruleset_netlink_ask_table(struct batch *batch);
void ruleset_netlink_ask_rules(struct batch *batch, const char *chain);
