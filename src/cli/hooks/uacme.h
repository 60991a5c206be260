// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>

#include "cli/publish.h"
#include "wicket/error.h"

enum uacme_method {
    UACME_BEGIN,
    UACME_END,     /* done or failed */
    UACME_DECLINE, /* a challenge of another type */
};

/*
 * `words` are METHOD TYPE IDENT TOKEN AUTH, or none: then the same is in the environment as
 * UACME_METHOD and so on. `out` is filled in unless the challenge is declined. 64: too few or too
 * many words; 65: no key authorization of the token.
 */
int uacme_read(enum uacme_method *method, struct publication *out, char *const *words, size_t count,
               char *const *environment, struct error *error);
