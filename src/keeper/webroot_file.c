// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/webroot_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include "keeper/webroot_judge.h"

int webroot_open(int directory, const char *name, int flags, uint64_t resolve)
{
    const struct open_how how = {.flags = (unsigned int)flags, .resolve = resolve};

    return (int)syscall(SYS_openat2, directory, name, &how, sizeof(how));
}

static int check_status(const struct stat *status, struct error *error)
{
    if (S_ISLNK(status->st_mode))
        return error_set(error, EX_DATAERR, "it is a symbolic link");
    if (!S_ISREG(status->st_mode))
        return error_set(error, EX_DATAERR, "it is no regular file");
    if (status->st_nlink != 1)
        return error_set(error, EX_DATAERR, "it has more than one name (hard links)");
    if (status->st_size > WEBROOT_FILE_MAX)
        return error_set(error, EX_DATAERR, "it has more than %d bytes", WEBROOT_FILE_MAX);
    return 0;
}

static int refuse_open(uid_t owner, struct error *error)
{
    switch (errno) {
    case EACCES:
        return error_set(error, EX_NOPERM,
                         "it cannot be read; its owner (uid %u) has to let others read it: mode "
                         "0644",
                         (unsigned int)owner);
    case EAGAIN:
        return error_set(error, EX_TEMPFAIL,
                         "a program holds a lease on it; it is read when it is written or moved "
                         "again");
    default:
        return error_set_errno(error, EX_NOINPUT, "it cannot be opened");
    }
}

static uint64_t since_1970_ns(const struct timespec *time)
{
    /* A file may be said to be from before. */
    return time->tv_sec < 0 ? 0 : (uint64_t)time->tv_sec * 1000000000U + (uint64_t)time->tv_nsec;
}

static int take(struct webroot_file *out, int fd, const char *name, struct error *error)
{
    char bytes[WEBROOT_FILE_MAX + 1];
    struct stat status;

    if (fstat(fd, &status) != 0)
        return error_set_errno(error, EX_IOERR, "it cannot be examined");
    if (check_status(&status, error) < 0)
        return -1;
    /* A regular file gives all it has in one go. */
    ssize_t length = read(fd, bytes, sizeof(bytes));
    if (length < 0)
        return error_set_errno(error, EX_IOERR, "it cannot be read");
    out->uid = status.st_uid;
    out->inode = status.st_ino;
    out->changed_ns = since_1970_ns(&status.st_ctim);
    out->written_ns = since_1970_ns(&status.st_mtim);
    return webroot_judge_content(&out->challenge, name, bytes, (size_t)length, error);
}

enum webroot_outcome webroot_file_read(struct webroot_file *out, int directory, const char *name,
                                       struct error *error)
{
    struct stat status;

    /* What is no file is not even opened: that could wait, or do something. */
    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT)
            return WEBROOT_FILE_GONE;
        error_set_errno(error, EX_IOERR, "it cannot be examined");
        return WEBROOT_FILE_BAD;
    }
    if (check_status(&status, error) < 0)
        return WEBROOT_FILE_BAD;
    int fd =
        webroot_open(directory, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC,
                     WEBROOT_RESOLVE);
    if (fd < 0) {
        if (errno == ENOENT)
            return WEBROOT_FILE_GONE;
        refuse_open(status.st_uid, error);
        return WEBROOT_FILE_BAD;
    }
    int result = take(out, fd, name, error);
    close(fd);
    return result == 0 ? WEBROOT_FILE_GOOD : WEBROOT_FILE_BAD;
}
