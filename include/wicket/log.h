// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>

/*
 * The log of a program: whole lines to one file descriptor, which is never opened here.
 *
 * The form follows from what the descriptor is: a datagram socket (connected to /dev/log) gets
 * "<PRI>ident[pid]: line", one datagram a line, as syslog(3) would send it (RFC 3164 without the
 * time stamp, which the daemon adds); the journal's stream, known by JOURNAL_STREAM in the
 * environment, gets "<PRI>ident: line\n" (sd-daemon(3)); anything else gets "ident: line\n"; both
 * in one write(2). A program whose parent relays its lines gives it "<PRI>line\n", and the parent
 * names it. Bytes that are not printable ASCII are escaped as \xNN, so that no line can be
 * forged; a line is cut at LOG_LINE_MAX. A log that cannot be written is not an error: nothing
 * waits for it. The next line that it does take is preceded by one that counts those it did not.
 *
 * log_warn and log_error append ": " and strerror(errno), log_warnx and log_errorx do not.
 * This is the one part with state of its own (descriptor, ident), set once by main().
 */

#define LOG_LINE_MAX 1024

void log_init(int fd, const char *ident, int verbose);
/* To a pipe from which the parent takes lines for log_relay, and names them itself. */
void log_init_relayed(int fd, const char *ident);
/* For a file that nobody rotates: emptied whenever this program has written `bytes` to it. */
void log_bound(size_t bytes);
int log_fd(void);
/* One line of a program called `ident`, without its newline, as it came out of the pipe. Whatever
 * it is, it becomes one line of this log, of that name, and no more urgent than an error. */
void log_relay(const char *ident, const char *line, size_t length);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2), cold));
void log_errorx(const char *format, ...) __attribute__((format(printf, 1, 2), cold));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2), cold));
void log_warnx(const char *format, ...) __attribute__((format(printf, 1, 2), cold));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Only written when `verbose` is not 0. */
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
