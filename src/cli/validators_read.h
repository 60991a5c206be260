// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <uthash.h>

#include "wicket/error.h"
#include "wicket/ledger.h"

/*
 * Who validated, from the lines of the ledger (wicket-ledger(5)). Lines of other events are passed
 * over; lines that are none, of a newer version, or cut short are counted. What is kept is bounded,
 * however long the ledger is and whoever made it so long.
 */
struct observed_key {
    uint8_t address[16]; /* network order; IPv4 in the first four bytes, the rest zero */
    uint16_t family;
    uint16_t padding; /* 0: the key is hashed as bytes */
};

struct observed {
    struct observed_key key;
    uint32_t number; /* of the addresses, from 0 on */
    uint32_t first_window;
    uint32_t windows;
    uint64_t validations;
    char first[LEDGER_TIME_TEXT];
    char last[LEDGER_TIME_TEXT];
    UT_hash_handle hh;
};

struct observed_window;
struct observed_visit;

struct observations {
    struct observed *list;
    struct observed_window *windows; /* by name, each with a number from 1 on */
    struct observed_visit *visits;   /* which address came in which window */
    uint32_t latest;                 /* the window of the last validation; 0: none */
    uint64_t lines, broken, newer;   /* lines read; not understood; of another version */
    uint64_t unlisted;               /* validations there was no room for */
};

#define OBSERVED_ADDRESSES_MAX 65536
#define OBSERVED_WINDOWS_MAX   65536
#define OBSERVED_VISITS_MAX    262144

void observations_deinit(struct observations *observations);
/* The older file first. 71: out of memory; 74: it cannot be read. */
int observations_read(struct observations *observations, FILE *stream, const char *path,
                      struct error *error);
/* First seen in the last window that had validations at all. */
bool observed_is_new(const struct observations *observations, const struct observed *one);
/* By family and address. */
void observations_sort(struct observations *observations);
