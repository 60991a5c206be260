// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>

#include "cli/settings.h"
#include "wicket/error.h"

/* The status document of the keeper, or the one that says that none runs; the caller frees it. The
 * socket in `settings` becomes the keeper's, see reach.h. */
int status_document(char **out, size_t *length, struct settings *settings, struct error *error);
