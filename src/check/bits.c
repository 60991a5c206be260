// SPDX-License-Identifier: GPL-2.0-or-later
#include "check/bits.h"

#include <string.h>

void bits_set(struct bits *bits, size_t offset, const void *value, size_t length)
{
    if (length == 0)
        return;
    memcpy(bits->value + offset, value, length);
    memset(bits->known + offset, 0xff, length);
}

void bits_forget(struct bits *bits, size_t offset, size_t length)
{
    memset(bits->value + offset, 0, length);
    memset(bits->known + offset, 0, length);
}

bool bits_are_known(const struct bits *bits, size_t offset, size_t length)
{
    for (size_t i = offset; i < offset + length; i++)
        if (bits->known[i] != 0xff)
            return false;
    return true;
}

enum truth bits_equal(const struct bits *bits, size_t offset, const uint8_t *value, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((bits->value[offset + i] ^ value[i]) & bits->known[offset + i])
            return TRUTH_NO;
    return bits_are_known(bits, offset, length) ? TRUTH_YES : TRUTH_UNLIKELY;
}

static bool is_filled(const uint8_t *bytes, size_t length, uint8_t with)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != with)
            return false;
    return true;
}

enum truth bits_within(const struct bits *bits, size_t offset, const uint8_t *first,
                       const uint8_t *last, size_t length)
{
    if (is_filled(first, length, 0) && is_filled(last, length, 0xff))
        return TRUTH_YES;
    if (!bits_are_known(bits, offset, length))
        return TRUTH_UNLIKELY;
    return memcmp(bits->value + offset, first, length) >= 0 &&
                   memcmp(bits->value + offset, last, length) <= 0
               ? TRUTH_YES
               : TRUTH_NO;
}
