// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/start.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/program.h"
#include "build.h"
#include "cli/deadline.h"
#include "cli/lockfile.h"
#include "cli/places.h"
#include "cli/reach.h"
#include "cli/spawn.h"
#include "cli/watch.h"

/*
 * The lock decides between two that start at once: who has it starts the keeper and hands the
 * lock over, the others wait for what it does to the file system and connect. A lock that is held
 * means that a keeper is starting, is leaving, or serves another socket.
 */

/* A keeper that is gone again before it greets us is started so many times in all. */
#define STARTS_MAX 3

struct start {
    const struct settings *settings;
    const struct start_place *place;
    uint64_t deadline_ms;
    struct lockfile lock;
    struct watch watch;
    int starts;
};

static int check_holder(struct start *start, bool *held, bool *dying, struct error *error)
{
    struct lockfile_content content;
    *dying = false;
    if (!lockfile_read(&start->lock, &content)) {
        return 0;
    }
    if (lockfile_succeed(&start->lock, content.pid, held, dying, error) < 0) {
        return -1;
    }
    if (!*held && !*dying && strcmp(content.socket, start->settings->config.control.socket) != 0) {
        return reach_refuse_other(&content, start->settings, error);
    }
    return 0;
}

static int start_keeper(struct start *start, struct error *error)
{
    char found[PATH_MAX];
    const char *keeper = start->place->keeper;
    if (keeper == NULL) {
        if (program_find(found, sizeof found, "wicket-keeper", error) < 0) {
            return -1;
        }
        keeper = found;
    }
    if (start->starts++ == STARTS_MAX) {
        return error_set(error, EX_UNAVAILABLE,
                         "the keeper leaves as soon as it has started; see " CLI_LOG_PLACES);
    }
    const int result = spawn_keeper(keeper, start->settings->config.path, start->lock.fd,
                                    start->deadline_ms, error);
    if (result < 0 && error->exit_code != EX_TEMPFAIL) {
        lockfile_remove(&start->lock); /* the keeper is dead, and its half of the lock with it */
    }
    /* Our half: the lock is the keeper's alone from here. */
    lockfile_deinit(&start->lock);
    return result;
}

/* Nobody listens: start a keeper, or wait for somebody else's. */
static int provide_keeper(struct start *start, struct error *error)
{
    bool held;
    bool dying = false;
    if (lockfile_try(&start->lock, &held, error) < 0) {
        return -1;
    }
    if (!held && check_holder(start, &held, &dying, error) < 0) {
        return -1;
    }
    if (held) {
        return start_keeper(start, error);
    }
    return dying ? 0 : watch_wait(&start->watch, start->deadline_ms, error);
}

static int connect_loop(struct start *start, struct connection *out, struct error *error)
{
    for (;;) {
        enum connection_state state;
        if (connection_attempt(out, start->settings, start->deadline_ms, &state, error) < 0) {
            return -1;
        }
        if (state == CONNECTION_READY) {
            return 0;
        }
        if (deadline_left(start->deadline_ms) == 0) {
            return error_set(error, EX_TEMPFAIL,
                             "%s: a keeper is starting or leaving there, and takes too long; "
                             "see " CLI_LOG_PLACES,
                             start->settings->config.control.socket);
        }
        const int result = state == CONNECTION_LEAVING
                               ? watch_wait_hung_up(&start->watch, start->deadline_ms, error)
                               : provide_keeper(start, error);
        if (result < 0) {
            return -1;
        }
    }
}

int start_connect_at(struct connection *out, const struct settings *settings,
                     const struct start_place *place, uint64_t deadline_ms, struct error *error)
{
    struct start start = {.settings = settings, .place = place, .deadline_ms = deadline_ms};
    if (lockfile_init(&start.lock, place->runtime_dir, error) < 0) {
        return -1;
    }
    watch_init(&start.watch, settings->config.control.socket, start.lock.path);
    const int result = connect_loop(&start, out, error);
    watch_deinit(&start.watch);
    lockfile_deinit(&start.lock);
    return result;
}

int start_connect(struct connection *out, const struct settings *settings, struct error *error)
{
    const uint64_t deadline_ms = deadline_in(CONNECTION_ESTABLISH_MS);
    bool running;
    if (connection_find(out, settings, deadline_ms, &running, error) < 0) {
        return -1;
    }
    if (running) {
        return 0;
    }
    if (geteuid() != 0) {
        return error_set(
            error, EX_UNAVAILABLE,
            "no keeper runs at %s; start one as root: wicket serve, or enable wicket.socket",
            settings->config.control.socket);
    }
    const struct start_place place = {WICKET_RUNTIME_DIR, NULL};
    return start_connect_at(out, settings, &place, deadline_ms, error);
}
