// SPDX-License-Identifier: GPL-2.0-or-later
#include "ledger/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sysexits.h>
#include <unistd.h>

/* Others may rename the file between our opening and our locking it; not so often. */
enum { TRIES = 16 };

void ledger_file_directory(char out[PATH_MAX], const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL || slash == path ? 1 : (size_t)(slash - path);

    snprintf(out, PATH_MAX, "%.*s", (int)length, slash == NULL ? "." : path);
}

/* No link on the way: whoever may change one there would choose the file. */
static int open_directory(const char *path)
{
    const struct open_how how = {
        .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
        .resolve = RESOLVE_NO_SYMLINKS,
    };

    return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

static int refuse_directory(const char *path, struct error *error)
{
    switch (errno) {
    case ELOOP:
        return error_set(error, EX_NOPERM,
                         "%s: a symbolic link is on the way, which is not followed; name the "
                         "directory that it leads to (ledger.file)",
                         path);
    case ENOENT:
        return error_set(error, EX_CANTCREAT,
                         "%s: there is no such directory; make it, or name another (ledger.file)",
                         path);
    default:
        return error_set_errno(error, EX_CANTCREAT, "%s (ledger.file)", path);
    }
}

int ledger_file_init(struct ledger_file *file, const char *path, uint64_t size_max, uid_t *owner,
                     struct error *error)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    char directory[PATH_MAX];
    struct stat status;

    *file = (struct ledger_file){.directory = -1, .fd = -1, .lock = -1, .size_max = size_max};
    snprintf(file->path, sizeof(file->path), "%s", path);
    if (strlen(name) + sizeof(".lock") > sizeof(file->lock_name))
        return error_set(error, EX_CANTCREAT, "%s: the name is too long (ledger.file)", path);
    snprintf(file->name, sizeof(file->name), "%s", name);
    snprintf(file->old_name, sizeof(file->old_name), "%s.1", name);
    snprintf(file->lock_name, sizeof(file->lock_name), "%s.lock", name);
    ledger_file_directory(directory, path);

    file->directory = open_directory(directory);
    if (file->directory < 0 && errno == ENOENT && mkdir(directory, 0755) == 0)
        file->directory = open_directory(directory);
    if (file->directory < 0)
        return refuse_directory(directory, error);
    if (fstat(file->directory, &status) != 0)
        return error_set_errno(error, EX_IOERR, "%s", directory);
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return error_set(error, EX_NOPERM,
                         "%s: others than its owner may write there, and so could replace the "
                         "ledger; make it mode 0755, or name another (ledger.file)",
                         directory);
    *owner = status.st_uid;
    return 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void ledger_file_deinit(struct ledger_file *file)
{
    close_fd(&file->fd);
    close_fd(&file->lock);
    close_fd(&file->directory);
}

static int check_kind(const struct ledger_file *file, const struct stat *status, const char *suffix,
                      struct error *error)
{
    if (!S_ISREG(status->st_mode))
        return error_set(error, EX_CANTCREAT, "%s%s is no regular file; move it away", file->path,
                         suffix);
    if (status->st_nlink > 1)
        return error_set(error, EX_NOPERM, "%s%s has another name too (a hard link); move it away",
                         file->path, suffix);
    if (status->st_uid != geteuid() && status->st_uid != 0)
        return error_set(error, EX_NOPERM,
                         "%s%s belongs to uid %u, and neither to root nor to whoever writes it; "
                         "move it away",
                         file->path, suffix, (unsigned int)status->st_uid);
    return 0;
}

/* One of the two, which is made when it is not there; `suffix` is what its name has more than the
 * ledger's. */
static int open_one(const struct ledger_file *file, const char *suffix, mode_t mode,
                    struct error *error)
{
    const char *name = suffix[0] == '\0' ? file->name : file->lock_name;
    struct stat status;

    int fd =
        openat(file->directory, name,
               O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, mode);
    if (fd < 0 && errno == ELOOP)
        return error_set(error, EX_NOPERM,
                         "%s%s is a symbolic link, which is not followed; remove it", file->path,
                         suffix);
    if (fd < 0)
        return error_set_errno(error, errno == EACCES ? EX_NOPERM : EX_CANTCREAT, "%s%s",
                               file->path, suffix);
    if (fstat(fd, &status) != 0)
        error_set_errno(error, EX_IOERR, "%s%s", file->path, suffix);
    else if (check_kind(file, &status, suffix, error) == 0)
        return fd;
    close(fd);
    return -1;
}

static int open_lock(struct ledger_file *file, struct error *error)
{
    struct stat status;

    file->lock = open_one(file, ".lock", 0600, error);
    if (file->lock < 0)
        return -1;
    if (fstat(file->lock, &status) == 0 && (status.st_mode & (S_IRWXG | S_IRWXO)) == 0)
        return 0;
    close_fd(&file->lock);
    return error_set(error, EX_NOPERM,
                     "%s.lock may be opened by others, who could hold the lock; remove it",
                     file->path);
}

/* Whether what we have open still bears the name. */
static bool is_named(const struct ledger_file *file, const char *name, const struct stat *status)
{
    struct stat named;

    return fstatat(file->directory, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           named.st_dev == status->st_dev && named.st_ino == status->st_ino;
}

static int lock(struct ledger_file *file, struct error *error)
{
    struct stat status;

    for (unsigned int i = 0; i < TRIES; i++) {
        if (file->lock < 0 && open_lock(file, error) < 0)
            return -1;
        while (flock(file->lock, LOCK_EX) != 0) {
            if (errno != EINTR)
                return error_set_errno(error, EX_IOERR, "%s.lock: cannot lock it", file->path);
        }
        if (fstat(file->lock, &status) == 0 && is_named(file, file->lock_name, &status))
            return 0;
        /* Somebody has removed it: others take another. */
        close_fd(&file->lock);
    }
    return error_set(error, EX_TEMPFAIL, "%s.lock is removed again and again", file->path);
}

static void unlock(const struct ledger_file *file)
{
    if (file->lock >= 0)
        flock(file->lock, LOCK_UN);
}

static int rotate(struct ledger_file *file, struct error *error)
{
    if (renameat(file->directory, file->name, file->directory, file->old_name) != 0)
        return error_set_errno(error, EX_CANTCREAT, "%s is full, and cannot become %s", file->path,
                               file->old_name);
    return 0;
}

/* The file that bears the name, with room for so much more; *status is how it is. With the lock. */
static int take(struct ledger_file *file, size_t length, struct stat *status, struct error *error)
{
    for (unsigned int i = 0; i < TRIES; i++) {
        if (file->fd < 0 && (file->fd = open_one(file, "", 0640, error)) < 0)
            return -1;
        if (fstat(file->fd, status) != 0)
            return error_set_errno(error, EX_IOERR, "%s", file->path);
        if (is_named(file, file->name, status)) {
            if (status->st_size == 0 || (uint64_t)status->st_size + length <= file->size_max)
                return 0;
            if (rotate(file, error) < 0)
                return -1;
        }
        close_fd(&file->fd);
    }
    return error_set(error, EX_TEMPFAIL, "%s is renamed again and again", file->path);
}

static int write_lines(const struct ledger_file *file, const char *lines, size_t length,
                       const struct stat *status, struct error *error)
{
    char last = '\n';

    if (status->st_size > 0 && pread(file->fd, &last, 1, status->st_size - 1) != 1)
        return error_set_errno(error, EX_IOERR, "%s: cannot read its end", file->path);
    const struct iovec parts[] = {
        {.iov_base = (char *)"\n", .iov_len = last == '\n' ? 0 : 1},
        {.iov_base = (char *)(uintptr_t)lines, .iov_len = length},
    };
    const size_t whole = parts[0].iov_len + length;
    ssize_t written = writev(file->fd, parts, 2);
    if (written == (ssize_t)whole)
        return 0;
    if (written >= 0)
        errno = ENOSPC; /* which the next write would have said */
    error_set_errno(error, EX_IOERR, "%s", file->path);
    /* Where that fails too, the next append ends what is left. */
    if (written > 0 && ftruncate(file->fd, status->st_size) != 0)
        error_prefix(error, "a part of a line is left");
    return -1;
}

int ledger_file_append(struct ledger_file *file, const char *lines, size_t length,
                       struct error *error)
{
    struct stat status;
    int outcome = lock(file, error);

    if (outcome == 0)
        outcome = take(file, length + 1, &status, error);
    if (outcome == 0)
        outcome = write_lines(file, lines, length, &status, error);
    unlock(file);
    /* Opened anew, by the name: an administrator may have mended what was wrong. */
    if (outcome != 0)
        close_fd(&file->fd);
    return outcome;
}

bool ledger_file_has_room(const struct ledger_file *file)
{
    struct statfs status;

    return fstatfs(file->fd, &status) != 0 ||
           (uint64_t)status.f_bavail * (uint64_t)status.f_bsize >= LEDGER_FILE_ROOM;
}
