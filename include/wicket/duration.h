// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Lengths of time: a whole number and one unit, "500ms", "5s", "10m", "1h"; nothing else, no sign,
 * no space, no fraction. In milliseconds everywhere inside.
 */
#define DURATION_MAX_MS (UINT64_C(366) * 24 * 3600 * 1000)

/* False when `text` is no duration or is over DURATION_MAX_MS. */
bool duration_parse(const char *text, uint64_t *out_ms);

/* The shortest exact form of the above ("90s", "10m"); `out` holds at least DURATION_TEXT bytes. */
#define DURATION_TEXT 32
char *duration_format(char *out, size_t capacity, uint64_t ms);

/* For people: "12.3 s", "4 min 10 s", "1 h 2 min". */
char *duration_describe(char *out, size_t capacity, uint64_t ms);
