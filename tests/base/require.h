// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What has to hold in a fuzzer: else it says what did not, and libFuzzer keeps the input. */
#define require(condition) \
    ((condition) ? (void)0 : require_failed(__FILE__, __LINE__, #condition, errno))

static inline void require_failed(const char *file, int line, const char *condition, int number)
{
    fprintf(stderr, "%s:%d: not so: %s (errno: %s)\n", file, line, condition, strerror(number));
    abort();
}
