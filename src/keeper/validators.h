// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "wicket/link.h"

/* The addresses that fetched a key authorization from outside since the keeper started. */
struct validator_key {
    uint8_t address[16]; /* as in link_validation */
    uint16_t family;
    uint16_t padding; /* 0: the key is hashed as bytes */
};

struct validator {
    struct validator_key key;
    uint64_t validations;
    uint64_t last;      /* the number of its last validation, counted over all validators from 1 */
    uint64_t window;    /* ledger_note.c: the last window in which it has lines, */
    unsigned int noted; /* and how many */
    UT_hash_handle hh;
};

struct validators {
    struct validator *list; /* in the order of their first validation */
    uint64_t count;         /* of validations told so far */
    uint64_t unlisted;      /* of these, from addresses there was no room for */
};

/* Strangers do not decide how much memory the keeper takes. */
#define VALIDATORS_MAX 4096

void validators_deinit(struct validators *validators);
/* NULL: there is no room for its address. */
struct validator *validators_note(struct validators *validators,
                                  const struct link_validation *validation);
/* How many addresses validated after the validation number `since`. */
uint32_t validators_since(const struct validators *validators, uint64_t since);
/* "192.0.2.1" or "2001:db8::1"; returns `out`. */
const char *validator_text(const struct validator *validator, char *out, size_t capacity);
