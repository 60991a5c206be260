// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log_limit.h"
#include "keeper/event.h"
#include "keeper/webroot_chain.h"
#include "keeper/webroot_file.h"
#include "wicket/error.h"

/*
 * The watcher of the webroot: tells its owner of challenge files that appear below
 * WEBROOT/.well-known/acme-challenge and of those that vanish, as they are written, moved and
 * removed, or with the directories they are in. It knows nothing of windows.
 *
 * The kernel tells of files by inotify, and of mounts through /proc/self/mountinfo. A round of
 * events never means more than WEBROOT_ROUND files; a whole directory is looked through in as many
 * rounds as that takes, an eventfd asking for the next one, with everybody else's events between.
 */
#define WEBROOT_ROUND 64

/* Of what is refused, so many lines are written in so long a time; the rest is counted. */
#define WEBROOT_LOG_LINES 10
#define WEBROOT_LOG_MS    5000

#define WEBROOT_NOT_WALKED 2

struct webroot_handlers {
    /* A good file; told again when it was written again. -1 with the reason: it is no token, and
     * one that began with an earlier state of it has been told to vanish. `age_ms`: how long ago
     * it was last written, whatever else happened to it since. */
    int (*appeared)(void *owner, const struct webroot_file *file, uint64_t age_ms,
                    struct error *error);
    /* Once for every name that appeared. */
    void (*vanished)(void *owner, const char *name);
};

struct webroot_entry; /* a file that is a token */

struct webroot {
    int epoll_fd; /* borrowed */
    const struct webroot_handlers *handlers;
    void *owner;
    char path[CONFIG_PATH_MAX + 1];

    struct event_source inotify, mounts, more;
    struct webroot_chain chain;
    bool walk_owed; /* a directory on the way may be another */
    int result;     /* of the last walk, as it was told; or WEBROOT_NOT_WALKED */
    char trouble[sizeof(((struct error *)NULL)->text)];

    struct webroot_entry *entries; /* by name */
    uint64_t generation;           /* of the scan; entries it did not meet are gone */
    DIR *scan;                     /* NULL: none is under way */
    bool scan_owed;

    unsigned int lines; /* refusals written since `lines_from_ms` */
    uint64_t lines_from_ms;
    uint64_t unwritten;         /* refusals counted */
    struct log_limit log_limit; /* of what becomes of good files, for the owner */
};

/* Nothing is open: deinit is fine, and so is everything else that follows. */
void webroot_init(struct webroot *webroot);
/* Begins to watch, whether the directories are there or not; the files that are there are told in
 * the rounds that follow. */
int webroot_start(struct webroot *webroot, int epoll_fd, const char *path,
                  const struct webroot_handlers *handlers, void *owner, struct error *error);
/* Tells nobody anything. */
void webroot_deinit(struct webroot *webroot);

/* The token of this name ended for a reason of its own: its file is none until written again. */
void webroot_forget(struct webroot *webroot, const char *name);

/* Says how much was refused without a word, when it is time to. */
void webroot_tick(struct webroot *webroot, uint64_t now_ms);
uint64_t webroot_next_ms(const struct webroot *webroot); /* UINT64_MAX: no time */
