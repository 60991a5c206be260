// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "keeper/window.h"
#include "wicket/ledger.h"
#include "wicket/link.h"

/*
 * The lines of the ledger, as wicket-ledger(5) describes them. Pure data in, text out. No token, no
 * thumbprint and no key authorization is ever written, but their SHA-256 in hexadecimal.
 *
 * Each function returns one line with its newline, which the caller frees; NULL: no memory, or it
 * is longer than LEDGER_LINE_MAX.
 */
struct ledger_stamp {
    struct timespec time;
    const char *keeper;
    uint64_t window; /* the keeper's windows, from 1 on; 0: none */
};

#define LEDGER_DIGEST 65

/* Returns `out`. */
char *ledger_digest(char out[LEDGER_DIGEST], const void *bytes, size_t length);

struct ledger_opened {
    const struct window_reason *reason; /* the first */
    const char *ruleset;                /* a digest of what `wicket ruleset` prints, or "" */
    uint16_t port;
    ino_t network; /* the inode of the network namespace */
};

char *ledger_record_opened(const struct ledger_stamp *stamp, const struct ledger_opened *opened);
/* A token was registered, or another reason began. */
char *ledger_record_reason(const struct ledger_stamp *stamp, const struct window_reason *reason);
/* `age_ms`: since the token was registered; UINT64_MAX: nobody did. */
char *ledger_record_validation(const struct ledger_stamp *stamp,
                               const struct link_validation *validation, uint64_t age_ms);

struct ledger_refused {
    uid_t uid;
    pid_t pid;
    const char *purpose;
    const char *why;
};

char *ledger_record_refused(const struct ledger_stamp *stamp, const struct ledger_refused *refused);

struct ledger_shut {
    uint64_t open_ms;
    const char *why;
    const char *trouble; /* or "" */
    uint64_t tokens, validations, passed, turned_away, unknown, redirected, arrived;
    uint64_t unlisted; /* validations without a line of their own */
    uint32_t addresses;
    const char *unknown_address; /* who asked for the last unknown token, or "" */
};

char *ledger_record_shut(const struct ledger_stamp *stamp, const struct ledger_shut *shut);
