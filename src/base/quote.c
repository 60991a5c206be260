// SPDX-License-Identifier: GPL-2.0-or-later
#include "wicket/quote.h"

#include <assert.h>

#include "base/escape.h"

char *quote_bytes(char *out, size_t capacity, const void *bytes, size_t length)
{
    assert(capacity >= 8);
    out[0] = '"';
    /* One byte is kept for the closing mark, which then stands where escape_quoted put its NUL. */
    size_t end = 1 + escape_quoted(out + 1, capacity - 2, bytes, length);
    out[end] = '"';
    out[end + 1] = '\0';
    return out;
}
