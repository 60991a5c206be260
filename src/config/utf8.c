// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/utf8.h"

#include <stdint.h>

static uint32_t decode(const unsigned char *bytes, size_t length)
{
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t character = bytes[0] & masks[length];
    for (size_t i = 1; i < length; i++)
        character = character << 6 | (bytes[i] & 0x3f);
    return character;
}

size_t utf8_length(const unsigned char *bytes, size_t length)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (length == 0)
        return 0;

    size_t wanted = bytes[0] < 0x80             ? 1
                    : (bytes[0] & 0xe0) == 0xc0 ? 2
                    : (bytes[0] & 0xf0) == 0xe0 ? 3
                    : (bytes[0] & 0xf8) == 0xf0 ? 4
                                                : 0;
    if (wanted == 0 || wanted > length)
        return 0;
    for (size_t i = 1; i < wanted; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    }
    uint32_t character = decode(bytes, wanted);
    if (character < smallest[wanted] || character > 0x10ffff ||
        (character >= 0xd800 && character <= 0xdfff))
        return 0;
    return wanted;
}

bool utf8_is_text(const unsigned char *bytes, size_t length)
{
    uint32_t character = decode(bytes, length);
    if (character < 0x20)
        return character == '\t' || character == '\n' || character == '\r';
    if (character >= 0x7f && character < 0xa0)
        return character == 0x85;
    return character != 0xfffe && character != 0xffff;
}
