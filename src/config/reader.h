// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#include "config/report.h"
#include "config/value.h"

/*
 * libyaml's events, less what has no place in a configuration. Anchors, aliases, tags, scalars
 * over READER_SCALAR_MAX and nesting over READER_DEPTH_MAX are reported here and nowhere else;
 * such an event is handed out nevertheless, so that what is behind it is read too.
 */

#define READER_SCALAR_MAX 4096
#define READER_DEPTH_MAX  8

struct reader {
    yaml_parser_t parser;
    yaml_event_t event; // the current one, whose memory is the reader's
    bool reported;      // something is wrong with the current event and was said
    size_t depth;
    struct report *report;
    const unsigned char *bytes;
    size_t length;
};

/* `bytes` are borrowed. False when there is no memory. */
bool reader_init(struct reader *reader, struct report *report, const void *bytes, size_t length);
void reader_deinit(struct reader *reader);

/* False when the file ends here: it is no YAML, or nested too deeply; that was reported. */
bool reader_next(struct reader *reader);
/* Reads to the end of the node that the current event begins. */
bool reader_skip(struct reader *reader);

struct position reader_position(const struct reader *reader);
/* Of a scalar; borrowed until the next event. */
struct value reader_value(const struct reader *reader);
