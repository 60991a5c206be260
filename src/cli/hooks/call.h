// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>

#include "cli/commands.h"
#include "cli/publish.h"
#include "wicket/error.h"

/* What all hooks have in common: a call names challenges, to be served or withdrawn. */

/*
 * Fills in a publication from what `client` says: `identifier` is what the certificate is to be
 * for, and only ever shown. 65 when the key authorization is none, or is not that of the token.
 */
int call_read(struct publication *out, const char *client, const char *identifier,
              const char *token, const char *key_authorization, size_t length, struct error *error);

/* As publish(), with a keeper found or started. */
int call_publish(const struct invocation *invocation, const struct publication *list, size_t count,
                 struct error *error);

/* Withdraws each; a keeper that is gone has withdrawn them all. The first error is the one that is
 * returned, after all were tried. */
int call_withdraw(const struct invocation *invocation, const struct publication *list, size_t count,
                  struct error *error);
