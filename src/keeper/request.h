// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "keeper/peer.h"
#include "wicket/config.h"
#include "wicket/control.h"

/* Acts on a checked message: answers it, or parks the peer. False: no request a client may make. */
bool request_handle(struct peer *peer, const union control_message *message);

/* Whether tokens.accounts lets this one in. */
bool request_account_admitted(const struct config *config, const struct challenge *challenge);

/* Looks again at a parked peer, and answers it if what it waits for has come or its time is up. */
void request_resume(struct peer *peer, uint64_t now_ms);
/* When request_resume has to be called at the latest; UINT64_MAX: no time. */
uint64_t request_next_ms(const struct peer *peer);
