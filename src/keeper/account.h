// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "wicket/config.h"
#include "wicket/error.h"

/* The accounts the configuration names, as numbers. Looked up once, before privileges are given
 * up. */
struct account {
    uid_t responder_uid; /* never 0 */
    gid_t responder_gid;
    bool has_control_group;
    gid_t control_gid; /* when has_control_group; else the socket is for its owner only */
};

/* 78 when a name that was written into the configuration does not exist; a missing default falls
 * back, to nobody and to no group. */
int account_resolve(struct account *out, const struct config *config, struct error *error);
