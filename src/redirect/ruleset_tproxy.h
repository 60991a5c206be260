// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "redirect/ruleset_scope.h"

/*
 * redirect.method: tproxy. The responder's listener is transparent (IP_TRANSPARENT), and a first
 * packet for the redirected port is handed to it as it is: no address or port changes, what the
 * host's own rules say of that port holds, and nothing needs connection tracking. From then on the
 * kernel finds the connection by its addresses, as any other.
 */
void tproxy_add(struct ruleset *ruleset, const struct config *config, const struct scope *scope);
