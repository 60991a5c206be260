// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "config/schema.h"

/* A scalar of the file. */
struct value {
    const char *text; // NUL-terminated, and may have more NULs inside
    size_t length;
    bool plain; // neither quoted nor a block
};

/* More is no configuration any more, and a rule for each would be a slow one. */
#define VALUE_LIST_MAX 4096

/* Whether it says nothing: "key:", "key: ~" or "key: null". */
bool value_is_null(const struct value *value);

/* Sets a key that is no list. The error is the reason, without the key. */
int value_set(struct config *config, const struct schema_key *key, const struct value *value,
              struct error *error);

/* Appends to a list; an entry that is there already, or is part of one, is refused. */
int value_append(struct config *config, const struct schema_key *key, const struct value *value,
                 struct error *error);
