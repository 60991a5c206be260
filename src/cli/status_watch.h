// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/settings.h"
#include "wicket/error.h"

/*
 * Shows the status until it is told to stop, asking anew every second. On a terminal the screen is
 * drawn again each time; elsewhere a line is written when something has changed. SIGINT, SIGTERM
 * and SIGHUP end it, and so does nobody being left to read: all of them are 0.
 *
 * Each look is a connection of its own, so that a keeper that was started on demand is not kept
 * from leaving.
 */
int status_watch(struct settings *settings, struct error *error);
