// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>

/*
 * Quotes bytes from outside for a line a person reads: in double quotes, `"` and `\` escaped with
 * a backslash, everything that is not printable ASCII as \xNN, cut with "..." when `capacity`
 * bytes (at least 8) do not hold it all. The result is NUL-terminated. Returns `out`.
 */
char *quote_bytes(char *out, size_t capacity, const void *bytes, size_t length);

/* A buffer long enough for most of what is worth showing: QUOTE(text, n) lives until the block
 * that uses it ends. */
#define QUOTE_MAX            96
#define QUOTE(bytes, length) quote_bytes((char[QUOTE_MAX]){0}, QUOTE_MAX, (bytes), (length))
