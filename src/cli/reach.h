// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cli/connection.h"
#include "cli/lockfile.h"
#include "cli/settings.h"
#include "wicket/error.h"

/*
 * The keeper for what only ends or shows something. Such a call must reach a keeper that has lost
 * its socket to a change of the configuration, and must not say that nothing is open while one
 * runs: the lock of this network namespace knows.
 */

enum reach {
    REACH_READY,   /* connected */
    REACH_NOBODY,  /* there is no keeper */
    REACH_UNKNOWN, /* nobody answers, and the lock is not for this user to see */
};

/* For a keeper that is leaving, before it is an error that it neither answers nor is gone. */
#define REACH_PATIENCE_MS 5000

/*
 * -1 with 75: a keeper runs but does not answer for `patience_ms`; 78: one runs with another
 * configuration; or what connection_find() says. settings->config.control.socket becomes the
 * keeper's, with a warning, when only that was changed since it started.
 */
int reach_keeper(struct connection *out, struct settings *settings, const char *runtime_dir,
                 uint64_t patience_ms, enum reach *reached, struct error *error);

/* 78: the holder of the lock listens at another socket than ours. */
int reach_refuse_other(const struct lockfile_content *holder, const struct settings *settings,
                       struct error *error);
