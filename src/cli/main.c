// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/commands.h"
#include "wicket/log.h"

/* A descriptor of 0 to 2 that the caller closed would be taken by the next thing that is opened.
 * Each is opened the wrong way round, so that using it fails as it would have. */
static void occupy_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd) {
            abort();
        }
    }
}

int main(int argc, char **argv)
{
    occupy_standard_descriptors();
    /* Ignored by the caller, it would be ignored here too, and children lost. */
    signal(SIGCHLD, SIG_DFL);
    log_init(STDERR_FILENO, "wicket", 0);
    return command_main(argc, argv, environ);
}
