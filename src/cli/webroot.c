// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/webroot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "wicket/challenge.h"
#include "wicket/config.h"

static int make_directory(const char *path, struct error *error)
{
    if (mkdir(path, 0755) == 0) {
        if (chmod(path, 0755) == 0) {
            return 0;
        }
        return error_set_errno(error, EX_CANTCREAT, "%s: cannot set the mode", path);
    }
    struct stat status;
    if (errno == EEXIST && stat(path, &status) == 0) {
        if (S_ISDIR(status.st_mode)) {
            return 0;
        }
        errno = ENOTDIR;
    }
    return error_set_errno(error, EX_CANTCREAT, "%s: cannot create the directory (tokens.webroot)",
                           path);
}

int webroot_create(const char *webroot, struct error *error)
{
    char path[CONFIG_PATH_MAX + sizeof CHALLENGE_PATH_PREFIX + 1];
    const int length = snprintf(path, sizeof path, "%s%s", webroot, CHALLENGE_PATH_PREFIX);
    if (length < 0 || (size_t)length >= sizeof path) {
        return error_set(error, EX_CANTCREAT, "%s: the path is too long", webroot);
    }
    /* Each slash but the first ends the name of a directory; so does the last. */
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        const int result = make_directory(path, error);
        *slash = '/';
        if (result < 0) {
            return -1;
        }
    }
    return 0;
}
