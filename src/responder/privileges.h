// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include "wicket/error.h"
#include "wicket/link.h"

/*
 * The way down, taken once, before the first byte from the network. Every step is fatal, and at
 * the end it is tried whether there is a way back.
 *
 * Full mode: the root directory becomes the empty directory on LINK_FD_ROOT, the account
 * setup->uid and setup->gid with no supplementary group, no capability in any set. Sidecar mode:
 * no capability, same account, same root. Both: no_new_privs, not dumpable, no core, and killed
 * with the parent.
 *
 * `parent` is getppid() of the start of the program. LINK_FD_ROOT is closed.
 */
int privileges_drop(const struct link_setup *setup, pid_t parent, struct error *error);
