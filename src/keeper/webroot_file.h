// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <linux/openat2.h>
#include <stdint.h>
#include <sys/types.h>

#include "wicket/challenge.h"
#include "wicket/error.h"

/* A challenge file as it was read. */
struct webroot_file {
    struct challenge challenge;
    uid_t uid; /* its owner */
    ino_t inode;
    /* Since 1970. The first tells one state of it from another, the second how old it is. */
    uint64_t changed_ns; /* its change of status, which nobody can set */
    uint64_t written_ns; /* its last change of content; the owner may set it, or write it again */
};

enum webroot_outcome {
    WEBROOT_FILE_GOOD,
    WEBROOT_FILE_GONE, /* nothing is there */
    WEBROOT_FILE_BAD,  /* the error says why */
};

/*
 * Reads the file `name` of the directory and checks it. It is a regular file with one name, below
 * the directory and on its file system; nothing is waited for, and no link is followed.
 */
enum webroot_outcome webroot_file_read(struct webroot_file *out, int directory, const char *name,
                                       struct error *error);

/* Below the webroot others may write: straight down, no links, no other file system. */
#define WEBROOT_RESOLVE \
    (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV)

/* As openat2(2) with these flags. */
int webroot_open(int directory, const char *name, int flags, uint64_t resolve);
