// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/settings.h"
#include "cli/validators_print.h"
#include "wicket/log.h"
#include "wicket/quote.h"

enum format { FORMAT_TEXT, FORMAT_PLAIN, FORMAT_NFT, FORMAT_JSON };

static int find_format(enum format *out, const struct arguments *arguments, struct error *error)
{
    static const char *const names[] = {
        [FORMAT_PLAIN] = "plain", [FORMAT_NFT] = "nft", [FORMAT_JSON] = "json"};
    const char *wanted = arguments->format;
    *out = arguments->json ? FORMAT_JSON : FORMAT_TEXT;
    if (wanted == NULL) {
        return 0;
    }
    for (enum format i = FORMAT_PLAIN; i <= FORMAT_JSON; i++) {
        if (strcmp(names[i], wanted) == 0) {
            *out = i;
            return arguments->json && i != FORMAT_JSON
                       ? error_set(error, EX_USAGE,
                                   "validators: --json and --format %s do not go together; see "
                                   "wicket validators --help",
                                   wanted)
                       : 0;
        }
    }
    return error_set(error, EX_USAGE,
                     "validators: --format is nft, plain or json, not %s; see wicket validators "
                     "--help",
                     QUOTE(wanted, strlen(wanted)));
}

static int refuse(const char *path, const struct settings *settings, struct error *error)
{
    if (errno == EACCES || errno == EPERM) {
        return error_set(
            error, EX_NOPERM,
            "%s: only root and members of the group %s may read it; ask as one of them", path,
            settings->config.control.group);
    }
    return error_set_errno(error, EX_IOERR, "%s", path);
}

/* Nothing is read where there is no such file. *found says whether there was one. */
static int read_file(struct observations *observations, const char *path,
                     const struct settings *settings, bool *found, struct error *error)
{
    struct stat status;
    /* Something else in its place must not make us wait. */
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        return 0;
    }
    if (fd < 0) {
        return refuse(path, settings, error);
    }
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return error_set(error, EX_IOERR, "%s is no regular file, and so no ledger", path);
    }
    *found = true;
    FILE *stream = fdopen(fd, "r");
    if (stream == NULL) {
        close(fd);
        return error_set_errno(error, EX_OSERR, "%s", path);
    }
    const int result = observations_read(observations, stream, path, error);
    fclose(stream);
    return result;
}

static int read_ledger(struct observations *observations, const struct settings *settings,
                       struct error *error)
{
    const char *path = settings->config.ledger.file;
    char old[sizeof settings->config.ledger.file + 2];
    bool found = false;
    if (path[0] == '\0') {
        return error_set(error, EX_CONFIG, "%s: ledger.file is none: there is no record to ask",
                         settings->config.path);
    }
    snprintf(old, sizeof old, "%s.1", path);
    if (read_file(observations, old, settings, &found, error) < 0 ||
        read_file(observations, path, settings, &found, error) < 0) {
        return -1;
    }
    if (!found) {
        log_warnx("%s is not there yet: no window has opened, or it is kept elsewhere "
                  "(ledger.file)",
                  path);
    } else if (observations->list == NULL) {
        log_warnx("%s: nobody has validated yet", path);
    }
    return 0;
}

static void warn(const struct observations *observations, const char *path)
{
    if (observations->broken > 0) {
        log_warnx("%s: %" PRIu64 " of %" PRIu64 " lines are not understood and left out", path,
                  observations->broken, observations->lines);
    }
    if (observations->newer > 0) {
        log_warnx("%s: %" PRIu64 " lines are of another version of wicket and left out", path,
                  observations->newer);
    }
    if (observations->unlisted > 0) {
        log_warnx("%s: %" PRIu64 " validations are of more addresses than are listed (%d)", path,
                  observations->unlisted, OBSERVED_ADDRESSES_MAX);
    }
}

static int print(const struct observations *observations, enum format format, const char *path,
                 struct error *error)
{
    switch (format) {
    case FORMAT_PLAIN:
        validators_print_plain(stdout, observations);
        return 0;
    case FORMAT_NFT:
        validators_print_nft(stdout, observations);
        return 0;
    case FORMAT_JSON:
        return validators_print_json(stdout, observations, path, error);
    case FORMAT_TEXT:
        break;
    }
    if (observations->list != NULL) {
        log_warnx(VALIDATORS_WARNING);
    }
    validators_print_text(stdout, observations);
    return 0;
}

static int validators(const struct invocation *invocation, struct error *error)
{
    struct settings settings;
    enum format format;
    if (find_format(&format, invocation->arguments, error) < 0 ||
        settings_load(&settings, invocation, error) < 0) {
        return -1;
    }
    const char *path = settings.config.ledger.file;
    struct observations observations = {.list = NULL};
    int result = read_ledger(&observations, &settings, error);
    if (result == 0) {
        observations_sort(&observations);
        warn(&observations, path);
        result = print(&observations, format, path, error);
    }
    observations_deinit(&observations);
    settings_deinit(&settings);
    return result;
}

const struct command command_validators = {
    .name = "validators",
    .operands = "[--format nft|plain|json]",
    .summary = "who has validated so far",
    .help =
        "usage: wicket [-c FILE] validators [--format nft|plain|json | --json]\n"
        "\n"
        "Says from the ledger which addresses fetched a challenge: their network (/24, /48), when\n"
        "first and last, how often and in how many windows. Those that came in the last window\n"
        "for the first time are marked new. It needs no keeper, but leave to read the ledger.\n"
        "\n"
        "With nft it is a table with two sets for nft -f; with plain one address a line, as\n"
        "redirect.sources_file takes it. Mind that this is the past: a CA says nothing about "
        "where\n"
        "it validates from, and may come from elsewhere tomorrow.\n"
        "\n"
        "example:\n"
        "  wicket validators --format nft | nft -f -\n",
    .options = COMMAND_OPTION_JSON | COMMAND_OPTION_FORMAT,
    .function = validators,
};
