// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "keeper/event.h"
#include "wicket/error.h"

struct keeper;

/*
 * The file of redirect.sources_file, while the keeper runs: its directory is watched, since who
 * edits a file often puts another in its place. When it changes, it alone is read again, and not
 * the configuration that names it.
 */
struct keeper_sources {
    struct event_source inotify;
    int directory;        /* the watch of it, or -1 */
    uint64_t watch_at_ms; /* when it is watched anew, or UINT64_MAX */
    struct stat seen;     /* the file when it was read; all zero: none */
    bool changed;         /* since the last look */
    char refused[256];    /* what is wrong with the file that was to be read, or "" */
};

void keeper_sources_init(struct keeper_sources *sources);
/* Watches the file that the configuration names now, if any; after every reload too. A directory
 * that cannot be watched is a warning: SIGHUP reads the file too. */
int keeper_sources_watch(struct keeper *keeper, struct error *error);
void keeper_sources_deinit(struct keeper *keeper);

/* Reads it if it has changed, and watches the directory again that has been replaced. */
void keeper_sources_tick(struct keeper *keeper, uint64_t now_ms);
uint64_t keeper_sources_next_ms(const struct keeper_sources *sources);
/* Reads it if it is not the one that was read; with every opening of a window, since a directory
 * above its own may have been replaced, which nothing tells. */
void keeper_sources_compare(struct keeper *keeper);
