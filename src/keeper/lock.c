// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/succession.h"
#include "build.h"
#include "wicket/quote.h"

int lock_prepare_directory(struct error *error)
{
    struct stat status;

    if (mkdir(WICKET_RUNTIME_DIR, 0755) != 0 && errno != EEXIST)
        return error_set_errno(error, EX_CANTCREAT, "cannot create %s", WICKET_RUNTIME_DIR);
    if (lstat(WICKET_RUNTIME_DIR, &status) != 0)
        return error_set_errno(error, EX_CANTCREAT, "cannot examine %s", WICKET_RUNTIME_DIR);
    if (!S_ISDIR(status.st_mode))
        return error_set(error, EX_CANTCREAT, "%s is not a directory; remove it",
                         WICKET_RUNTIME_DIR);
    if ((status.st_uid != 0 && status.st_uid != geteuid()) || (status.st_mode & 022) != 0)
        return error_set(
            error, EX_NOPERM,
            "%s can be written by others than its owner, or belongs to uid %u; mend or remove it",
            WICKET_RUNTIME_DIR, (unsigned int)status.st_uid);
    return 0;
}

static int make_path(struct lock *lock, struct error *error)
{
    struct stat status;

    if (stat("/proc/self/ns/net", &status) != 0)
        return error_set_errno(error, EX_OSERR,
                               "cannot tell the network namespace from /proc/self/ns/net");
    snprintf(lock->path, sizeof(lock->path), "%s/keeper-%llu.lock", WICKET_RUNTIME_DIR,
             (unsigned long long)status.st_ino);
    return 0;
}

/* How the holder begins to describe itself; 0: it has not done so yet. */
static pid_t read_holder(int fd, char *text, size_t size)
{
    ssize_t length = pread(fd, text, size - 1, 0);

    text[length > 0 ? length : 0] = '\0';
    return strncmp(text, "pid ", 4) == 0 && strstr(text, "\nsocket ") != NULL
               ? (pid_t)strtol(text + 4, NULL, 10)
               : 0;
}

/* Written by another keeper, but quoted all the same. */
static int error_held(const struct lock *lock, pid_t pid, const char *text, struct error *error)
{
    const char *socket = strstr(text, "\nsocket ");

    if (pid == 0 || socket == NULL)
        return error_set(error, EX_CANTCREAT,
                         "another keeper is starting in this network namespace: it holds %s",
                         lock->path);
    socket += strlen("\nsocket ");
    return error_set(
        error, EX_CANTCREAT,
        "another keeper runs in this network namespace: process %ld, control socket %s; stop it "
        "first",
        (long)pid, QUOTE(socket, strcspn(socket, "\n")));
}

/* A leaving keeper unlinks the file under its lock: what we hold must still have the name. */
static bool still_named(const struct lock *lock, int fd)
{
    struct stat ours, named;

    return fstat(fd, &ours) == 0 && lstat(lock->path, &named) == 0 && ours.st_dev == named.st_dev &&
           ours.st_ino == named.st_ino;
}

/* More than a responder takes that the kernel kills. */
#define RESPONDER_DIES_MS 2000

static int acquire(const struct lock *lock, int fd, struct error *error)
{
    char text[600];

    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno != EWOULDBLOCK)
        return error_set_errno(error, EX_OSERR, "cannot lock %s", lock->path);
    pid_t holder = read_holder(fd, text, sizeof(text));
    if (holder > 0 && succession_wait(fd, holder, RESPONDER_DIES_MS) == SUCCESSION_HELD)
        return 0;
    holder = read_holder(fd, text, sizeof(text)); /* perhaps another has been faster */
    return error_held(lock, holder, text, error);
}

int lock_take(struct lock *out, struct error *error)
{
    out->fd = -1;
    if (make_path(out, error) < 0)
        return -1;

    for (;;) {
        int fd = open(out->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return error_set_errno(error, EX_CANTCREAT, "cannot open the lock %s", out->path);
        if (acquire(out, fd, error) < 0) {
            close(fd);
            return -1;
        }
        if (!still_named(out, fd)) {
            close(fd);
            continue;
        }
        /* Nobody is to wait for one that was killed any more. */
        if (ftruncate(fd, 0) != 0) {
            error_set_errno(error, EX_IOERR, "cannot write %s", out->path);
            close(fd);
            return -1;
        }
        out->fd = fd;
        return 0;
    }
}

int lock_adopt(struct lock *out, int fd, struct error *error)
{
    out->fd = -1;
    if (make_path(out, error) < 0)
        return -1;
    /* On the holder's own open file description flock(2) succeeds again. */
    if (!still_named(out, fd) || flock(fd, LOCK_EX | LOCK_NB) != 0)
        return error_set(
            error, EX_SOFTWARE,
            "descriptor %d does not hold the lock %s; --on-demand is for wicket itself", fd,
            out->path);
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return error_set_errno(error, EX_OSERR, "cannot set up the lock %s", out->path);
    out->fd = fd;
    return 0;
}

int lock_describe(struct lock *lock, const char *socket, const char *config, struct error *error)
{
    /* Whoever reads it would take what follows for another line. */
    if (strchr(socket, '\n') != NULL || strchr(config, '\n') != NULL)
        return error_set(error, EX_CONFIG, "%s: a newline in this path, or in control.socket",
                         config);
    if (ftruncate(lock->fd, 0) != 0 ||
        dprintf(lock->fd, "pid %ld\nsocket %s\nconfig %s\n", (long)getpid(), socket, config) < 0)
        return error_set_errno(error, EX_IOERR, "cannot write %s", lock->path);
    return 0;
}

void lock_release(struct lock *lock)
{
    if (lock->fd < 0)
        return;
    if (still_named(lock, lock->fd))
        unlink(lock->path);
    close(lock->fd);
    lock->fd = -1;
}
