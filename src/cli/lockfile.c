// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/succession.h"

/* After that it is worth looking whether there is another keeper. */
#define MOMENT_MS 50

static int prepare_directory(const char *path, struct error *error)
{
    if (mkdir(path, 0755) == 0) {
        /* Whatever the umask. */
        if (chmod(path, 0755) < 0) {
            return error_set_errno(error, EX_CANTCREAT, "%s: cannot set its mode", path);
        }
    } else if (errno != EEXIST) {
        return error_set_errno(error, EX_CANTCREAT, "%s: cannot create the directory", path);
    }
    struct stat status;
    if (lstat(path, &status) < 0) {
        return error_set_errno(error, EX_CANTCREAT, "%s: cannot look at it", path);
    }
    if (!S_ISDIR(status.st_mode)) {
        return error_set(error, EX_CANTCREAT, "%s: not a directory", path);
    }
    if (status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return error_set(
            error, EX_NOPERM,
            "%s: must belong to root and be writable by nobody else; remove it or repair it", path);
    }
    return 0;
}

static int name_lock(struct lockfile *lock, const char *runtime_dir, struct error *error)
{
    struct stat netns;
    if (stat("/proc/self/ns/net", &netns) < 0) {
        return error_set_errno(error, EX_OSERR,
                               "/proc/self/ns/net: cannot tell the network namespace");
    }
    const int length = snprintf(lock->path, sizeof lock->path, "%s/keeper-%llu.lock", runtime_dir,
                                (unsigned long long)netns.st_ino);
    if (length < 0 || (size_t)length >= sizeof lock->path) {
        return error_set(error, EX_CANTCREAT, "%s: the path is too long", runtime_dir);
    }
    return 0;
}

int lockfile_init(struct lockfile *lock, const char *runtime_dir, struct error *error)
{
    lock->fd = -1;
    if (prepare_directory(runtime_dir, error) < 0) {
        return -1;
    }
    return name_lock(lock, runtime_dir, error);
}

void lockfile_deinit(struct lockfile *lock)
{
    if (lock->fd >= 0) {
        close(lock->fd);
    }
    lock->fd = -1;
}

static bool is_current(const struct lockfile *lock)
{
    struct stat opened;
    struct stat named;
    return fstat(lock->fd, &opened) == 0 && lstat(lock->path, &named) == 0 &&
           opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

int lockfile_try(struct lockfile *lock, bool *held, struct error *error)
{
    *held = false;
    for (;;) {
        if (lock->fd >= 0 && !is_current(lock)) {
            lockfile_deinit(lock);
        }
        if (lock->fd < 0) {
            lock->fd = open(lock->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        }
        if (lock->fd < 0) {
            return error_set_errno(error, EX_CANTCREAT, "%s: cannot create", lock->path);
        }
        if (flock(lock->fd, LOCK_EX | LOCK_NB) < 0) {
            if (errno == EINTR) {
                continue;
            }
            if (errno != EWOULDBLOCK) {
                return error_set_errno(error, EX_CANTCREAT, "%s: cannot lock", lock->path);
            }
            return 0;
        }
        /* A leaving keeper may have unlinked it between open and flock. */
        if (is_current(lock)) {
            /* Nobody is to wait for one that was killed any more. */
            if (ftruncate(lock->fd, 0) < 0) {
                return error_set_errno(error, EX_IOERR, "%s: cannot write", lock->path);
            }
            *held = true;
            return 0;
        }
    }
}

int lockfile_succeed(struct lockfile *lock, pid_t holder, bool *held, bool *dying,
                     struct error *error)
{
    const enum succession succession = succession_wait(lock->fd, holder, MOMENT_MS);
    *held = false;
    *dying = succession == SUCCESSION_LATE;
    return succession == SUCCESSION_HELD ? lockfile_try(lock, held, error) : 0;
}

void lockfile_remove(struct lockfile *lock)
{
    if (lock->fd >= 0 && is_current(lock)) {
        unlink(lock->path);
    }
}

bool lockfile_read(const struct lockfile *lock, struct lockfile_content *out)
{
    char bytes[8192];
    const ssize_t length = pread(lock->fd, bytes, sizeof bytes, 0);
    return length > 0 && lockfile_parse(out, bytes, (size_t)length);
}

enum lockfile_holder lockfile_find_holder(const char *runtime_dir, struct lockfile_content *out)
{
    struct lockfile lock = {.fd = -1};
    *out = (struct lockfile_content){0};
    if (name_lock(&lock, runtime_dir, NULL) < 0) {
        return LOCKFILE_HIDDEN;
    }
    lock.fd = open(lock.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (lock.fd < 0) {
        return errno == ENOENT ? LOCKFILE_FREE : LOCKFILE_HIDDEN;
    }
    enum lockfile_holder holder = LOCKFILE_FREE;
    if (flock(lock.fd, LOCK_SH | LOCK_NB) < 0) {
        holder = LOCKFILE_HELD;
        if (!lockfile_read(&lock, out)) {
            *out = (struct lockfile_content){0};
        }
    }
    lockfile_deinit(&lock);
    return holder;
}

static bool copy_value(char *out, size_t capacity, const char *value, size_t length)
{
    if (length == 0 || length >= capacity || memchr(value, '\0', length) != NULL) {
        return false;
    }
    memcpy(out, value, length);
    out[length] = '\0';
    return true;
}

static bool parse_pid(pid_t *out, const char *value, size_t length)
{
    char digits[12];
    if (!copy_value(digits, sizeof digits, value, length) ||
        strspn(digits, "0123456789") != length) {
        return false;
    }
    const long pid = strtol(digits, NULL, 10);
    *out = (pid_t)pid;
    return pid > 0 && pid <= 0x3fffffff;
}

bool lockfile_parse(struct lockfile_content *out, const char *bytes, size_t length)
{
    *out = (struct lockfile_content){0};
    bool good = true;
    while (length > 0) {
        const char *end = memchr(bytes, '\n', length);
        if (end == NULL) {
            return false; /* half written */
        }
        const size_t line = (size_t)(end - bytes);
        if (line > 4 && memcmp(bytes, "pid ", 4) == 0) {
            good = good && parse_pid(&out->pid, bytes + 4, line - 4);
        } else if (line > 7 && memcmp(bytes, "socket ", 7) == 0) {
            good = good && copy_value(out->socket, sizeof out->socket, bytes + 7, line - 7);
        } else if (line > 7 && memcmp(bytes, "config ", 7) == 0) {
            good = good && copy_value(out->config, sizeof out->config, bytes + 7, line - 7);
        }
        bytes += line + 1;
        length -= line + 1;
    }
    return good && out->pid != 0 && out->socket[0] != '\0';
}
