// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>

#include "wicket/config.h"

/* Where something stands in a file: both from 1, the column in characters. */
struct position {
    size_t line, column;
};

/* Collects what is wrong with one file. */
struct report {
    const char *name; // of the file; borrowed
    struct config_errors *errors;
};

/*
 * Adds "name:line:column: key: reason". Without `position` or `key` that part is left out; the key
 * may be longer than anything sensible and of any bytes.
 */
void report_add(struct report *report, const struct position *position, const char *key,
                const char *format, ...) __attribute__((format(printf, 4, 5), cold));
