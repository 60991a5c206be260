// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/webroot_create.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "keeper/webroot_file.h"
#include "keeper/webroot_mount.h"
#include "wicket/config.h"

static int fail(const char *webroot, const char *name, struct error *error)
{
    return error_set_errno(error, EX_CANTCREAT, "%s: cannot create %s on the way (tokens.webroot)",
                           webroot, name);
}

/* What was just made, unless somebody who may write here put something else in its place. */
static bool give(int fd, const struct account *account)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return false;
    if (status.st_uid != geteuid()) {
        errno = EPERM;
        return false;
    }
    bool shared = account != NULL && account->has_control_group &&
                  fchown(fd, (uid_t)-1, account->control_gid) == 0;
    return fchmod(fd, shared ? 02775 : 0755) == 0;
}

/* The descriptor of the directory, made if it is missing; -1 with errno. `account`: to whose group
 * a new one is given; NULL: to nobody's. */
static int make(int parent, const char *name, bool inner, const struct account *account)
{
    /* Nobody gets in before it is given away. */
    if (mkdirat(parent, name, 0700) != 0)
        return errno == EEXIST ? webroot_open(parent, name, O_PATH | O_DIRECTORY | O_CLOEXEC,
                                              inner ? WEBROOT_RESOLVE : 0)
                               : -1;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || give(fd, account))
        return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

/* As make(), for which the parent is on a file system that answers. */
static int make_checked(const char *webroot, int parent, const char *name, bool inner,
                        const struct account *account, struct error *error)
{
    if (webroot_mount_check(parent, error) < 0)
        return error_prefix(error, "%s: cannot create %s on the way (tokens.webroot)", webroot,
                            name);
    int fd = make(parent, name, inner, account);
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
