// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdint.h>

#include "keeper/peer.h"

/* Answers CONTROL_STATUS: the state of the keeper as the JSON document wicket(1) describes, in
 * pieces, and the result. */
void status_send(struct peer *peer, uint64_t now_ms);
