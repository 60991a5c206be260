// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/webroot_chain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "keeper/webroot_file.h"
#include "keeper/webroot_mount.h"

/* Of the two below the webroot. */
enum { INNER = 2 };

void webroot_chain_init(struct webroot_chain *chain, int inotify, const char *webroot)
{
    *chain = (struct webroot_chain){.inotify = inotify};
    memcpy(chain->text, webroot, strlen(webroot));
    chain->names[chain->count++] = "/";
    for (char *slash = strchr(chain->text, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        chain->names[chain->count++] = slash + 1;
    }
    chain->names[chain->count++] = ".well-known";
    chain->names[chain->count++] = "acme-challenge";
}

static bool is_inner(const struct webroot_chain *chain, size_t level)
{
    return level + INNER >= chain->count;
}

static int open_level(const struct webroot_chain *chain, size_t level, int parent)
{
    return webroot_open(parent, chain->names[level], O_PATH | O_DIRECTORY | O_CLOEXEC,
                        is_inner(chain, level) ? WEBROOT_RESOLVE : 0);
}

/* Through the descriptor, so that what is watched is what was opened. -1: it may not be watched;
 * the ones above and below still tell most of what happens to it. */
static int add_watch(const struct webroot_chain *chain, size_t level, int fd)
{
    bool last = level + 1 == chain->count;
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return inotify_add_watch(chain->inotify, path,
                             IN_MASK_ADD | IN_ONLYDIR |
                                 (last ? WEBROOT_CHALLENGE_EVENTS : WEBROOT_PARENT_EVENTS));
}

static bool is_watched(const struct webroot_chain *chain, int watch)
{
    for (size_t i = 0; i < chain->depth; i++)
        if (chain->watches[i] == watch)
            return true;
    return false;
}

static int refuse_level(const struct webroot_chain *chain, size_t level, struct error *error)
{
    const char *name = chain->names[level];

    switch (errno) {
    case ENOENT:
        return 1;
    case ELOOP:
    case ENOTDIR:
        return error_set(error, EX_OSFILE, "%s is no directory, or a link, which is not followed",
                         name);
    case EXDEV:
        return error_set(error, EX_OSFILE,
                         "%s is on another file system: mount that at tokens.webroot instead",
                         name);
    default:
        return error_set_errno(error, EX_OSFILE, "%s cannot be entered", name);
    }
}

/* Fills in `walked` down to where the way ends. Returns the descriptor of the last directory, or
 * -1 with *result as webroot_chain_walk returns it. */
static int go(struct webroot_chain *walked, int *result, struct error *error)
{
    int parent = AT_FDCWD;

    for (size_t level = 0; level < walked->count; level++) {
        int fd = open_level(walked, level, parent);
        if (fd < 0)
            *result = refuse_level(walked, level, error);
        if (parent >= 0)
            close(parent);
        if (fd < 0)
            return -1;
        if (!is_inner(walked, level) && webroot_mount_check(fd, error) < 0) {
            error_prefix(error, "%s", walked->names[level]);
            close(fd);
            *result = -1;
            return -1;
        }
        /* Before the next one is looked for: what happens to it from now on is told. */
        walked->watches[level] = add_watch(walked, level, fd);
        walked->depth = level + 1;
        parent = fd;
    }
    if (walked->watches[walked->count - 1] < 0) {
        error_set_errno(error, EX_OSERR, "acme-challenge cannot be watched");
        walked->depth--;
        close(parent);
        *result = -1;
        return -1;
    }
    return parent;
}

int webroot_chain_walk(struct webroot_chain *chain, bool *changed, struct error *error)
{
    struct webroot_chain walked = *chain;
    struct stat status = {0};
    int result = 0;

    walked.depth = 0;
    int fd = go(&walked, &result, error);
    if (fd >= 0 && fstat(fd, &status) != 0)
        result = error_set_errno(error, EX_OSERR, "acme-challenge cannot be examined");
    if (fd >= 0)
        close(fd);
    walked.device = status.st_dev;
    walked.inode = status.st_ino;
    for (size_t i = 0; i < chain->depth; i++)
        if (chain->watches[i] >= 0 && !is_watched(&walked, chain->watches[i]))
            inotify_rm_watch(chain->inotify, chain->watches[i]);

    size_t last = chain->count - 1;
    bool was_there = chain->depth == chain->count;
    *changed = was_there != (walked.depth == walked.count) ||
               (was_there && (walked.device != chain->device || walked.inode != chain->inode ||
                              walked.watches[last] != chain->watches[last]));
    /* The names point into the text of the struct they are in, which stays as it is. */
    memcpy(chain->watches, walked.watches, sizeof(chain->watches));
    chain->depth = walked.depth;
    chain->device = walked.device;
    chain->inode = walked.inode;
    return result;
}

int webroot_chain_open(const struct webroot_chain *chain)
{
    struct stat status;
    int parent = AT_FDCWD;
    int fd = -1;

    if (chain->depth != chain->count)
        return -1;
    for (size_t level = 0; level < chain->count; level++) {
        bool last = level + 1 == chain->count;
        fd = last ? webroot_open(parent, chain->names[level], O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                                 WEBROOT_RESOLVE)
                  : open_level(chain, level, parent);
        if (parent >= 0)
            close(parent);
        if (fd < 0)
            return -1;
        parent = fd;
    }
    if (fstat(fd, &status) == 0 && status.st_dev == chain->device && status.st_ino == chain->inode)
        return fd;
    close(fd);
    return -1;
}

enum webroot_deed webroot_chain_judge(const struct webroot_chain *chain,
                                      const struct inotify_event *event)
{
    const char *name = event->len > 0 ? event->name : NULL;
    enum webroot_deed deed = WEBROOT_PASS_OVER;

    if ((event->mask & IN_Q_OVERFLOW) != 0)
        return WEBROOT_RESCAN;
    for (size_t i = 0; i + 1 < chain->count && i < chain->depth; i++)
        if (chain->watches[i] == event->wd &&
            webroot_judge_parent(event->mask, name, chain->names[i + 1]) == WEBROOT_WALK)
            deed = WEBROOT_WALK;
    if (deed == WEBROOT_PASS_OVER && chain->depth == chain->count &&
        chain->watches[chain->count - 1] == event->wd)
        deed = webroot_judge_challenge(event->mask, name);
    return deed;
}
