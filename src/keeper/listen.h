// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>

#include "keeper/account.h"
#include "wicket/config.h"
#include "wicket/error.h"

/* The sockets others come in through; all of them close-on-exec and non-blocking. */

/*
 * The control socket, bound and listening, mode 0660 owner:group (0600 without a group). A stale
 * one is replaced, which is safe under the lock; one that is alive or somebody else's is an error.
 * 73, 77.
 */
int listen_control(int *out_fd, const struct config *config, const struct account *account,
                   struct error *error);
void listen_remove_control(const struct config *config);

/* One or two sockets on the responder's port: IPv4, and IPv6 where the host has it; transparent
 * where the method is tproxy. 73 when the port is taken. */
#define LISTEN_RESPONDER_MAX 2
/* Undoes what can be undone of what a responder did to one of them. False with errno: it does not
 * listen any more. */
bool listen_restore(int fd);
int listen_responder(int out_fds[LISTEN_RESPONDER_MAX], unsigned int *out_count,
                     const struct config *config, struct error *error);

/*
 * Whether they, and the connections to come, stand for whatever address and port of this host the
 * packets were sent to, which tproxy asks for. Connections that are there stay as they are. 71.
 */
int listen_set_transparent(const int *fds, unsigned int count, bool transparent,
                           struct error *error);
