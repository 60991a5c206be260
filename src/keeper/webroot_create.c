// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/webroot_create.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "keeper/webroot_file.h"
#include "keeper/webroot_mount.h"
#include "wicket/config.h"

static int fail(const char *webroot, const char *name, struct error *error)
{
    if (errno == ELOOP || errno == ENOTDIR)
        return error_set(error, EX_CANTCREAT,
                         "%s: %s on the way is no directory, or a link, which is not followed "
                         "(tokens.webroot)",
                         webroot, name);
    return error_set_errno(error, EX_CANTCREAT, "%s: cannot create %s on the way (tokens.webroot)",
                           webroot, name);
}

static bool is_shared(const struct stat *status, const struct account *account)
{
    return status->st_gid == account->control_gid && (status->st_mode & 07777) == WEBROOT_SHARED;
}

/* What was just made, in a directory only we may write to. In the group for as long as that takes,
 * which stands in for CAP_CHOWN and CAP_FSETID where those were given up. */
static bool give(int fd, const struct account *account)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return false;
    if (status.st_uid != geteuid()) {
        errno = EPERM;
        return false;
    }
    int before = setfsgid(account->control_gid);
    bool given =
        fchown(fd, (uid_t)-1, account->control_gid) == 0 && fchmod(fd, WEBROOT_SHARED) == 0;
    int reason = errno;
    setfsgid((gid_t)before);
    errno = reason;
    if (!given || fstat(fd, &status) != 0)
        return false;
    errno = EPERM; /* the kernel leaves out bits one may not set, and says nothing */
    return is_shared(&status, account);
}

static int make_directory(int parent, const char *name, mode_t mode)
{
    mode_t mask = umask(0);
    int result = mkdirat(parent, name, mode);
    int reason = errno;

    umask(mask);
    errno = reason;
    return result;
}

/* 0, or -1 with errno: EEXIST when it is there, made by whomever. */
static int make(int parent, const char *name, const struct account *account)
{
    struct stat above;

    if (account == NULL || !account->has_control_group)
        return make_directory(parent, name, 0755);
    if (fstat(parent, &above) != 0)
        return -1;
    /* It has the group and the bit of the one above, and the mode from its first moment on:
     * others may write there, so that what has this name in the next moment may be another. */
    if (above.st_gid == account->control_gid && (above.st_mode & S_ISGID) != 0)
        return make_directory(parent, name, WEBROOT_SHARED & 01777);
    /* Nobody gets in before it is given away. */
    if (make_directory(parent, name, 0700) != 0)
        return -1;
    int fd = webroot_open(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, WEBROOT_RESOLVE);
    bool given = fd >= 0 && give(fd, account);
    int reason = errno;
    if (fd >= 0)
        close(fd);
    if (!given)
        unlinkat(parent, name, AT_REMOVEDIR); /* for one who may give it away */
    errno = reason;
    return given ? 0 : -1;
}

/* The descriptor of the directory, made if it is missing; -1 with errno. `account`: to whose group
 * a new one is given; NULL: to nobody's. */
static int open_made(int parent, const char *name, bool inner, const struct account *account)
{
    const uint64_t resolve = inner ? WEBROOT_RESOLVE : 0;
    const int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;

    /* First, since mkdir of what is there fails with EROFS on a read-only file system. */
    int fd = webroot_open(parent, name, flags, resolve);
    if (fd >= 0 || errno != ENOENT)
        return fd;
    if (make(parent, name, account) != 0 && errno != EEXIST)
        return -1;
    return webroot_open(parent, name, flags, resolve);
}

/* As open_made(), for which the parent is on a file system that answers. */
static int make_checked(const char *webroot, int parent, const char *name, bool inner,
                        const struct account *account, struct error *error)
{
    if (webroot_mount_check(parent, error) < 0)
        return error_prefix(error, "%s: cannot create %s on the way (tokens.webroot)", webroot,
                            name);
    int fd = open_made(parent, name, inner, account);
    return fd < 0 ? fail(webroot, name, error) : fd;
}

int webroot_create_directories(const char *webroot, const struct account *account,
                               struct error *error)
{
    char path[CONFIG_PATH_MAX + sizeof(CHALLENGE_PATH_PREFIX)];
    size_t webroot_length = strlen(webroot);

    int parent = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    snprintf(path, sizeof(path), "%s%s", webroot, CHALLENGE_PATH_PREFIX);
    /* Each slash but the first ends a name; so does the last. */
    for (char *name = path + 1; parent >= 0 && *name != '\0';) {
        char *end = strchr(name, '/');
        size_t length = (size_t)(end - path);
        *end = '\0';
        int fd = make_checked(webroot, parent, name, length > webroot_length,
                              length >= webroot_length ? account : NULL, error);
        close(parent);
        parent = fd;
        name = end + 1;
    }
    if (parent < 0)
        return -1;
    close(parent);
    return 0;
}
