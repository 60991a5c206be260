// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "keeper/account.h"
#include "wicket/error.h"

/* The mode of what belongs to the group: its members cannot remove or replace each other's. */
enum { WEBROOT_SHARED = 03775 };

/*
 * Makes the directories of the webroot that are missing; those that are there stay as they are.
 * The webroot itself and what is below it belong to the group of the control socket, who may
 * write there as they may register tokens, with the mode above. Without such a group, and for what
 * is above the webroot: 0755. What cannot be given to the group is not made. Below the webroot no
 * link is followed and nothing that is there is changed, so that this may be done again whenever
 * there is a need, with whatever rights are left.
 */
int webroot_create_directories(const char *webroot, const struct account *account,
                               struct error *error);
