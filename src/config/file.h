// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "wicket/config.h"

#define CONFIG_FILE_MAX 65536

struct file {
    char path[sizeof(((struct config *)0)->path)]; // absolute, set in every case
    bool exists;
    unsigned char *bytes; // the caller's to free
    size_t length;        // CONFIG_FILE_MAX + 1: there is more
};

/*
 * Reads a regular file, symbolic links followed. One that is absent is no failure. The error, 77
 * or 78, is the reason without the path. Nothing else than a regular file is waited for.
 */
int file_read(struct file *file, const char *path, struct error *error);
