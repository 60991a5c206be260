// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <sys/signalfd.h>
#include <sys/types.h>

#include "wicket/error.h"

/*
 * The command of `wicket run`: a child in the same process group, in the foreground if wicket is.
 * Signals that ask for an end, and USR1 and USR2, are passed on to it instead of ending wicket.
 */
struct child {
    pid_t pid;
    int pid_fd;    /* readable when it has ended; -1: closed */
    int signal_fd; /* what to pass on; -1: closed */
    sigset_t mask; /* the caller's, which the child gets */
};

/* `environment` is what the command gets. 126: it cannot be executed; 127: there is none. */
int child_start(struct child *out, char *const *command, char *const *environment,
                struct error *error);
/* Takes what the signal_fd holds and passes it on. */
void child_pass_signals(struct child *child);
/* The exit status for a shell: the child's, or 128+n by signal n. Waits for the end. */
int child_wait(struct child *child);
void child_deinit(struct child *child);

/* Whether the child has not got this signal anyway. */
bool child_wants_signal(const struct child *child, const struct signalfd_siginfo *signal);
