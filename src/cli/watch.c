// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/deadline.h"

#define PATIENCE_FIRST_MS 10
#define PATIENCE_MAX_MS   1000

static int watch_directory_of(int fd, const char *file, struct error *error)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(file, '/');
    const size_t length = slash == NULL ? 0 : (size_t)(slash - file);
    if (length >= sizeof directory) {
        return error_set(error, EX_CONFIG, "%s: the path is too long", file);
    }
    snprintf(directory, sizeof directory, "%.*s", (int)length, file);
    if (inotify_add_watch(fd,
                          slash == NULL ? "."
                          : length == 0 ? "/"
                                        : directory,
                          IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_CLOSE_WRITE | IN_MODIFY |
                              IN_ATTRIB | IN_DELETE_SELF | IN_ONLYDIR) < 0 &&
        errno != ENOENT && errno != EACCES) {
        return error_set_errno(error, EX_OSERR, "%s: cannot watch its directory", file);
    }
    return 0;
}

void watch_init(struct watch *watch, const char *socket, const char *lock)
{
    *watch =
        (struct watch){.socket = socket, .lock = lock, .fd = -1, .patience_ms = PATIENCE_FIRST_MS};
}

void watch_deinit(struct watch *watch)
{
    if (watch->fd >= 0) {
        close(watch->fd);
    }
    watch->fd = -1;
}

static int watch_begin(struct watch *watch, struct error *error)
{
    watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch->fd < 0) {
        return error_set_errno(error, EX_OSERR, "cannot wait for the keeper");
    }
    if (watch_directory_of(watch->fd, watch->socket, error) < 0 ||
        (watch->lock != NULL && watch_directory_of(watch->fd, watch->lock, error) < 0)) {
        watch_deinit(watch);
        return -1;
    }
    return 0;
}

int watch_wait(struct watch *watch, uint64_t deadline_ms, struct error *error)
{
    if (watch->fd < 0) {
        return watch_begin(watch, error);
    }
    struct pollfd poll_fd = {.fd = watch->fd, .events = POLLIN};
    if (poll(&poll_fd, 1, deadline_left(deadline_ms)) > 0) {
        char events[4096];
        while (read(watch->fd, events, sizeof events) > 0) {
        }
    }
    return 0;
}

int watch_wait_hung_up(struct watch *watch, uint64_t deadline_ms, struct error *error)
{
    if (watch->fd < 0) {
        return watch_begin(watch, error);
    }
    const uint64_t own = deadline_in((uint64_t)watch->patience_ms);
    if (watch->patience_ms < PATIENCE_MAX_MS) {
        watch->patience_ms *= 2;
    }
    return watch_wait(watch, own < deadline_ms ? own : deadline_ms, error);
}
