// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>

#include "wicket/config.h"
#include "wicket/error.h"

/*
 * The file of redirect.sources_file: an address or network a line, spaces around it, a comment
 * behind a #; empty lines are fine, and so are networks that overlap.
 */

#define SOURCES_BYTES_MAX 1000000
#define SOURCES_LINES_MAX 100000

/*
 * Appends what the file has to config->redirect.sources, where there are those of wicket.yaml only,
 * and notes how many those are. Nothing to do without a file. -1 with "FILE:LINE: …" of the first
 * mistake, 78, or 77 when it may not be read; `config` is as before then.
 */
int sources_read(struct config *config, struct error *error);

/* The same from memory, `name` for messages. Allocates *out, which may be NULL for none. */
int sources_parse(struct config_network **out, size_t *count, const char *name, const void *bytes,
                  size_t length, struct error *error);
