// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The addresses in a DNS answer (RFC 1035 section 4.1). Pure; the bytes came from a network. */

#define RECORDS_MAX 64

struct records {
    uint8_t addresses[RECORDS_MAX][16]; /* IPv4 in the first four */
    size_t count;
};

/* Adds every record of `type` (1: A, 28: AAAA) of the answer section; aliases are the resolver's to
 * follow. False when the answer is cut or malformed. */
bool records_parse(struct records *out, const uint8_t *bytes, size_t length, uint16_t type);
