// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The length in bytes of the UTF-8 character (RFC 3629) at `bytes`, or 0 when there is none. */
size_t utf8_length(const unsigned char *bytes, size_t length);

/* Whether a YAML file may have this character as it is: no control characters but tab and the
 * ends of lines, and no noncharacters. `length` as utf8_length gave it. */
bool utf8_is_text(const unsigned char *bytes, size_t length);
