// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log_limit.h"
#include "keeper/event.h"
#include "wicket/error.h"
#include "wicket/log.h"

/*
 * What the responder says goes through a pipe of its own, whatever the keeper's log is: it can
 * neither shut the log down nor write into it. The keeper makes a line of every line, with the
 * responder's name in front, escaped and cut, and leaves out what is too much for a second.
 */
struct child_log {
    int epoll_fd;
    struct event_source pipe;
    struct log_limit limit;
    char line[LOG_LINE_MAX]; /* what has come of the present one */
    size_t length;
    bool is_cut; /* `line` is full and told of; the rest is left out */
};

/* Lines a second. A sanitizer's report, which has more, is for whoever debugs. */
#define CHILD_LOG_LINES           20
#define CHILD_LOG_SANITIZER_LINES 1000

void child_log_init(struct child_log *log, int epoll_fd);
/* *out_fd is the end of a new pipe, which a responder to be started logs to; the caller's to close.
 */
int child_log_begin(struct child_log *log, int *out_fd, struct error *error);
/* The responder has ended: what it said last. May be called twice. */
void child_log_end(struct child_log *log);
/* Tells how many lines were left out, at child_log_next_ms. */
void child_log_tick(struct child_log *log, uint64_t now_ms);
uint64_t child_log_next_ms(const struct child_log *log);
