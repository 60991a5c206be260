// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/root.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "build.h"

#define ROOT_PATH WICKET_RUNTIME_DIR "/empty"

bool root_is_given(void)
{
    struct stat status;

    return lstat(ROOT_PATH, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == 0;
}

int root_open(int *out_fd, enum privileges_mode mode, struct error *error)
{
    if (mode == PRIVILEGES_SIDECAR) {
        *out_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return *out_fd < 0 ? error_set_errno(error, EX_OSFILE, "cannot open /dev/null") : 0;
    }

    if (geteuid() == 0 && mkdir(ROOT_PATH, 0555) != 0 && errno != EEXIST)
        return error_set_errno(error, EX_CANTCREAT, "cannot create %s", ROOT_PATH);
    int fd = open(ROOT_PATH, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(error, EX_CANTCREAT, "cannot open %s", ROOT_PATH);
    *out_fd = fd;
    return 0;
}

void root_remove(enum privileges_mode mode)
{
    if (mode == PRIVILEGES_FULL && geteuid() == 0)
        rmdir(ROOT_PATH);
}
