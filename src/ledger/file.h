// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "wicket/error.h"

/*
 * The ledger's file. Keepers of several network namespaces may append to the same one: each append
 * is one write(2) to the file that bears the name at that moment. When it would grow over its size
 * it is renamed, with ".1" behind its name, in place of the one before. They take turns by a lock
 * (flock(2)) of a file of its own, with ".lock" behind the name, which only its owner may open:
 * whoever may read the ledger could hold a lock of that.
 *
 * No link is followed, on the way to it or in its place, and it is a regular file of one name and
 * of this user's or root's; the directory is one that only its owner may write to.
 */
struct ledger_file {
    int directory;
    int fd;   /* the file, or -1: to be opened at the next append */
    int lock; /* the same of the lock */
    uint64_t size_max;
    char name[NAME_MAX + 1];
    char old_name[NAME_MAX + 1];
    char lock_name[NAME_MAX + 1];
    char path[PATH_MAX]; /* for errors */
};

/* Opens the directory of `path`, and makes it when that alone is missing. *owner is whose it is. */
int ledger_file_init(struct ledger_file *file, const char *path, uint64_t size_max, uid_t *owner,
                     struct error *error);
void ledger_file_deinit(struct ledger_file *file);
/* The directory's path, for fences. */
void ledger_file_directory(char out[PATH_MAX], const char *path);

/*
 * Appends lines, each with its newline, all of them or none. What the last one before left of a
 * line (a crash, a full disk) is ended first, so that nothing is glued to it. 73, 74, 77 with the
 * reason; the next append tries anew.
 */
int ledger_file_append(struct ledger_file *file, const char *lines, size_t length,
                       struct error *error);

#define LEDGER_FILE_ROOM 65536
/* Whether its file system has room for a while, as far as that can be known. */
bool ledger_file_has_room(const struct ledger_file *file);
