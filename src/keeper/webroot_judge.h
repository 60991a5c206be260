// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wicket/challenge.h"
#include "wicket/error.h"

/*
 * What the webroot's watcher makes of what it meets: pure, no file is touched here.
 */

/* The size of a challenge file, at most. */
#define WEBROOT_FILE_MAX 512

/* What the kernel is asked to tell of the directory with the challenges, and of those above it. */
#define WEBROOT_CHALLENGE_EVENTS                                                             \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | \
     IN_MOVE_SELF)
#define WEBROOT_PARENT_EVENTS                                                           \
    (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | \
     IN_MOVE_SELF)

enum webroot_deed {
    WEBROOT_PASS_OVER,
    WEBROOT_READ,   /* the file is complete */
    WEBROOT_RETRY,  /* it may have become readable: read it if it is no token, and say nothing */
    WEBROOT_VANISH, /* the file is gone from under this name */
    WEBROOT_WALK,   /* a directory on the way may have become another */
    WEBROOT_RESCAN, /* events were lost */
};

/* Of the directory with the challenges. `name` is NULL when the event is about itself. */
enum webroot_deed webroot_judge_challenge(uint32_t mask, const char *name);
/* Of one above it, whose entry `child` is the next one on the way. */
enum webroot_deed webroot_judge_parent(uint32_t mask, const char *name, const char *child);

/* Whether a file of this name may be a token at all; `*silent`: there is nothing to say about one
 * that is not. */
bool webroot_judge_name(const char *name, bool *silent);

/* 65 with what is wrong, which shows nothing of the bytes. One newline at the end is fine. */
int webroot_judge_content(struct challenge *out, const char *name, const char *bytes, size_t length,
                          struct error *error);

/* How long a file that was last written at `written_ms` is still a token; 0: no longer. Both
 * times are of one clock, which may have been set meanwhile. */
uint64_t webroot_judge_age(uint64_t now_ms, uint64_t written_ms, uint64_t lifetime_ms);
