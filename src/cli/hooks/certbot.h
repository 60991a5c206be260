// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>

#include "wicket/challenge.h"
#include "wicket/error.h"

/* What certbot's manual plugin says in the environment (certbot's
 * _internal/plugins/manual.py, _perform_achall_with_script and cleanup). */
struct certbot_call {
    const char *domain; /* or an IP address */
    struct challenge challenge;
    const char *auth_output; /* CERTBOT_AUTH_OUTPUT; NULL when it is not set */
};

/* 64 when a variable is missing, 65 when one is wrong. `out` points into the environment. */
int certbot_read_environment(struct certbot_call *out, char *const *environment,
                             struct error *error);

enum certbot_phase {
    CERTBOT_AUTH,
    CERTBOT_CLEANUP,
    CERTBOT_EITHER, /* CERTBOT_AUTH_OUTPUT is set, but not by this challenge's auth */
};

/* Of a call without a word. */
enum certbot_phase certbot_guess_phase(const struct certbot_call *call);
