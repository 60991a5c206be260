// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdio.h>

#include "cli/validators_read.h"

/* What every form of it is preceded by, in its own way. */
#define VALIDATORS_WARNING                                                                         \
    "this is who came in the past: a CA says nothing about where it validates from, and may come " \
    "from elsewhere tomorrow"

#define VALIDATORS_NFT_TABLE "acme_validators"

/* A table for people. */
void validators_print_text(FILE *out, const struct observations *observations);
/* One address a line, with a comment: as redirect.sources_file takes it. */
void validators_print_plain(FILE *out, const struct observations *observations);
/* A table with two sets, validators4 and validators6, for nft -f; loaded again, they are replaced.
 */
void validators_print_nft(FILE *out, const struct observations *observations);
/* One object. 71: no memory. */
int validators_print_json(FILE *out, const struct observations *observations, const char *path,
                          struct error *error);
