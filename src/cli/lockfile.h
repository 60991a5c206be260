// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "wicket/config.h"
#include "wicket/error.h"

/*
 * The lock file of the keeper of one network namespace: RUNTIME_DIR/keeper-INODE.lock. Whoever
 * holds its flock(2) is the keeper or starts one; the lock is handed to the keeper with the
 * descriptor. A keeper that listens writes who it is into the file, and unlinks it under the lock
 * when it leaves.
 */
struct lockfile {
    char path[CONFIG_PATH_MAX + 64];
    int fd; /* -1: closed. Kept open while waiting: closing it would wake every watch on it */
};

struct lockfile_content {
    pid_t pid; /* 0: unknown */
    char socket[CONFIG_PATH_MAX + 1];
    char config[4096];
};

/* Names the file and makes `runtime_dir` if it is missing; refuses one that others may write. */
int lockfile_init(struct lockfile *lock, const char *runtime_dir, struct error *error);
void lockfile_deinit(struct lockfile *lock);

/* *held is true when the lock was got, and the file is still the one of that path. */
int lockfile_try(struct lockfile *lock, bool *held, struct error *error);

/* The same, once a keeper that has died is gone with its responder: waits for that for a moment,
 * after which *dying says that it is not. Neither: the holder lives. */
int lockfile_succeed(struct lockfile *lock, pid_t holder, bool *held, bool *dying,
                     struct error *error);

/* Unlinks the file if it is still the locked one; only while the lock is held. */
void lockfile_remove(struct lockfile *lock);

/* What the keeper that holds it has written: false, when it has not (yet). */
bool lockfile_read(const struct lockfile *lock, struct lockfile_content *out);

/* Who holds the lock of this network namespace, without taking it or making anything. */
enum lockfile_holder {
    LOCKFILE_FREE,   /* nobody */
    LOCKFILE_HELD,   /* `out` says who, or has pid 0 */
    LOCKFILE_HIDDEN, /* there is a lock that this user may not look into */
};
enum lockfile_holder lockfile_find_holder(const char *runtime_dir, struct lockfile_content *out);

/* The lines "pid N", "socket PATH", "config PATH"; false unless there are a pid and a socket. */
bool lockfile_parse(struct lockfile_content *out, const char *bytes, size_t length);
