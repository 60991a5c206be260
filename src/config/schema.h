// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "wicket/config.h"

/*
 * Every key of the configuration, in one table: to add a key is to add a row, a member of struct
 * config, and its place in the man page and in etc/wicket.yaml (a test compares the three).
 */

enum schema_kind {
    SCHEMA_NUMBER = 1,   /* uint16_t or uint32_t, from min to max */
    SCHEMA_DURATION,     /* uint64_t, milliseconds, from min to max */
    SCHEMA_BOOLEAN,      /* bool */
    SCHEMA_CHOICE,       /* an enum: the index in `choices` */
    SCHEMA_NAME,         /* char[CONFIG_NAME_MAX]: of a user or group */
    SCHEMA_PATH,         /* char[CONFIG_PATH_MAX + 1] */
    SCHEMA_PATH_OR_NONE, /* the same; "none" in the file is "" */
    /* Lists: a pointer at `offset`, a size_t at `count_offset`. */
    SCHEMA_INTERFACES,
    SCHEMA_ADDRESSES,
    SCHEMA_NETWORKS,
    SCHEMA_THUMBPRINTS,
    SCHEMA_CHAINS, /* each entry of it a mapping: see chain.h */
};

#define SCHEMA_CHOICES_MAX 4

struct schema_key {
    const char *name; // "section.key", or "key" at the top level
    enum schema_kind kind;
    const char *default_text;                    // as it would be written in the file
    uint64_t min, max;                           // of a list, max: its entries; 0: VALUE_LIST_MAX
    const char *choices[SCHEMA_CHOICES_MAX + 1]; // ended by NULL
    size_t offset, size;
    size_t count_offset; // of a list
    size_t given_offset; // of a bool that says that the file has the key; 0: none
};

enum { SCHEMA_KEY_COUNT = 27 };
extern const struct schema_key schema_keys[SCHEMA_KEY_COUNT];

/* The index of the key `name` in `section` (NULL: the top level), or -1. */
int schema_find(const char *section, const char *name, size_t length);
/* The index of the first key of a section, which stands for the section; or -1. */
int schema_find_section(const char *name, size_t length);
/* For a key nobody knows: the name that was probably meant, in full, or NULL. */
const char *schema_suggest(char *out, size_t capacity, const char *section, const char *name,
                           size_t length);

bool schema_is_list(const struct schema_key *key);

/* What a value must be: "a number from 1 to 65535", "true or false". */
#define SCHEMA_TEXT 160
char *schema_describe(char *out, size_t capacity, const struct schema_key *key);
