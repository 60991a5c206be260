// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "build.h"
#include "ledger/sandbox.h"
#include "ledger/writer.h"
#include "wicket/log.h"

static int to_number(uint64_t *out, const char *text, uint64_t max)
{
    char *end;

    errno = 0;
    *out = strtoumax(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *out <= max ? 0 : -1;
}

/* The name stands in JSON as it is. */
static bool is_name(const char *text)
{
    return text[0] != '\0' && strlen(text) < LEDGER_KEEPER_MAX &&
           strspn(text, "0123456789abcdef-") == strlen(text);
}

static bool is_started_by_keeper(int argc)
{
    int type = 0;
    socklen_t length = sizeof(type);

    return argc == LEDGER_ARGUMENTS &&
           getsockopt(LEDGER_FD_SOCKET, SOL_SOCKET, SO_TYPE, &type, &length) == 0 &&
           type == SOCK_SEQPACKET;
}

static int start(struct writer *writer, char **argv, struct error *error)
{
    uint64_t size = 0, group = (gid_t)-1;
    char directory[PATH_MAX];
    uid_t owner;

    if (to_number(&size, argv[LEDGER_ARGUMENT_SIZE], INT64_MAX) < 0 ||
        (strcmp(argv[LEDGER_ARGUMENT_GROUP], "-") != 0 &&
         to_number(&group, argv[LEDGER_ARGUMENT_GROUP], UINT32_MAX - 1) < 0) ||
        !is_name(argv[LEDGER_ARGUMENT_KEEPER]))
        return error_set(error, EX_USAGE, "an argument is wrong");
    writer->keeper = argv[LEDGER_ARGUMENT_KEEPER];
    umask(0); /* what is made has the mode that it is made with */
    tzset();  /* reads a file */
    ledger_file_directory(directory, argv[LEDGER_ARGUMENT_PATH]);
    return ledger_file_init(&writer->file, argv[LEDGER_ARGUMENT_PATH], size, &owner, error) < 0 ||
                   ledger_sandbox_become(owner, (gid_t)group, error) < 0 ||
                   ledger_sandbox_enter(directory, error) < 0
               ? -1
               : 0;
}

int main(int argc, char **argv)
{
    struct writer writer = {
        .socket = LEDGER_FD_SOCKET,
        .file = {.directory = -1, .fd = -1},
    };
    struct error error = {0};

    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("wicket-ledger " WICKET_BUILD);
        return 0;
    }
    if (!is_started_by_keeper(argc)) {
        fputs("wicket-ledger: to be started by wicket-keeper; see wicket-ledger(5)\n", stderr);
        return EX_USAGE;
    }
    log_init(LEDGER_FD_LOG, "wicket-ledger", 0);
    int outcome = start(&writer, argv, &error);
    if (outcome < 0)
        writer_tell(&writer, error.text); /* who says it, and where */
    else if (writer_run(&writer, &error) < 0)
        log_errorx("%s", error.text);
    ledger_file_deinit(&writer.file);
    return error.exit_code;
}
