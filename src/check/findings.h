// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "wicket/error.h"

/* What was found, in the order in which it was looked for. */

enum findings_level {
    LEVEL_GOOD,    /* what was tried and works */
    LEVEL_NOTE,    /* worth knowing; no reason for a renewal to fail */
    LEVEL_FINDING, /* would stop a renewal, or break a promise */
};

#define FINDINGS_TEXT  768
#define FINDINGS_SCOPE 256

struct findings_line {
    enum findings_level level;
    const char *subject;        /* one word, "firewall"; not copied */
    char text[FINDINGS_TEXT];   /* what it is about, by name, and what is so */
    char scope[FINDINGS_SCOPE]; /* for what: "IPv4 by eth0"; "": everything */
    char mend[FINDINGS_TEXT];   /* the command or line that mends it; "": none */
};

struct findings {
    struct findings_line *lines;
    size_t count;
    bool out_of_memory;
};

void findings_init(struct findings *report);
void findings_deinit(struct findings *report);

/* The same text of the same subject again becomes one, for both scopes. `scope` and `mend` may be
 * NULL. Bytes that are not printable become escapes. */
void findings_add(struct findings *report, enum findings_level level, const char *subject,
                  const char *scope, const char *mend, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

size_t findings_count(const struct findings *report, enum findings_level level);

void findings_write(FILE *out, const struct findings *report);
/* {"version": 1, "findings": […], "notes": […], "good": […]}; 71: out of memory. */
int findings_write_json(FILE *out, const struct findings *report, struct error *error);
