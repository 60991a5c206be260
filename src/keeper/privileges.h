// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>

#include "wicket/error.h"

/* What this process may do decides the mode; see wicket(1). */
enum privileges_mode {
    /* All that a separate account for the responder takes: root, or an account of the keeper's own
     * with these capabilities, for which root has made the responder's root directory. */
    PRIVILEGES_FULL,
    PRIVILEGES_SIDECAR, /* CAP_NET_ADMIN, and the responder under the same uid */
};

/* 77 without CAP_NET_ADMIN. */
int privileges_detect(enum privileges_mode *out, struct error *error);

/* Keeps what arming the redirect and restarting the responder take, and gives up the rest, the
 * bounding set included, for good. */
int privileges_reduce(enum privileges_mode mode, struct error *error);

/* In the child that becomes the responder, between fork and exec: NET_ADMIN and KILL go. False
 * with errno. */
bool privileges_for_responder(enum privileges_mode mode);
