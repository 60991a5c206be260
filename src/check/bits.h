// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check/truth.h"

/* Bytes of which some bits are known: the registers of nftables, and the headers of a packet. */

#define BITS_MAX 64

struct bits {
    uint8_t value[BITS_MAX]; /* zero where it is not known */
    uint8_t known[BITS_MAX]; /* a mask */
};

/* All of these want offset + length <= BITS_MAX. */
void bits_set(struct bits *bits, size_t offset, const void *value, size_t length);
void bits_forget(struct bits *bits, size_t offset, size_t length);
bool bits_are_known(const struct bits *bits, size_t offset, size_t length);

/* Equality with a value: what is not known could be it, but hardly is. */
enum truth bits_equal(const struct bits *bits, size_t offset, const uint8_t *value, size_t length);

/* Whether a big-endian number lies between two, both included. */
enum truth bits_within(const struct bits *bits, size_t offset, const uint8_t *first,
                       const uint8_t *last, size_t length);
