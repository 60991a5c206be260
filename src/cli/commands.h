// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "wicket/error.h"

struct arguments;

/* What a command is called with; owned by main(). */
struct invocation {
    const struct arguments *arguments;
    char *const *environment; /* as environ(7) */
};

enum command_option {
    COMMAND_OPTION_OPEN = 1,     /* --open */
    COMMAND_OPTION_FOR = 2,      /* --for TIME */
    COMMAND_OPTION_JSON = 4,     /* --json */
    COMMAND_OPTION_WATCH = 8,    /* --watch */
    COMMAND_OPTION_FORMAT = 16,  /* --format FORMAT */
    COMMAND_OPTION_EXPLAIN = 32, /* --explain */
};

struct command {
    const char *name;
    const char *operands; /* as in the synopsis; "" for none */
    const char *summary;  /* one line of wicket --help */
    const char *help;     /* what wicket NAME --help prints */
    const char *missing;  /* what is said when there are too few operands */
    unsigned options;     /* enum command_option, or'ed */
    size_t operands_min;
    size_t operands_max;
    bool runs_program; /* the first operand ends the options: the rest belongs to somebody else */
    bool takes_base64; /* operands may begin with "-", which base64url has in its alphabet */

    /* The exit status, or -1 with the error filled in; an empty text says that what was wrong has
     * been told already. */
    int (*function)(const struct invocation *invocation, struct error *error);
};

extern const struct command command_run;
extern const struct command command_hook;
extern const struct command command_add;
extern const struct command command_remove;
extern const struct command command_open;
extern const struct command command_close;
extern const struct command command_status;
extern const struct command command_validators;
extern const struct command command_ruleset;
extern const struct command command_check;
extern const struct command command_serve;

/* All of them, in the order of the help, then NULL. */
const struct command *const *command_table(void);
const struct command *command_find(const char *name); /* NULL: there is none */

/* The program, without a process around it: returns the exit status. main() calls it. */
int command_main(int argc, char **argv, char *const *environment);
