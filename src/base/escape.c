// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/escape.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define ELLIPSIS        "..."
#define ELLIPSIS_LENGTH (sizeof(ELLIPSIS) - 1)
#define UNIT_MAX        4 /* \xNN */

/* How one byte is written: 1, 2 or UNIT_MAX characters. */
static size_t escape_unit(char unit[UNIT_MAX], unsigned char byte, bool quoted)
{
    static const char digits[] = "0123456789abcdef";

    if (byte < 0x20 || byte > 0x7e) {
        unit[0] = '\\';
        unit[1] = 'x';
        unit[2] = digits[byte >> 4];
        unit[3] = digits[byte & 0xf];
        return UNIT_MAX;
    }
    if (quoted && (byte == '"' || byte == '\\')) {
        unit[0] = '\\';
        unit[1] = (char)byte;
        return 2;
    }
    unit[0] = (char)byte;
    return 1;
}

static size_t escape(char *out, size_t capacity, const unsigned char *bytes, size_t length,
                     bool quoted)
{
    assert(capacity > ELLIPSIS_LENGTH);
    size_t room = capacity - 1; /* the NUL */
    size_t used = 0;
    size_t cut = 0; /* where the ellipsis goes if it turns out that one is needed */

    for (size_t i = 0; i < length; i++) {
        char unit[UNIT_MAX];
        size_t unit_length = escape_unit(unit, bytes[i], quoted);
        if (used + unit_length > room) {
            memcpy(out + cut, ELLIPSIS, ELLIPSIS_LENGTH);
            used = cut + ELLIPSIS_LENGTH;
            break;
        }
        memcpy(out + used, unit, unit_length);
        used += unit_length;
        if (used + ELLIPSIS_LENGTH <= room)
            cut = used;
    }
    out[used] = '\0';
    return used;
}

size_t escape_copy(char *out, size_t capacity, const void *bytes, size_t length)
{
    return escape(out, capacity, bytes, length, false);
}

size_t escape_quoted(char *out, size_t capacity, const void *bytes, size_t length)
{
    return escape(out, capacity, bytes, length, true);
}
