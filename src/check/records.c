// SPDX-License-Identifier: GPL-2.0-or-later
#include "check/records.h"

#include <string.h>

#define HEADER_BYTES 12
#define CLASS_IN     1

static uint16_t short_at(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* Behind the name at *at, which is a list of labels, or ends with a pointer to another. */
static bool skip_name(const uint8_t *bytes, size_t length, size_t *at)
{
    while (*at < length) {
        uint8_t first = bytes[(*at)++];

        if (first == 0)
            return true;
        if ((first & 0xc0) == 0xc0) {
            (*at)++;
            return *at <= length;
        }
        if ((first & 0xc0) != 0 || first > length - *at)
            return false;
        *at += first;
    }
    return false;
}

bool records_parse(struct records *out, const uint8_t *bytes, size_t length, uint16_t type)
{
    size_t wanted = type == 1 ? 4 : 16, at = HEADER_BYTES;

    if (length < HEADER_BYTES)
        return false;
    for (unsigned int questions = short_at(bytes + 4); questions > 0; questions--) {
        if (!skip_name(bytes, length, &at) || length - at < 4)
            return false;
        at += 4;
    }
    for (unsigned int answers = short_at(bytes + 6); answers > 0; answers--) {
        if (!skip_name(bytes, length, &at) || length - at < 10)
            return false;
        uint16_t found = short_at(bytes + at), class = short_at(bytes + at + 2);
        size_t data = short_at(bytes + at + 8);

        at += 10;
        if (data > length - at)
            return false;
        if (found == type && class == CLASS_IN && data == wanted && out->count < RECORDS_MAX)
            memcpy(out->addresses[out->count++], bytes + at, wanted);
        at += data;
    }
    return true;
}
