// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/check_program.h"

#include <limits.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/program.h"
#include "cli/arguments.h"
#include "cli/settings.h"

/* --config FILE OPTION -- and what ends the list. */
#define MORE_ARGUMENTS 6

int check_program_execute(const struct invocation *invocation, const char *option,
                          struct error *error)
{
    const struct arguments *arguments = invocation->arguments;
    struct settings settings;
    char program[PATH_MAX];
    char path[sizeof settings.config.path];
    if (settings_find(&settings, path, invocation, error) < 0 ||
        program_find(program, sizeof program, "wicket-check", error) < 0) {
        return -1;
    }
    char **list = calloc(arguments->operand_count + MORE_ARGUMENTS, sizeof *list);
    if (list == NULL) {
        return error_set_errno(error, EX_OSERR, "cannot check");
    }
    size_t count = 0;
    list[count++] = program;
    if (settings.given) {
        list[count++] = (char *)"--config";
        list[count++] = path;
    }
    if (option != NULL) {
        list[count++] = (char *)option;
    }
    list[count++] = (char *)"--";
    for (size_t i = 0; i < arguments->operand_count; i++) {
        list[count++] = arguments->operands[i];
    }
    execv(program, list);
    error_set_errno(error, EX_UNAVAILABLE, "%s: cannot be executed", program);
    free(list);
    return -1;
}
