// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wicket/challenge.h"

/*
 * One GET of a challenge over `fd`, which is non-blocking and connecting, and stays the caller's.
 * `host` is for the Host header: an address, with brackets if it is IPv6. False: `reason` says
 * what was wrong; bytes that came from the network are quoted in it.
 */
bool fetch_challenge(int fd, const char *host, const struct challenge *challenge,
                     uint64_t timeout_ms, char *reason, size_t capacity);
