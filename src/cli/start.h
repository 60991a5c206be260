// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdint.h>

#include "cli/connection.h"
#include "cli/settings.h"
#include "wicket/error.h"

/*
 * Connects to the keeper, and starts one if none runs and the caller is root: the one way for
 * every command that needs a keeper. 69 when none runs and none may be started.
 */
int start_connect(struct connection *out, const struct settings *settings, struct error *error);

/* The same with everything named, and no look at who asks. */
struct start_place {
    const char *runtime_dir;
    const char *keeper; /* the program; NULL: program_find("wicket-keeper") */
};
int start_connect_at(struct connection *out, const struct settings *settings,
                     const struct start_place *place, uint64_t deadline_ms, struct error *error);
