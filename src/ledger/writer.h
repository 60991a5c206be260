// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ledger/file.h"
#include "wicket/ledger.h"

/*
 * Writes what the keeper sends, until it says goodbye or is gone; if it goes without a word while a
 * window was open, the ledger says so. Whatever cannot be written is counted, and said once.
 */
struct writer {
    int socket; /* borrowed */
    struct ledger_file file;
    const char *keeper; /* borrowed; its name in the lines */
    uint64_t owed;      /* lines that were lost since the last one that was not */
    uint64_t lost;      /* in all */
    uint64_t lost_told;
    bool window_open;
    char told[sizeof(((struct ledger_answer *)NULL)->text)]; /* the trouble that the keeper knows */
};

/* Returns when the keeper is done or gone. 70: it does not speak as agreed. */
int writer_run(struct writer *writer, struct error *error);
/* Says to the keeper why nothing is written. */
void writer_tell(struct writer *writer, const char *trouble);
