// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "keeper/ledger_record.h"
#include "redirect/redirect.h"

struct keeper;
struct validator;

/*
 * What the keeper has to note in the ledger, and when. What went through a window is written once
 * the responder's counters are fresh, a moment after it shut.
 */
struct ledger_note {
    char ruleset[LEDGER_DIGEST];
    ino_t network;

    uint64_t window; /* the one that is noted as open; 0: none is */
    uint64_t opened_ms;
    bool leased;              /* it had a lease */
    unsigned int validations; /* lines of them in it */
    uint64_t unlisted;        /* and those without a line */

    bool shut_waits; /* for the counters */
    bool shut_leased;
    uint64_t shut_window, shut_open_ms, shut_sequence, shut_by_ms, shut_tokens, shut_unlisted;
    struct timespec shut_time;
    const char *shut_why;
    char shut_trouble[512];
};

/* Nobody decides how much of the ledger one window fills: so many validations have a line, and so
 * many of one address. */
#define LEDGER_NOTE_VALIDATIONS 4096
#define LEDGER_NOTE_OF_ADDRESS  16
#define LEDGER_NOTE_FRESH_MS    1000

/* Where the keeper is, and what it installs, as far as that can be told. */
void ledger_note_place(struct keeper *keeper);
void ledger_note_ruleset(struct keeper *keeper);

void ledger_note_reason(struct keeper *keeper, const struct window_reason *reason);
void ledger_note_refused(struct keeper *keeper, const struct ledger_refused *refused);
/* `from`: whose validation it is; NULL when there was no room for it. */
void ledger_note_validation(struct keeper *keeper, const struct link_validation *validation,
                            struct validator *from);
/* After every event: whether a window has opened or shut. */
void ledger_note_window(struct keeper *keeper, uint64_t now_ms);
/* The same, once whoever waits for an answer has it: what went through a window that is shut. */
void ledger_note_answered(struct keeper *keeper, uint64_t now_ms);
/* Before what is counted begins anew, from what the kernel has counted by now. */
void ledger_note_counters(struct keeper *keeper, const struct redirect_counters *table);
uint64_t ledger_note_next_ms(const struct keeper *keeper);
/* What there is left to note before the keeper goes. */
void ledger_note_end(struct keeper *keeper);
