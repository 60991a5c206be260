// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "build.h"
#include "cli/arguments.h"
#include "wicket/log.h"

const struct command *const *command_table(void)
{
    static const struct command *const table[] = {
        &command_run,     &command_hook,  &command_add,    &command_remove,
        &command_open,    &command_close, &command_status, &command_validators,
        &command_ruleset, &command_check, &command_serve,  NULL,
    };
    return table;
}

const struct command *command_find(const char *name)
{
    for (const struct command *const *at = command_table(); *at != NULL; at++) {
        if (strcmp((*at)->name, name) == 0) {
            return *at;
        }
    }
    return NULL;
}

static void print_help(void)
{
    printf("usage: wicket [-c FILE] COMMAND [ARGUMENT...]\n"
           "\n"
           "Answers ACME HTTP-01 challenges on a host whose port 80 belongs to somebody else.\n"
           "\n"
           "commands:\n");
    for (const struct command *const *at = command_table(); *at != NULL; at++) {
        char left[64];
        snprintf(left, sizeof left, "%s%s%s", (*at)->name, (*at)->operands[0] == '\0' ? "" : " ",
                 (*at)->operands);
        printf("  %-36s %s\n", left, (*at)->summary);
    }
    printf("\n"
           "options:\n"
           "  -c, --config FILE   the configuration (default: $WICKET_CONFIG, else\n"
           "                      " WICKET_SYSCONFDIR "/wicket/wicket.yaml; absent is fine)\n"
           "  -h, --help          this text; wicket COMMAND --help tells more\n"
           "      --version       the version\n"
           "\n"
           "example:\n"
           "  certbot certonly --manual --preferred-challenges http \\\n"
           "      --manual-auth-hook 'wicket hook certbot auth' \\\n"
           "      --manual-cleanup-hook 'wicket hook certbot cleanup' -d www.example.org\n");
}

static int run_command(int argc, char **argv, char *const *environment, struct error *error)
{
    struct arguments arguments;
    if (arguments_parse(&arguments, argc, argv, error) < 0) {
        return -1;
    }
    int status = 0;
    if (arguments.version) {
        puts("wicket " WICKET_BUILD);
    } else if (arguments.help && arguments.command != NULL) {
        fputs(arguments.command->help, stdout);
    } else if (arguments.help) {
        print_help();
    } else {
        const struct invocation invocation = {&arguments, environment};
        status = arguments.command->function(&invocation, error);
    }
    return status;
}

int command_main(int argc, char **argv, char *const *environment)
{
    struct error error = {0};
    int status = run_command(argc, argv, environment, &error);
    if (status < 0) {
        if (error.text[0] != '\0') {
            log_errorx("%s", error.text);
        }
        status = error.exit_code;
    }
    /* A full disk must not look like success. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        log_error("cannot write to standard output");
        if (status == 0) {
            status = EX_IOERR;
        }
    }
    return status;
}
