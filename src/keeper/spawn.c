// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "wicket/link.h"
#include "wicket/log.h"

enum { DESCRIPTORS = LINK_FD_LISTEN + LISTEN_RESPONDER_MAX };

/* What cannot be done is said where the responder would say it. */
__attribute__((noreturn)) static void give_up(const struct spawn_plan *plan, const char *what)
{
    int reason = errno;

    log_init_relayed(plan->log_fd, "wicket-responder");
    errno = reason;
    log_error("cannot start %s: %s", plan->path, what);
    _exit(EX_OSERR);
}

static void place_descriptors(const struct spawn_plan *plan, int link_fd)
{
    int sources[DESCRIPTORS];
    unsigned int count = LINK_FD_LISTEN + plan->listen_count;

    sources[LINK_FD_NULL_IN] = plan->null_fd;
    sources[LINK_FD_NULL_OUT] = plan->null_fd;
    sources[LINK_FD_LOG] = plan->log_fd;
    sources[LINK_FD_LINK] = link_fd;
    sources[LINK_FD_ROOT] = plan->root_fd;
    sources[LINK_FD_LOCK] = plan->lock_fd;
    sources[LINK_FD_TABLE] = plan->table_fd;
    for (unsigned int i = 0; i < plan->listen_count; i++)
        sources[LINK_FD_LISTEN + i] = plan->listen_fds[i];

    /* Out of the way first, so that no target is overwritten before it was copied. */
    for (unsigned int i = 0; i < count; i++) {
        sources[i] = fcntl(sources[i], F_DUPFD, DESCRIPTORS);
        if (sources[i] < 0)
            give_up(plan, "a descriptor cannot be copied");
    }
    for (unsigned int i = 0; i < count; i++)
        if (dup2(sources[i], (int)i) < 0)
            give_up(plan, "a descriptor cannot be put in its place");
    if (close_range(count, ~0U, 0) != 0)
        give_up(plan, "the other descriptors cannot be closed");
}

/* The time zone is for the Date header, the others are how a sanitizer takes its settings. */
enum { PASSED_ON = 3 };

static void keep_environment(char *out[PASSED_ON + 1])
{
    static const char *const passed_on[PASSED_ON] = {"TZ=", "ASAN_OPTIONS=", "UBSAN_OPTIONS="};
    unsigned int kept = 0;

    for (char **entry = environ; *entry != NULL; entry++)
        for (unsigned int i = 0; i < PASSED_ON && kept < PASSED_ON; i++)
            if (strncmp(*entry, passed_on[i], strlen(passed_on[i])) == 0)
                out[kept++] = *entry;
    out[kept] = NULL;
}

/*
 * Between fork and exec. The netlink socket keeps an owned table alive, and here the kernel does
 * not end the process with the keeper yet: nothing in this function may wait. The keeper sees the
 * link end when it fails.
 */
__attribute__((noreturn)) static void become(const struct spawn_plan *plan, int link_fd)
{
    struct spawn_plan moved = *plan;
    char *arguments[] = {(char *)plan->path, NULL};
    char *environment[PASSED_ON + 1];
    sigset_t none;

    place_descriptors(plan, link_fd);
    moved.log_fd = LINK_FD_LOG;
    /* Of a session of its own: a Ctrl-C in the keeper's terminal is the keeper's to answer. */
    sigemptyset(&none);
    if (setsid() < 0 || sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        give_up(&moved, "no session of its own");
    if (!privileges_for_responder(plan->mode))
        give_up(&moved, "its capabilities cannot be reduced");
    keep_environment(environment);
    execve(plan->path, arguments, environment);
    give_up(&moved, "it cannot be executed");
}

int spawn_responder(const struct spawn_plan *plan, int *out_link, int *out_process,
                    struct error *error)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        return error_set_errno(error, EX_OSERR, "cannot make the link to the responder");

    pid_t pid = fork();
    if (pid == 0)
        become(plan, pair[1]);
    int reason = errno;
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        errno = reason;
        return error_set_errno(error, EX_OSERR, "cannot start %s", plan->path);
    }

    /* Not reaped by anybody else: the number is its own until waitid. */
    int process = pidfd_open(pid, 0);
    if (process < 0) {
        error_set_errno(error, EX_OSERR, "cannot watch %s", plan->path);
        /* It ends by itself when there is nobody at the other end of its link. */
        close(pair[0]);
        while (waitid(P_PID, (id_t)pid, NULL, WEXITED) < 0 && errno == EINTR)
            continue;
        return -1;
    }
    *out_link = pair[0];
    *out_process = process;
    return 0;
}
