// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "wicket/error.h"

/* The keeper's status document as text for people. Strings in it may come from anybody who could
 * ask the keeper, so no byte of them reaches the terminal unescaped. 70: not such a document. */
int status_text_write(FILE *out, const char *json, size_t length, struct error *error);

/* The same in one line: the state, the reasons and who asked for them. It is another line when,
 * and only when, something happened. */
int status_text_summary(FILE *out, const char *json, size_t length, struct error *error);

/* Whether the document has this token among the reasons of its window. */
bool status_text_has_token(const char *json, size_t length, const char *token);
