// SPDX-License-Identifier: GPL-2.0-or-later
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "build.h"
#include "check/check.h"
#include "check/judge.h"
#include "check/legacy.h"
#include "cli/arguments.h"
#include "wicket/log.h"
#include "wicket/quote.h"

#define DOMAIN_MAX 253

static const char usage[] =
    "usage: wicket-check [--config FILE] [--json | --explain] [--] [DOMAIN...]\n"
    "\n"
    "What would stop a renewal on this host. Started by `wicket check` and `wicket ruleset\n"
    "--explain`. See wicket(1).\n";

struct start {
    const char *config;
    bool json, explain;
    char **domains;
};

/* -1: go on; else the exit code. */
static int parse(struct start *start, int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"json", no_argument, NULL, 'j'},
        {"explain", no_argument, NULL, 'e'},      {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},      {0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            start->config = optarg;
            break;
        case 'j':
            start->json = true;
            break;
        case 'e':
            start->explain = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        case 'V':
            puts("wicket-check " WICKET_BUILD);
            return 0;
        default:
            return EX_USAGE;
        }
    }
    start->domains = argv + optind;
    return -1;
}

/* What the resolver is asked for, and the report repeats. */
static bool is_domain(const char *text)
{
    size_t length = strlen(text);

    return length > 0 && length <= DOMAIN_MAX &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._*") ==
               length;
}

static int check_domains(char *const *domains)
{
    for (; *domains; domains++)
        if (!is_domain(*domains)) {
            log_errorx("check: %s is no domain name; write names of other scripts as xn--...",
                       QUOTE(*domains, strlen(*domains)));
            return EX_USAGE;
        }
    return 0;
}

static void check_all(struct check *check, const char *path, char *const *domains)
{
    struct error error;

    if (!check_config(check, path))
        return;
    if (network_read(&check->network, &error) < 0) {
        findings_add(&check->report, LEVEL_FINDING, "network", NULL, NULL, "%s", error.text);
    } else {
        check_privileges(check);
        check_listeners(check);
        check_conntrack(check);
        if (geteuid() == 0)
            check_kernel(check);
        check_firewall(check);
        check_window(check);
        for (; *domains; domains++)
            check_domain(check, *domains);
    }
    network_deinit(&check->network);
    config_deinit(&check->settings.config);
}

static int report(const struct check *check, bool json)
{
    struct error error = {0};

    if (check->report.out_of_memory) {
        log_errorx("out of memory: not everything was looked at");
        return EX_OSERR;
    }
    if (!json)
        findings_write(stdout, &check->report);
    else if (findings_write_json(stdout, &check->report, &error) < 0) {
        log_errorx("%s", error.text);
        return error.exit_code;
    }
    return findings_count(&check->report, LEVEL_FINDING) > 0 ? 1 : 0;
}

static int explain_chains(struct check *check, struct error *error)
{
    struct firewall firewall;
    struct journey journey = {
        .firewall = &firewall, .network = &check->network, .config = &check->settings.config};

    if (check_redirect_priority(&check->settings.config, &journey.redirect_priority, error) < 0)
        return -1;
    if (firewall_read(&firewall, error) < 0)
        return -1;
    int result = legacy_read(&firewall, error);
    if (result == 0) {
        printf("\n# What the other chains of this host do while a window is open\n");
        judge_explain(stdout, &journey);
    }
    firewall_deinit(&firewall);
    return result;
}

/* Behind the table, which is printed already. */
static int explain(struct check *check, const char *path)
{
    struct error error = {0};

    if (!check_config(check, path)) {
        findings_write(stderr, &check->report);
        return EX_CONFIG;
    }
    if (network_read(&check->network, &error) < 0 || explain_chains(check, &error) < 0)
        printf("\n# What the other chains of this host do with it is for root to see:\n# %s\n",
               error.text);
    network_deinit(&check->network);
    config_deinit(&check->settings.config);
    return 0;
}

int main(int argc, char **argv)
{
    struct start start = {0};
    struct check check = {0};
    struct error error = {0};
    char path[sizeof(check.settings.config.path)];

    log_init(STDERR_FILENO, "wicket", 0);
    int exit_code = parse(&start, argc, argv);
    if (exit_code >= 0)
        return exit_code;
    signal(SIGCHLD, SIG_DFL);
    exit_code = check_domains(start.domains);
    if (exit_code != 0)
        return exit_code;
    const struct arguments arguments = {.config = start.config};
    const struct invocation invocation = {&arguments, environ};
    if (settings_find(&check.settings, path, &invocation, &error) < 0) {
        log_errorx("%s", error.text);
        return error.exit_code;
    }
    findings_init(&check.report);
    if (start.explain) {
        exit_code = explain(&check, path);
    } else {
        check_all(&check, path, start.domains);
        exit_code = report(&check, start.json);
    }
    findings_deinit(&check.report);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        log_error("cannot write to standard output");
        return EX_IOERR;
    }
    return exit_code;
}
