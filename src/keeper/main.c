// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "build.h"
#include "keeper/keeper.h"
#include "wicket/log.h"
#include "wicket/sources.h"

/* With --on-demand: what wicket hands over. */
enum { LOCK_FD = 3, READY_FD = 4 };
/* Peers decide how much is logged; the runtime directory is in memory. */
enum { LOG_FILE_BYTES = 1024 * 1024 };

static const char usage[] =
    "usage: wicket-keeper [--config FILE] [--on-demand] [--verbose]\n"
    "\n"
    "Keeps the windows of acme-wicket, in the foreground. Started by `wicket serve`, by its\n"
    "service, or by wicket itself when one is needed (--on-demand). See wicket(1).\n";

struct start {
    bool on_demand;
    int verbose;
    const char *config_path;
};

/* -1: go on; else the exit code. */
static int parse(struct start *start, int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"on-demand", no_argument, NULL, 'd'},
        {"verbose", no_argument, NULL, 'v'},      {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},      {0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "c:vhV", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            start->config_path = optarg;
            break;
        case 'd':
            start->on_demand = true;
            break;
        case 'v':
            start->verbose = 1;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        case 'V':
            puts("wicket-keeper " WICKET_BUILD);
            return 0;
        default:
            return EX_USAGE;
        }
    }
    if (optind == argc)
        return -1;
    fprintf(stderr, "wicket-keeper: unexpected argument %s; see wicket-keeper --help\n",
            argv[optind]);
    return EX_USAGE;
}

/* On demand nobody reads stderr: the system log, or where there is none a file of the runtime
 * directory, which begins anew with every keeper. */
static int open_log(bool *is_file)
{
    static const struct sockaddr_un syslog = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};

    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    *is_file = fd < 0 || connect(fd, (const struct sockaddr *)&syslog, sizeof(syslog)) != 0;
    if (!*is_file)
        return fd;
    if (fd >= 0)
        close(fd);
    return open(WICKET_RUNTIME_DIR "/keeper.log",
                O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* Tells whoever started this keeper on demand, and the log. */
static void on_ready(void *context, const struct error *failure)
{
    const struct start *start = context;

    if (failure != NULL)
        log_errorx("%s", failure->text);
    else
        log_info("ready");
    if (!start->on_demand)
        return;
    if (failure != NULL)
        dprintf(READY_FD, "E%d %s", failure->exit_code, failure->text);
    else
        dprintf(READY_FD, "R");
    close(READY_FD);
}

static const char config_by_default[] = WICKET_SYSCONFDIR "/wicket/wicket.yaml";

static bool config_is_optional(const struct start *start)
{
    return start->config_path == NULL || strcmp(start->config_path, config_by_default) == 0;
}

static int read_config(struct config *config, const struct start *start)
{
    const char *path = start->config_path == NULL ? config_by_default : start->config_path;
    struct config_errors *errors = calloc(1, sizeof(*errors));
    struct error first = {0};
    int exit_code = EX_CONFIG;

    if (errors == NULL)
        return EX_OSERR;
    if (config_read(config, path, config_is_optional(start), errors, &exit_code) == 0) {
        free(errors);
        return 0;
    }
    for (size_t i = 1; i < errors->count; i++)
        log_errorx("%s", errors->lines[i]);
    error_set(&first, exit_code, "%s", errors->count == 0 ? path : errors->lines[0]);
    on_ready((void *)start, &first);
    free(errors);
    return exit_code;
}

int main(int argc, char **argv)
{
    struct start start = {0};
    struct keeper keeper;
    struct config config;
    struct service service;
    struct error error = {0};

    int exit_code = parse(&start, argc, argv);
    if (exit_code >= 0)
        return exit_code;
    /* Ignored by whoever started this, it would be ignored here too: children would be lost. */
    signal(SIGCHLD, SIG_DFL);

    bool is_file = false;
    int log = start.on_demand ? open_log(&is_file) : STDERR_FILENO;
    log_init(log < 0 ? STDERR_FILENO : log, "wicket-keeper", start.verbose);
    if (is_file)
        log_bound(LOG_FILE_BYTES);
    if (start.on_demand &&
        (fcntl(LOCK_FD, F_SETFD, FD_CLOEXEC) != 0 || fcntl(READY_FD, F_SETFD, FD_CLOEXEC) != 0)) {
        fputs("wicket-keeper: --on-demand is for wicket itself; use wicket serve\n", stderr);
        return EX_USAGE;
    }
    service_init(&service);
    if (!start.on_demand && service_take_environment(&service, event_now_ms(), &error) < 0) {
        on_ready(&start, &error);
        return error.exit_code;
    }
    exit_code = read_config(&config, &start);
    if (exit_code != 0)
        return exit_code;
    if (sources_read(&config, &error) < 0) {
        on_ready(&start, &error);
        config_deinit(&config);
        return error.exit_code;
    }

    const struct keeper_options options = {
        .on_demand = start.on_demand || service.socket_fd >= 0,
        .config_optional = config_is_optional(&start),
        .lock_fd = start.on_demand ? LOCK_FD : -1,
        .service = &service,
    };
    if (keeper_init(&keeper, &config, &options, &error) == 0)
        exit_code = keeper_run(&keeper, on_ready, &start, &error);
    else
        exit_code = error.exit_code;
    keeper_deinit(&keeper);
    /* Only now: whoever waits for this word may start the next keeper at once. */
    if (error.text[0] != '\0')
        on_ready(&start, &error);
    service_deinit(&service);
    config_deinit(&config);
    return exit_code;
}
