// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>

#include "wicket/challenge.h"
#include "wicket/error.h"

/* One byte more than the longest, so that a longer one is seen to be longer. */
#define ACMETOOL_INPUT_MAX (CHALLENGE_KEY_AUTHORIZATION_MAX + 1)

/* Reads to the end, or until `out` (ACMETOOL_INPUT_MAX bytes) is full. 75: no end in time. */
int acmetool_read_input(char *out, size_t *length, int fd, int timeout_ms, struct error *error);
