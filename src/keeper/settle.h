// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdint.h>

struct keeper;

/* After every event: does what the window asks for, answers the peers who wait, and returns when
 * to be called again at the latest (UINT64_MAX: no time). */
uint64_t keeper_settle(struct keeper *keeper);
