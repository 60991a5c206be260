// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "keeper/account.h"
#include "wicket/error.h"

/*
 * Makes the directories of the webroot that are missing; those that are there stay as they are.
 * The webroot itself and what is below it belong to the group of the control socket, who may
 * write there as they may register tokens: mode 2775. Without such a group, or where giving it
 * away is not allowed, and for what is above: 0755.
 */
int webroot_create_directories(const char *webroot, const struct account *account,
                               struct error *error);
