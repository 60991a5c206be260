// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>

/*
 * Copies `length` bytes into `out` with everything that is not printable ASCII as \xNN, so that
 * the result is one line and can forge no other. Cut with "..." when `capacity` bytes (at least 4)
 * do not hold it all, never inside an escape. NUL-terminated; returns the length written.
 */
size_t escape_copy(char *out, size_t capacity, const void *bytes, size_t length);

/* The same with `"` and `\` escaped by a backslash, for what stands between quotes. */
size_t escape_quoted(char *out, size_t capacity, const void *bytes, size_t length);
