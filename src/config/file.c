// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* Joined without a look at the file system, for a directory that is not there. */
static void path_join(char *out, size_t capacity, const char *path)
{
    char directory[PATH_MAX] = "";
    bool relative = path[0] != '/';
    if (relative && !getcwd(directory, sizeof(directory)))
        directory[0] = '\0';
    if (snprintf(out, capacity, "%s%s%s", directory, relative ? "/" : "", path) >= (int)capacity)
        out[capacity - 1] = '\0';
}

/*
 * One name for one file, whatever it was called by, since keeper and client compare names. A file
 * that is absent has the name it would have.
 */
static void path_canonicalise(char *out, size_t capacity, const char *path)
{
    char resolved[PATH_MAX];
    char directory[PATH_MAX];
    path_join(out, capacity, path);
    if (realpath(out, resolved)) {
        snprintf(out, capacity, "%s", resolved);
        return;
    }
    const char *slash = strrchr(out, '/');
    if (!slash || slash == out)
        return;
    snprintf(directory, sizeof(directory), "%.*s", (int)(slash - out), out);
    if (!realpath(directory, resolved))
        return;
    snprintf(directory, sizeof(directory), "%s", slash + 1);
    if (snprintf(out, capacity, "%s/%s", strcmp(resolved, "/") == 0 ? "" : resolved, directory) >=
        (int)capacity)
        out[capacity - 1] = '\0';
}

static int exit_code_of(int number)
{
    return number == EACCES || number == EPERM ? EX_NOPERM : EX_CONFIG;
}

static int read_whole(struct file *file, int fd, struct error *error)
{
    size_t capacity = CONFIG_FILE_MAX + 1;
    unsigned char *bytes = malloc(capacity);
    if (!bytes)
        return error_set(error, EX_CONFIG, "not enough memory");

    size_t length = 0;
    while (length < capacity) {
        ssize_t got = read(fd, bytes + length, capacity - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            error_set(error, exit_code_of(errno), "%s", strerror(errno));
            free(bytes);
            return -1;
        }
        if (got == 0)
            break;
        length += (size_t)got;
    }
    file->bytes = bytes;
    file->length = length;
    file->exists = true;
    return 0;
}

int file_read(struct file *file, const char *path, struct error *error)
{
    *file = (struct file){0};
    path_canonicalise(file->path, sizeof(file->path), path);

    /* O_NONBLOCK: a FIFO without a writer is not waited for. */
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return error_set(error, exit_code_of(errno), "%s", strerror(errno));

    struct stat status;
    int result = -1;
    if (fstat(fd, &status) != 0)
        error_set(error, EX_CONFIG, "%s", strerror(errno));
    else if (!S_ISREG(status.st_mode))
        error_set(error, EX_CONFIG, "not a regular file");
    else
        result = read_whole(file, fd, error);
    close(fd);
    return result;
}
