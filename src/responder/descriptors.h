// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "wicket/error.h"

/*
 * What the responder was started with (enum link_fd): it opens nothing itself, and what is not as
 * the keeper would have made it ends it before it has done anything.
 */

/* Whether LINK_FD_LINK is such a socket at all: if not, somebody started it by hand. */
bool descriptors_have_link(void);

/* The listening sockets, `count` from LINK_FD_LISTEN on; everything above them is closed. */
int descriptors_check(size_t count, struct error *error);
