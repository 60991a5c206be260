// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "wicket/error.h"

/*
 * On which file system a directory is, found out without asking that file system: one whose server
 * does not answer, or whose server is a hostile user's process (FUSE), would hang the keeper in
 * fstatfs(2) as well as in anything else.
 */

/* Whether a type of /proc/self/mountinfo (proc(5)) keeps its files on this host. */
bool webroot_mount_is_local(const char *type);

/* The type of the mount `id` in a text like /proc/self/mountinfo; false when it is not there, or
 * does not fit. */
bool webroot_mount_find(char *out, size_t capacity, const char *mountinfo, int id);

/* Whether the directory behind `fd`, which may be O_PATH, is on a local file system: 0, or -1 with
 * the reason. */
int webroot_mount_check(int fd, struct error *error);
