// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/deadline.h"
#include "cli/places.h"

static void reset_signals(void)
{
    for (int number = 1; number < NSIG; number++) {
        signal(number, SIG_DFL); /* fails for the few that have nothing to reset */
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the grandchild: never returns. */
static _Noreturn void become_keeper(const char *keeper, const char *config, int lock_fd, int ready)
{
    /* Out of the way of 0 to 4 first, since any of the two may be one of these. */
    const int lock = fcntl(lock_fd, F_DUPFD, 10);
    const int pipe_end = fcntl(ready, F_DUPFD, 10);
    const int null = open("/dev/null", O_RDWR);
    if (lock < 0 || pipe_end < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0 ||
        dup2(lock, SPAWN_FD_LOCK) < 0 || dup2(pipe_end, SPAWN_FD_READY) < 0 ||
        close_range(SPAWN_FD_READY + 1, ~0U, 0) < 0 || chdir("/") < 0) {
        _exit(EX_OSERR);
    }
    umask(022);
    reset_signals();
    char *const arguments[] = {(char *)keeper, (char *)"--on-demand", (char *)"--config",
                               (char *)config, NULL};
    char *const environment[] = {
        (char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    execve(keeper, arguments, environment);
    dprintf(SPAWN_FD_READY, "E%d %s: cannot be executed: %s", EX_UNAVAILABLE, keeper,
            strerror(errno));
    _exit(EX_UNAVAILABLE);
}

/* Two forks: the keeper is nobody's child, so that whoever called wicket never meets it. */
static int fork_keeper(const char *keeper, const char *config, int lock_fd, int ready,
                       struct error *error)
{
    const pid_t child = fork();
    if (child < 0) {
        return error_set_errno(error, EX_OSERR, "cannot start a keeper");
    }
    if (child == 0) {
        if (setsid() < 0) {
            _exit(EX_OSERR);
        }
        const pid_t grandchild = fork();
        if (grandchild == 0) {
            become_keeper(keeper, config, lock_fd, ready);
        }
        _exit(grandchild < 0 ? EX_OSERR : 0);
    }
    int status;
    pid_t waited;
    do {
        waited = waitpid(child, &status, 0);
    } while (waited < 0 && errno == EINTR);
    if (waited < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return error_set(error, EX_OSERR, "cannot start a keeper: no process for it");
    }
    return 0;
}

int spawn_read_report(const char *bytes, size_t length, struct error *error)
{
    if (length == 1 && bytes[0] == 'R') {
        return 0;
    }
    if (length == 0) {
        return error_set(error, EX_UNAVAILABLE,
                         "the keeper died while starting; see " CLI_LOG_PLACES);
    }
    int exit_code = 0;
    size_t at = 1;
    for (; at < length && at <= 3 && bytes[at] >= '0' && bytes[at] <= '9'; at++) {
        exit_code = exit_code * 10 + (bytes[at] - '0');
    }
    if (bytes[0] != 'E' || at + 1 >= length || bytes[at] != ' ' || exit_code == 0 ||
        exit_code > 125) {
        return error_set(error, EX_SOFTWARE,
                         "the keeper says nonsense while starting; see " CLI_LOG_PLACES);
    }
    return error_set(error, exit_code, "%.*s", (int)(length - at - 1), bytes + at + 1);
}

static int await_report(int ready, uint64_t deadline_ms, struct error *error)
{
    char bytes[1024];
    size_t length = 0;
    for (;;) {
        struct pollfd poll_fd = {.fd = ready, .events = POLLIN};
        const int polled = poll(&poll_fd, 1, deadline_left(deadline_ms));
        if (polled < 0 && errno == EINTR) {
            continue;
        }
        if (polled <= 0) {
            return error_set(error, EX_TEMPFAIL,
                             "the keeper takes too long to start; see " CLI_LOG_PLACES);
        }
        const ssize_t got = read(ready, bytes + length, sizeof bytes - length);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        /* A line that does not fit is cut. */
        if (got <= 0 || length + (size_t)got == sizeof bytes) {
            length += got > 0 ? (size_t)got : 0;
            return spawn_read_report(bytes, length, error);
        }
        length += (size_t)got;
    }
}

int spawn_keeper(const char *keeper, const char *config, int lock_fd, uint64_t deadline_ms,
                 struct error *error)
{
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) < 0) {
        return error_set_errno(error, EX_OSERR, "cannot start a keeper");
    }
    int result = fork_keeper(keeper, config, lock_fd, ready[1], error);
    close(ready[1]);
    if (result == 0) {
        result = await_report(ready[0], deadline_ms, error);
    }
    close(ready[0]);
    return result;
}
