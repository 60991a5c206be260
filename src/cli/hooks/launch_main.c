// SPDX-License-Identifier: GPL-2.0-or-later
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/hooks/launch.h"
#include "wicket/log.h"

/* LAUNCH_CLIENT is the client whose hook this is; what the file or a link to it is called does not
 * matter. */
int main(int argc, char **argv)
{
    log_init(STDERR_FILENO, "wicket", 0);
    char self[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash = length < 0 ? NULL : memrchr(self, '/', (size_t)length);
    if (slash == NULL) {
        log_error("hook " LAUNCH_CLIENT ": /proc/self/exe");
        return EX_UNAVAILABLE;
    }
    *slash = '\0';
    char program[PATH_MAX];
    if (!launch_path(program, sizeof program, self)) {
        log_errorx("hook " LAUNCH_CLIENT ": the path is too long");
        return EX_UNAVAILABLE;
    }
    const size_t given = argc > 0 ? (size_t)argc - 1 : 0;
    char **words = calloc(given + 4, sizeof *words);
    if (words == NULL) {
        log_error("hook " LAUNCH_CLIENT);
        return EX_OSERR;
    }
    static char hook[] = "hook";
    static char client[] = LAUNCH_CLIENT;
    words[0] = program;
    words[1] = hook;
    words[2] = client;
    if (given > 0) {
        memcpy(words + 3, argv + 1, given * sizeof *words);
    }
    execv(program, words);
    log_error("hook " LAUNCH_CLIENT ": cannot execute %s", program);
    free(words);
    return EX_UNAVAILABLE;
}
