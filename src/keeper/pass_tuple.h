// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>

#include "keeper/pass_visitor.h"

/*
 * Whether a visitor has a connection to this host already with a port that is not the one it came
 * with: a first packet that looks like that connection's would end in it, and then end it. The
 * kernel knows (sock_diag(7)). Production elsewhere has its sockets elsewhere; there connection
 * tracking keeps them apart.
 */

/* Close-on-exec; -1 where the kernel does not tell (no CONFIG_INET_DIAG), for pass_tuple_exists. */
int pass_tuple_open(void);

/* `here` is the address that the visitor came to, with the redirected port; `visitor` its own, with
 * the port to be. False also when it cannot be known. */
bool pass_tuple_exists(int fd, const union address *here, const union address *visitor);
