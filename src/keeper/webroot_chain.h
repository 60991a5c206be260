// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/inotify.h>
#include <sys/types.h>

#include "keeper/webroot_judge.h"
#include "wicket/config.h"
#include "wicket/error.h"

/*
 * The way from the root directory to the one with the challenges. Every directory on it is watched
 * for the next one, so that any of them may vanish, be moved, be replaced and come back. The last
 * two, .well-known and acme-challenge, may be made by anybody who may write challenges: no link is
 * followed there and no other file system entered.
 *
 * No descriptor of a directory is kept: it would keep an administrator from unmounting.
 */
#define WEBROOT_CHAIN_MAX (CONFIG_PATH_MAX / 2 + 4)

struct webroot_chain {
    int inotify; /* borrowed */
    char text[CONFIG_PATH_MAX + 1];
    const char *names[WEBROOT_CHAIN_MAX]; /* of the directories, "/" first; in `text` */
    size_t count;
    int watches[WEBROOT_CHAIN_MAX]; /* of the first `depth`; -1: it may not be watched */
    size_t depth;                   /* how many of them are there; count: all */
    dev_t device;                   /* of the last one, when all are there */
    ino_t inode;
};

/* `webroot` is the configured path; nothing is watched yet. */
void webroot_chain_init(struct webroot_chain *chain, int inotify, const char *webroot);

/*
 * Goes the way again and watches what is there. Returns 0 when it led to the end, 1 when something
 * on it is missing, -1 when something is in the way, with the reason. *changed: the directory at
 * the end is not the one it was, or no longer there.
 */
int webroot_chain_walk(struct webroot_chain *chain, bool *changed, struct error *error);

/* The directory at the end, for use now; -1 when it is not there or not the one that is watched. */
int webroot_chain_open(const struct webroot_chain *chain);

enum webroot_deed webroot_chain_judge(const struct webroot_chain *chain,
                                      const struct inotify_event *event);
