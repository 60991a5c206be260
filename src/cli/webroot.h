// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "wicket/error.h"

/* Makes the directory and .well-known/acme-challenge in it, parents included, 0755 whatever the
 * umask. What is there already stays as it is. 73 names what cannot be made. */
int webroot_create(const char *webroot, struct error *error);
