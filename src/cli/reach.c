// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/reach.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cli/deadline.h"
#include "cli/watch.h"
#include "wicket/log.h"

int reach_refuse_other(const struct lockfile_content *holder, const struct settings *settings,
                       struct error *error)
{
    const struct config *config = &settings->config;
    if (settings_same_file(holder->config, config->path)) {
        return error_set(error, EX_CONFIG,
                         "restart the keeper (pid %d): control.socket was changed while it runs; "
                         "it is at %s, not at %s",
                         (int)holder->pid, holder->socket, config->control.socket);
    }
    return error_set(
        error, EX_CONFIG,
        "a keeper (pid %d) runs here already, at %s with %s; %s of %s is another: use -c %s, or "
        "stop that keeper",
        (int)holder->pid, holder->socket, holder->config, config->control.socket, config->path,
        holder->config);
}

/* The keeper of our file listens where that file said before. */
static bool follow(struct settings *settings, const struct lockfile_content *holder)
{
    char(*ours)[sizeof settings->config.control.socket] = &settings->config.control.socket;
    if (!settings_same_file(holder->config, settings->config.path) ||
        strlen(holder->socket) >= sizeof *ours) {
        return false;
    }
    log_warnx("control.socket was changed while the keeper (pid %d) runs; it is asked at %s",
              (int)holder->pid, holder->socket);
    snprintf(*ours, sizeof *ours, "%s", holder->socket);
    return true;
}

static int give_up(const struct lockfile_content *holder, const struct settings *settings,
                   struct error *error)
{
    const char *socket = settings->config.control.socket;
    if (holder->pid == 0) {
        return error_set(error, EX_TEMPFAIL, "%s: a keeper is starting there; try again", socket);
    }
    return error_set(error, EX_TEMPFAIL,
                     "a keeper (pid %d) runs but does not answer at %s: it is leaving, or that "
                     "socket was removed; stop it if it stays",
                     (int)holder->pid, socket);
}

/* One look. *again: a keeper is there, and nothing is decided. */
static int look(struct connection *out, struct settings *settings, const char *runtime_dir,
                enum reach *reached, struct lockfile_content *holder, bool *again,
                struct error *error)
{
    bool running;
    *again = false;
    if (connection_find(out, settings, deadline_in(CONNECTION_ESTABLISH_MS), &running, error) < 0) {
        return -1;
    }
    if (running) {
        *reached = REACH_READY;
        return 0;
    }
    switch (lockfile_find_holder(runtime_dir, holder)) {
    case LOCKFILE_FREE:
        *reached = REACH_NOBODY;
        return 0;
    case LOCKFILE_HIDDEN:
        *reached = REACH_UNKNOWN;
        return 0;
    case LOCKFILE_HELD:
        break;
    }
    *again = true;
    return 0;
}

static int look_until(struct connection *out, struct settings *settings, const char *runtime_dir,
                      struct watch *watch, uint64_t deadline_ms, enum reach *reached,
                      struct error *error)
{
    for (;;) {
        struct lockfile_content holder;
        bool again;
        if (look(out, settings, runtime_dir, reached, &holder, &again, error) < 0) {
            return -1;
        }
        if (!again) {
            return 0;
        }
        if (holder.pid != 0 && strcmp(holder.socket, settings->config.control.socket) != 0) {
            if (!follow(settings, &holder)) {
                return reach_refuse_other(&holder, settings, error);
            }
            continue;
        }
        if (deadline_left(deadline_ms) == 0) {
            return give_up(&holder, settings, error);
        }
        /* A lock is let go a moment after its file was closed, so waking once is not enough. */
        if (watch_wait_hung_up(watch, deadline_ms, error) < 0) {
            return -1;
        }
    }
}

int reach_keeper(struct connection *out, struct settings *settings, const char *runtime_dir,
                 uint64_t patience_ms, enum reach *reached, struct error *error)
{
    char lock[CONFIG_PATH_MAX + 64];
    snprintf(lock, sizeof lock, "%s/keeper", runtime_dir); /* for its directory alone */
    struct watch watch;
    watch_init(&watch, settings->config.control.socket, lock);
    const int result =
        look_until(out, settings, runtime_dir, &watch, deadline_in(patience_ms), reached, error);
    watch_deinit(&watch);
    return result;
}
