// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/sources.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "keeper/keeper.h"
#include "keeper/reload.h"
#include "wicket/log.h"

/* When it is complete, or gone; links are complete when they are made. */
#define EVENTS                                                                          \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB | \
     IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

enum { SOURCES_WATCH_MS = 1000 }; /* until a directory that was not there is looked for again */

void keeper_sources_init(struct keeper_sources *sources)
{
    *sources =
        (struct keeper_sources){.inotify = {.fd = -1}, .directory = -1, .watch_at_ms = UINT64_MAX};
}

static const char *base_name(const char *path)
{
    return strrchr(path, '/') + 1; /* it is absolute */
}

static bool is_link(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 && S_ISLNK(status.st_mode);
}

/* What a link leads to may be exchanged under another name, in the same directory. */
static bool concerns(const struct keeper *keeper, const struct inotify_event *event)
{
    const char *path = keeper->config->redirect.sources_file;
    bool ours = event->len > 0 && strcmp(event->name, base_name(path)) == 0;

    if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF))
        return true;
    if ((event->mask & IN_CREATE) && ours)
        return is_link(path);
    return ours || is_link(path);
}

static void inotify_ready(void *owner, uint32_t events)
{
    struct keeper *keeper = owner;
    _Alignas(struct inotify_event) char bytes[4096];
    ssize_t length = read(keeper->sources.inotify.fd, bytes, sizeof(bytes));

    (void)events;
    for (ssize_t at = 0; at < length;) {
        const struct inotify_event *event = (const void *)(bytes + at);

        if (event->mask & IN_Q_OVERFLOW) { /* of no watch: what was lost may be ours */
            keeper->sources.changed = true;
            keeper->sources.watch_at_ms = 0;
        } else if (event->wd == keeper->sources.directory) {
            /* What has the directory's name now, or will have it, is another one. */
            if (event->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF))
                keeper->sources.watch_at_ms = 0;
            if (event->mask & IN_IGNORED)
                keeper->sources.directory = -1;
            else if (concerns(keeper, event))
                keeper->sources.changed = true;
        }
        at += (ssize_t)(sizeof(*event) + event->len);
    }
}

static int start(struct keeper *keeper, struct error *error)
{
    struct keeper_sources *sources = &keeper->sources;

    if (sources->inotify.fd >= 0)
        return 0;
    sources->inotify =
        (struct event_source){inotify_init1(IN_CLOEXEC | IN_NONBLOCK), inotify_ready, keeper};
    if (sources->inotify.fd < 0 || !event_add(keeper->epoll_fd, &sources->inotify, EPOLLIN))
        return error_set_errno(error, EX_OSERR, "cannot watch files of sources");
    return 0;
}

/* The directory that has the name now. False with errno: none that can be watched. */
static bool watch(struct keeper *keeper)
{
    struct keeper_sources *sources = &keeper->sources;
    const char *path = keeper->config->redirect.sources_file;
    char directory[sizeof(keeper->config->redirect.sources_file)];
    int before = sources->directory;

    sources->directory = -1;
    sources->watch_at_ms = UINT64_MAX;
    if (path[0] != '\0') {
        snprintf(directory, sizeof(directory), "%.*s", (int)(base_name(path) - 1 - path), path);
        sources->directory =
            inotify_add_watch(sources->inotify.fd, directory[0] == '\0' ? "/" : directory, EVENTS);
    }
    int reason = errno;
    if (before >= 0 && before != sources->directory)
        inotify_rm_watch(sources->inotify.fd, before);
    errno = reason;
    return path[0] == '\0' || sources->directory >= 0;
}

static void look(const struct keeper *keeper, struct stat *out)
{
    if (stat(keeper->config->redirect.sources_file, out) != 0)
        *out = (struct stat){0};
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

int keeper_sources_watch(struct keeper *keeper, struct error *error)
{
    /* Once, before the fences: they know no inotify_init1(2). */
    if (start(keeper, error) < 0)
        return -1;
    if (!watch(keeper)) {
        log_warn("cannot watch the directory of %s: until that works, SIGHUP makes the keeper "
                 "read it",
                 keeper->config->redirect.sources_file);
        keeper->sources.watch_at_ms = event_now_ms() + SOURCES_WATCH_MS;
    }
    look(keeper, &keeper->sources.seen);
    return 0;
}

void keeper_sources_deinit(struct keeper *keeper)
{
    event_close(keeper->epoll_fd, &keeper->sources.inotify);
}

void keeper_sources_compare(struct keeper *keeper)
{
    struct stat now;

    if (keeper->config->redirect.sources_file[0] == '\0')
        return;
    look(keeper, &now);
    if (is_same(&now, &keeper->sources.seen))
        return;
    keeper->sources.changed = true;
    keeper->sources.watch_at_ms = 0; /* a directory above it may be another one */
    keeper_sources_tick(keeper, event_now_ms());
}

uint64_t keeper_sources_next_ms(const struct keeper_sources *sources)
{
    return sources->watch_at_ms;
}

void keeper_sources_tick(struct keeper *keeper, uint64_t now_ms)
{
    struct keeper_sources *sources = &keeper->sources;

    if (now_ms >= sources->watch_at_ms) {
        if (watch(keeper))
            sources->changed = keeper->config->redirect.sources_file[0] != '\0';
        else
            sources->watch_at_ms = now_ms + SOURCES_WATCH_MS;
    }
    if (!sources->changed)
        return;
    sources->changed = false;
    look(keeper, &sources->seen); /* before it is read: what changes meanwhile is seen later */
    reload_sources(keeper);
}
