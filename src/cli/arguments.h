// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cli/commands.h"
#include "wicket/error.h"

/* What a command line asks for. All pointers are into argv. */
struct arguments {
    const struct command *command; /* NULL: help or version alone */
    const char *config;            /* -c FILE; NULL when it was not given */
    const char *duration;          /* --for TIME; NULL when it was not given */
    const char *format;            /* --format FORMAT; NULL when it was not given */
    bool open;
    bool json;
    bool watch;
    bool explain;
    bool help;
    bool version;
    char **operands; /* NULL-terminated */
    size_t operand_count;
};

/* Options stand before or after the command, but before the operands of a command that runs a
 * program. argv is reordered in place. Every failure is 64. */
int arguments_parse(struct arguments *out, int argc, char **argv, struct error *error);
