// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "check/registers.h"

/* The expressions of iptables. */
enum truth xt_match(const struct packet *packet, const char *name, uint32_t revision,
                    const void *info, size_t length);
void xt_target(struct registers *registers, const char *name, uint32_t revision, const void *info,
               size_t length);
