// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/sources.h"

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

void keeper_sources_init(struct keeper_sources *sources)
{
    *sources = (struct keeper_sources){.inotify = {.fd = -1}, .directory = -1};
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

    if (event->mask & (IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF))
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

        if (event->mask & IN_IGNORED) {
            if (event->wd == keeper->sources.directory)
                keeper->sources.directory = -1;
        } else if (event->wd == keeper->sources.directory && concerns(keeper, event)) {
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

int keeper_sources_watch(struct keeper *keeper, struct error *error)
{
    struct keeper_sources *sources = &keeper->sources;
    const char *path = keeper->config->redirect.sources_file;
    char directory[sizeof(keeper->config->redirect.sources_file)];

    /* Once, before the fences: they know no inotify_init1(2). */
    if (start(keeper, error) < 0)
        return -1;
    int before = sources->directory;
    sources->directory = -1;
    if (path[0] != '\0') {
        snprintf(directory, sizeof(directory), "%.*s", (int)(base_name(path) - 1 - path), path);
        sources->directory =
            inotify_add_watch(sources->inotify.fd, directory[0] == '\0' ? "/" : directory, EVENTS);
        if (sources->directory < 0)
            log_warn("cannot watch the directory of %s: after a change, SIGHUP makes the keeper "
                     "read it",
                     path);
    }
    if (before >= 0 && before != sources->directory)
        inotify_rm_watch(sources->inotify.fd, before);
    return 0;
}

void keeper_sources_deinit(struct keeper *keeper)
{
    event_close(keeper->epoll_fd, &keeper->sources.inotify);
}

void keeper_sources_tick(struct keeper *keeper)
{
    if (!keeper->sources.changed)
        return;
    keeper->sources.changed = false;
    reload_sources(keeper);
}
