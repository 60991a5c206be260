// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>

#include "cli/connection.h"
#include "wicket/error.h"

/* The keeper's status document (JSON), put together from its pieces; `*out` is the caller's to
 * free. 70: it is not as long as it says. */
int document_fetch(struct connection *connection, char **out, size_t *length, struct error *error);
