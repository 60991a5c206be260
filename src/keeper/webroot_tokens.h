// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "keeper/window.h"

struct keeper;

/*
 * Challenge files as tokens: what the webroot's watcher tells becomes reasons of the window. A file
 * holds its token beside whoever registered the same one, and lets go of its own hold only.
 */

/* Makes what is missing of the directories; that it cannot is only worth a line in the log. Before
 * privileges are given up. */
void webroot_tokens_prepare(struct keeper *keeper);
/* The same for somebody who is about to write there, with the privileges that are left. `warning`
 * says what could not be made, or is "". */
void webroot_tokens_complete(struct keeper *keeper, char *warning, size_t capacity);
/* Hooks work without it: that it cannot be watched is worth no more than a line either. */
void webroot_tokens_start(struct keeper *keeper);

/* Whether one more line about a file may be written: whoever may write files could fill the log. */
bool webroot_tokens_may_log(struct keeper *keeper);

/* The reason has ended, and still has its token. */
void webroot_tokens_ended(struct keeper *keeper, const struct window_reason *reason);
