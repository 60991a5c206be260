// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The ledger: what each window let through, one JSON object a line, appended to ledger.file by a
 * program of its own, wicket-ledger. The keeper makes the lines and hands them over without ever
 * waiting: a disk that is slow, full or gone is that program's to wait for. Their members are
 * described in wicket-ledger(5).
 *
 * wicket-ledger is started with these descriptors and no others:
 */
enum ledger_fd {
    LEDGER_FD_NULL_IN = 0,  /* /dev/null */
    LEDGER_FD_NULL_OUT = 1, /* /dev/null */
    LEDGER_FD_LOG = 2,      /* see log.h */
    LEDGER_FD_SOCKET = 3,   /* AF_UNIX SOCK_SEQPACKET: entries come in, answers go out */
};
/* and these arguments: the path, how large it may grow in bytes, the keeper's name in the lines,
 * and the group that is to read it, as a number, or "-". */
enum ledger_argument {
    LEDGER_ARGUMENT_PATH = 1,
    LEDGER_ARGUMENT_SIZE,
    LEDGER_ARGUMENT_KEEPER,
    LEDGER_ARGUMENT_GROUP,
    LEDGER_ARGUMENTS,
};

#define LEDGER_VERSION    1    /* of the lines: "v" */
#define LEDGER_LINE_MAX   4096 /* with its newline */
#define LEDGER_KEEPER_MAX 40

/* What the keeper leaves behind with an entry. */
enum {
    LEDGER_OPEN = 1,    /* a window is open: should no more come, it was lost */
    LEDGER_GOODBYE = 2, /* no more will come */
};

/* One packet: the first two members, and as much of `line` as there is: one line and its newline,
 * or nothing. */
struct ledger_entry {
    uint32_t flags;
    uint32_t left_out; /* lines before this one that could not be handed over */
    char line[LEDGER_LINE_MAX];
};

#define LEDGER_ENTRY_HEAD offsetof(struct ledger_entry, line)

/* Whenever writing begins or ceases to fail, and for every line that is lost. */
struct ledger_answer {
    uint64_t lost;  /* lines not written so far */
    char text[504]; /* why, printable; "": they are written (again) */
};

/* How a lost keeper and lost lines are written. `keeper` is the keeper's name; the length, without
 * a newline. */
size_t ledger_line_lost(char *out, size_t capacity, const char *keeper);
size_t ledger_line_left_out(char *out, size_t capacity, const char *keeper, uint64_t lines);

#define LEDGER_TIME_TEXT 32

struct timespec;
/* RFC 3339, UTC, with milliseconds: "2026-01-31T23:59:59.999Z". Returns `out`. */
char *ledger_time(char out[LEDGER_TIME_TEXT], const struct timespec *time);
char *ledger_time_now(char out[LEDGER_TIME_TEXT]);
