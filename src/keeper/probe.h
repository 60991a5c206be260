// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>

#include "redirect/redirect.h"
#include "wicket/config.h"
#include "wicket/control.h"
#include "wicket/error.h"

/*
 * The keeper's part of a self-check: a connection from this host to its own port 80 that the
 * redirect takes like one from outside. Who asked for it does the rest; no byte is read here.
 */

/*
 * Connects over `family` to the first address of this host that a validator could use, or to the
 * loopback address. Fills in out->family, address and port; *out_fd is a non-blocking, connecting
 * socket, or -1 with out->family 0 when there is no such address.
 */
int probe_connect(int *out_fd, struct control_socket *out, struct redirect *redirect,
                  const struct config *config, int family, bool loopback, struct error *error);

/* The same to one address, as text; out->family is 0 when it is none of this host's that a
 * validator could use. */
int probe_connect_at(int *out_fd, struct control_socket *out, struct redirect *redirect,
                     const struct config *config, const char *address, struct error *error);
