// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "config/loader.h"

/*
 * One entry of a list of chains: {family: inet, table: filter, chain: input}, all three of them.
 * The reader is at its first event; returns false when the file ends there, and otherwise leaves
 * the reader at the last event of the entry. What is wrong is reported, and *bad set.
 */
bool chain_load(struct loader *loader, const struct schema_key *key, bool *bad);
