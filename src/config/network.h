// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "wicket/config.h"

/* Both take a literal; the reason of a refusal is in the error. */
int network_parse_address(struct config_network *out, const char *text, struct error *error);
/* An address, or an address and a prefix. */
int network_parse(struct config_network *out, const char *text, struct error *error);

/* Whether every address of `inner` is one of `outer`. */
bool network_contains(const struct config_network *outer, const struct config_network *inner);

#define NETWORK_TEXT 64
char *network_format(char *out, size_t capacity, const struct config_network *network);
