// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>

#include "keeper/address.h"
#include "wicket/config.h"

/* Who came through the window, and where to. */
struct pass_visitor {
    union address from, to; /* of one family; `to` is where the visitor meant to connect to */
    bool port_is_taken;     /* a socket of this host is that very connection: no other can be of the
                               same addresses and ports */
};

/*
 * Read from the accepted socket alone, whoever handed it over. It has to be a TCP connection to the
 * responder's port that the kernel says was redirected from redirect.port; or one to redirect.port
 * itself, of a transparent socket, which only tproxy makes of what comes there. Whichever it is, it
 * may be older than the configuration. Returns 0 or an errno; EPROTO: it is neither.
 */
int pass_visitor_read(struct pass_visitor *out, int fd, const struct config *config);
