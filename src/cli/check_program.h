// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands.h"
#include "wicket/error.h"

/* Becomes wicket-check, which knows the kernel's rules as wicket does not, with `option` (NULL:
 * none) and the operands of this call. Returns only with an error: 69, there is none. */
int check_program_execute(const struct invocation *invocation, const char *option,
                          struct error *error);
