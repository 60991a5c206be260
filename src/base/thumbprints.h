// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "base/names.h"
#include "wicket/challenge.h"

/* The thumbprints of ACME accounts, each once however many tokens it has: nearly always all tokens
 * are of one. */
struct thumbprint {
    struct named named;
    unsigned int uses;
    char text[CHALLENGE_THUMBPRINT_LENGTH + 1];
};

void thumbprints_init(struct names *thumbprints);
/* A well-formed one, which is used once more now. NULL when memory ran out. */
struct thumbprint *thumbprint_use(struct names *thumbprints, const char *text);
/* Frees it with its last use. */
void thumbprint_release(struct names *thumbprints, struct thumbprint *thumbprint);
