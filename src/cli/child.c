// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define CANNOT_EXECUTE 126
#define NOT_FOUND      127

static const int passed_on[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2};

bool child_wants_signal(const struct child *child, const struct signalfd_siginfo *signal)
{
    /* A key at the terminal: the kernel tells the whole foreground group. */
    const bool key = (signal->ssi_signo == SIGINT || signal->ssi_signo == SIGQUIT) &&
                     signal->ssi_code == SI_KERNEL;
    /* Sent by the child: to its group, and so to itself. */
    const bool own = signal->ssi_code == SI_USER && signal->ssi_pid == (uint32_t)child->pid;
    return !key && !own;
}

static int block_signals(struct child *child, struct error *error)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++) {
        sigaddset(&set, passed_on[i]);
    }
    if (sigprocmask(SIG_BLOCK, &set, &child->mask) < 0) {
        return error_set_errno(error, EX_OSERR, "run: cannot block signals");
    }
    child->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (child->signal_fd < 0) {
        error_set_errno(error, EX_OSERR, "run: cannot wait for signals");
        sigprocmask(SIG_SETMASK, &child->mask, NULL);
        return -1;
    }
    return 0;
}

static _Noreturn void become_command(const struct child *child, char *const *command,
                                     char *const *environment, int failure)
{
    sigprocmask(SIG_SETMASK, &child->mask, NULL);
    execvpe(command[0], command, environment);
    const int reason = errno;
    if (write(failure, &reason, sizeof reason) != sizeof reason) {
        _exit(CANNOT_EXECUTE);
    }
    _exit(reason == ENOENT ? NOT_FOUND : CANNOT_EXECUTE);
}

/* The errno of a failed exec; 0 when it worked, since the pipe then closes by itself. */
static int read_failure(int fd)
{
    int reason = 0;
    ssize_t got;
    do {
        got = read(fd, &reason, sizeof reason);
    } while (got < 0 && errno == EINTR);
    return got == sizeof reason ? reason : 0;
}

static int launch(struct child *child, char *const *command, char *const *environment,
                  struct error *error)
{
    int failure[2];
    if (pipe2(failure, O_CLOEXEC) < 0) {
        return error_set_errno(error, EX_OSERR, "run: cannot start %s", command[0]);
    }
    child->pid = fork();
    if (child->pid == 0) {
        become_command(child, command, environment, failure[1]);
    }
    const int fork_failure = errno;
    close(failure[1]);
    const int reason = child->pid < 0 ? fork_failure : read_failure(failure[0]);
    close(failure[0]);
    if (child->pid < 0) {
        errno = reason;
        return error_set_errno(error, EX_OSERR, "run: cannot start %s", command[0]);
    }
    child->pid_fd = reason == 0 ? (int)syscall(SYS_pidfd_open, child->pid, 0) : -1;
    if (reason != 0) {
        waitpid(child->pid, NULL, 0);
        if (reason == ENOENT && strchr(command[0], '/') == NULL) {
            return error_set(error, NOT_FOUND, "run: %s: command not found", command[0]);
        }
        errno = reason;
        return error_set_errno(error, reason == ENOENT ? NOT_FOUND : CANNOT_EXECUTE,
                               "run: %s: cannot be executed", command[0]);
    }
    if (child->pid_fd < 0) {
        error_set_errno(error, EX_OSERR, "run: cannot watch %s", command[0]);
        kill(child->pid, SIGTERM);
        waitpid(child->pid, NULL, 0);
        return -1;
    }
    return 0;
}

int child_start(struct child *out, char *const *command, char *const *environment,
                struct error *error)
{
    *out = (struct child){.pid = -1, .pid_fd = -1, .signal_fd = -1};
    if (block_signals(out, error) < 0) {
        return -1;
    }
    if (launch(out, command, environment, error) < 0) {
        child_deinit(out);
        return -1;
    }
    return 0;
}

void child_pass_signals(struct child *child)
{
    struct signalfd_siginfo signal;
    while (read(child->signal_fd, &signal, sizeof signal) == sizeof signal) {
        if (child_wants_signal(child, &signal)) {
            kill(child->pid, (int)signal.ssi_signo); /* a zombie until child_wait: never reused */
        }
    }
}

int child_wait(struct child *child)
{
    int status = 0;
    pid_t waited;
    do {
        waited = waitpid(child->pid, &status, 0);
    } while (waited < 0 && errno == EINTR);
    if (waited < 0) {
        return EX_OSERR;
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void child_deinit(struct child *child)
{
    if (child->pid_fd >= 0) {
        close(child->pid_fd);
    }
    if (child->signal_fd >= 0) {
        close(child->signal_fd);
        sigprocmask(SIG_SETMASK, &child->mask, NULL);
    }
    child->pid_fd = -1;
    child->signal_fd = -1;
}
