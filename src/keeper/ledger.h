// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log_limit.h"
#include "keeper/account.h"
#include "keeper/event.h"
#include "wicket/config.h"
#include "wicket/ledger.h"

/* Users and strangers decide how many lines there are: each share has at most so many in a second,
 * and none has room at another's cost. */
enum ledger_share { LEDGER_OF_ROOT, LEDGER_OF_USERS, LEDGER_OF_VALIDATORS, LEDGER_SHARES };
#define LEDGER_LINES_A_SECOND 200

/*
 * The keeper's end of the ledger: starts wicket-ledger and hands it lines. Nothing here waits, and
 * nothing that goes wrong is an error: it is said once in the log, and in the status for as long as
 * it lasts. The writer is started before the keeper's fences are up, which leave no file to write;
 * one that has ended is therefore not started again.
 */
struct ledger {
    bool wanted; /* the configuration names a file */
    int epoll_fd;
    struct event_source socket;     /* to the writer; -1: there is none */
    struct event_source process;    /* its pidfd */
    char keeper[LEDGER_KEEPER_MAX]; /* this keeper's name in the lines */
    uint32_t left_out;              /* lines since the last that was handed over */
    uint64_t left_out_total;
    uint64_t lost;     /* by the writer */
    char trouble[512]; /* why nothing is written, or "" */
    struct log_limit troubles_told;
    uint64_t second_start_ms;
    unsigned int lines[LEDGER_SHARES]; /* in this second */
};

/* How long a keeper that leaves waits for its writer, at most. */
#define LEDGER_WAIT_MS 1000

void ledger_init(struct ledger *ledger);
/* Before there is a netlink socket or a fence. */
void ledger_start(struct ledger *ledger, const struct config *config,
                  const struct account *account);
void ledger_watch(struct ledger *ledger, int epoll_fd);

/* Hands a line over; `flags` as in ledger_entry. */
void ledger_send(struct ledger *ledger, const char *line, size_t length, uint32_t flags);
/* Whether one more line may be made in this second; if not, it is counted. */
bool ledger_may_tell(struct ledger *ledger, enum ledger_share share, uint64_t now_ms);
/* Of what a user's requests cause. */
enum ledger_share ledger_share_of(uid_t uid);
uint64_t ledger_lost(const struct ledger *ledger);

/* The last word, after which the writer ends. */
void ledger_close(struct ledger *ledger);
/* Until it has ended, or LEDGER_WAIT_MS have passed: then its disk hangs, and it is left alone. */
void ledger_wait(struct ledger *ledger);
