// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>

#include "cli/commands.h"
#include "wicket/config.h"
#include "wicket/error.h"

/* The configuration as this call of wicket sees it. */
struct settings {
    struct config config; /* config.path is absolute */
    bool given;           /* named by -c or WICKET_CONFIG: the keeper must use the same file */
};

#define SETTINGS_VARIABLE "WICKET_CONFIG"

/* Makes out->given and `path` (of the size of config.path) from the call: which file it is. */
int settings_find(struct settings *out, char *path, const struct invocation *invocation,
                  struct error *error);

/* Reads the file of -c, else of WICKET_CONFIG, else the default, which may be absent. Every line
 * that is wrong goes to the log; the error then has no text of its own. */
int settings_load(struct settings *out, const struct invocation *invocation, struct error *error);

/* The same for what only ends or shows something, which needs no more of it than the socket: a file
 * that is wrong gives a warning and the socket of this network namespace's keeper, else the
 * default. */
int settings_load_for_socket(struct settings *out, const struct invocation *invocation,
                             struct error *error);
void settings_deinit(struct settings *settings);

/* Whether two paths name one file; equal paths do, also when there is no file. */
bool settings_same_file(const char *one, const char *other);

/* The value of `name`, or NULL when it is not set. */
const char *environment_get(char *const *environment, const char *name);
