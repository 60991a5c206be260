// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * The answer to what is no good request, written here and not by libmicrohttpd, which never sees
 * it. `status` is one that head_parse gives.
 */
#define REFUSAL_MAX 256

/* Returns the length; `out` has REFUSAL_MAX bytes, `date` is of date.h. Without `content` it is the
 * answer to a HEAD. */
size_t refusal_write(char *out, unsigned status, bool content, const char *date);
