// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "keeper/event.h"
#include "wicket/error.h"

/*
 * Where the log is a file, the responder is not given it, for it may let no file grow: its lines
 * come through a pipe, and the keeper writes them, as they are. It does nothing else with them.
 */
struct child_log {
    int epoll_fd;
    struct event_source pipe;
};

void child_log_init(struct child_log *log, int epoll_fd);
/* *out_fd is what a responder to be started logs to: the log itself, or the end of a pipe, which is
 * the caller's to close. */
int child_log_begin(struct child_log *log, int *out_fd, struct error *error);
/* The responder has ended: what it said last. May be called twice. */
void child_log_end(struct child_log *log);
