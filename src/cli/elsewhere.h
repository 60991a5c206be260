// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/settings.h"
#include "wicket/error.h"

/*
 * Nobody answered at the control socket: is there a keeper all the same, at another socket, or one
 * that is starting or leaving? The lock of this network namespace knows. -1 with 78 or 75 and what
 * is known of it. 0: there is none, or (*known false) it is not for this user to see.
 */
int elsewhere_check(const char *runtime_dir, const struct settings *settings, bool *known,
                    struct error *error);
