// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/program.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "build.h"

/* 1: `path` is written to `out` and is good; 0: there is no such program; -1: refused. */
static int program_try(char *out, size_t capacity, const char *directory, const char *name,
                       bool must_be_roots, struct error *error)
{
    int length = snprintf(out, capacity, "%s/%s", directory, name);
    if (length < 0 || (size_t)length >= capacity)
        return error_set(error, EX_UNAVAILABLE, "%s/%s: the path is too long", directory, name);

    struct stat status;
    if (stat(out, &status) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return 0;
        return error_set_errno(error, EX_UNAVAILABLE, "%s", out);
    }
    if (!S_ISREG(status.st_mode) || (status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
        return error_set(error, EX_UNAVAILABLE, "%s: not an executable file", out);
    if (must_be_roots && (status.st_uid != 0 || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0))
        return error_set(
            error, EX_NOPERM,
            "%s: not started as root, since others than root may change it: make it root's, with "
            "mode 0755",
            out);
    return 1;
}

static bool is_installed(const char *directory)
{
    return strcmp(directory, WICKET_BINDIR) == 0 || strcmp(directory, WICKET_LIBEXECDIR) == 0;
}

int program_find_from(char *out, size_t capacity, const char *directory, uid_t uid,
                      const char *name, struct error *error)
{
    bool root = uid == 0;
    if (is_installed(directory)) {
        int found = program_try(out, capacity, WICKET_LIBEXECDIR, name, root, error);
        if (found == 0)
            return error_set(error, EX_UNAVAILABLE, "%s is missing: it belongs in %s", name,
                             WICKET_LIBEXECDIR);
        return found < 0 ? -1 : 0;
    }

    int found = program_try(out, capacity, directory, name, false, error);
    if (found != 0)
        return found < 0 ? -1 : 0;

    char libexec[PATH_MAX];
    const char *slash = strrchr(directory, '/');
    int parent_length = slash ? (int)(slash - directory) : 0;
    int length = snprintf(libexec, sizeof(libexec), "%.*s/libexec", parent_length, directory);
    if (length < 0 || (size_t)length >= sizeof(libexec))
        return error_set(error, EX_UNAVAILABLE, "%s: the path is too long", directory);
    found = program_try(out, capacity, libexec, name, root, error);
    if (found == 0)
        return error_set(error, EX_UNAVAILABLE, "%s is missing: looked in %s and %s", name,
                         directory, libexec);
    return found < 0 ? -1 : 0;
}

int program_find(char *out, size_t capacity, const char *name, struct error *error)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (length < 0)
        return error_set_errno(error, EX_UNAVAILABLE, "/proc/self/exe");
    self[length] = '\0';
    /* Only the directory counts, so that " (deleted)" behind the name (an upgrade) does no harm. */
    char *slash = strrchr(self, '/');
    if (!slash)
        return error_set(error, EX_UNAVAILABLE, "/proc/self/exe names no absolute path");
    *slash = '\0';
    return program_find_from(out, capacity, self, geteuid(), name, error);
}
