// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/child.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "cli/settings.h"
#include "cli/start.h"
#include "wicket/log.h"

/* The caller's environment with the two variables of ours in place of any of that name. */
struct run_environment {
    char webroot[sizeof "WICKET_WEBROOT=" + CONFIG_PATH_MAX];
    char config[sizeof SETTINGS_VARIABLE "=" + sizeof((struct config *)NULL)->path];
    char **pointers;
};

static bool is_variable(const char *entry, const char *assignment)
{
    const size_t length = (size_t)(strchr(assignment, '=') - assignment) + 1;
    return strncmp(entry, assignment, length) == 0;
}

static int make_environment(struct run_environment *out, const struct settings *settings,
                            char *const *environment, struct error *error)
{
    snprintf(out->webroot, sizeof out->webroot, "WICKET_WEBROOT=%s",
             settings->config.tokens.webroot);
    snprintf(out->config, sizeof out->config, SETTINGS_VARIABLE "=%s", settings->config.path);
    size_t count = 0;
    while (environment[count] != NULL) {
        count++;
    }
    out->pointers = calloc(count + 3, sizeof *out->pointers);
    if (out->pointers == NULL) {
        return error_set_errno(error, EX_OSERR, "run: cannot copy the environment");
    }
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_variable(environment[i], out->webroot) &&
            !(settings->given && is_variable(environment[i], out->config))) {
            out->pointers[at++] = environment[i];
        }
    }
    out->pointers[at++] = out->webroot;
    if (settings->given) {
        out->pointers[at++] = out->config; /* the hooks inside find the same keeper */
    }
    return 0;
}

static int arm(struct connection *connection, bool open, const char *command, struct error *error)
{
    union control_message request;
    control_message_init(&request, CONTROL_ARM);
    request.arm.open = open ? 1 : 0;
    char purpose[CONTROL_PURPOSE_MAX];
    const char *slash = strrchr(command, '/');
    snprintf(purpose, sizeof purpose, "wicket run %.60s", slash != NULL ? slash + 1 : command);
    connection_set_purpose(&request.arm.purpose, purpose);
    return connection_request(connection, &request, CONNECTION_OPEN_MS, error);
}

/* Until the command has ended; the keeper says nothing unasked, so that anything is an end. */
static int supervise(struct child *child, struct connection *connection)
{
    for (;;) {
        struct pollfd fds[] = {
            {.fd = child->pid_fd, .events = POLLIN},
            {.fd = child->signal_fd, .events = POLLIN},
            {.fd = connection->fd, .events = POLLIN}, /* -1 is passed over */
        };
        if (poll(fds, sizeof fds / sizeof fds[0], -1) < 0 && errno != EINTR) {
            log_warn("run: cannot wait for events, only for the end of the command");
            return child_wait(child);
        }
        if (fds[1].revents != 0) {
            child_pass_signals(child);
        }
        if (fds[2].revents != 0) {
            log_warnx("the keeper (pid %d) went away: no window is open; the command goes on",
                      (int)connection->keeper_pid);
            connection_close(connection);
        }
        if (fds[0].revents != 0) {
            return child_wait(child);
        }
    }
}

static int take_report(void *context, const union control_message *message, int fd,
                       struct error *error)
{
    if (fd >= 0) {
        close(fd);
        return error_set(error, EX_SOFTWARE, "the keeper's report is wrong");
    }
    *(struct control_report *)context = message->report;
    return 0;
}

/* `status` is the command's: why it failed is worth more than a line of counts then. */
static void tell_report(struct connection *connection, const struct settings *settings, int status)
{
    if (connection->fd < 0) {
        log_warnx("run: no report, since the keeper went away");
        return;
    }
    union control_message request;
    control_message_init(&request, CONTROL_ASK_REPORT);
    struct control_report report = {0};
    const struct connection_answer answer = {CONTROL_REPORT, take_report, &report};
    struct error error;
    if (connection_ask(connection, &request, &answer, CONNECTION_ANSWER_MS, NULL, &error) < 0) {
        log_warnx("run: no report: %s", error.text);
        return;
    }
    char text[REPORT_TEXT];
    log_info("%s", report_format(text, sizeof text, &report));
    char reason[EVIDENCE_TEXT];
    if (status != 0 && report_explain(reason, &report, settings->config.responder.port)) {
        log_warnx("%s", reason);
    }
}

static int run_armed(const struct settings *settings, struct connection *connection,
                     const struct invocation *invocation, struct error *error)
{
    struct run_environment environment = {.pointers = NULL};
    if (make_environment(&environment, settings, invocation->environment, error) < 0) {
        return -1;
    }
    struct child child;
    int result = child_start(&child, invocation->arguments->operands, environment.pointers, error);
    if (result == 0) {
        result = supervise(&child, connection);
        child_deinit(&child);
        tell_report(connection, settings, result);
    }
    free(environment.pointers);
    return result;
}

static int run(const struct invocation *invocation, struct error *error)
{
    const struct arguments *arguments = invocation->arguments;
    struct settings settings;
    if (settings_load(&settings, invocation, error) < 0) {
        return -1;
    }
    struct connection connection = CONNECTION_CLOSED;
    int result = start_connect(&connection, &settings, error);
    if (result == 0) {
        result = arm(&connection, arguments->open, arguments->operands[0], error);
    }
    if (result == 0) {
        result = run_armed(&settings, &connection, invocation, error);
    }
    connection_close(&connection);
    settings_deinit(&settings);
    return result;
}

const struct command command_run = {
    .name = "run",
    .operands = "[--open] [--] COMMAND [ARG...]",
    .summary = "run an ACME client with wicket armed",
    .help =
        "usage: wicket [-c FILE] run [--open] [--] COMMAND [ARG...]\n"
        "\n"
        "Keeps a keeper at hand while COMMAND runs, so that its hooks find one; a window opens\n"
        "only when a challenge is registered, or with --open at once and for as long as\n"
        "COMMAND runs. WICKET_WEBROOT in its environment is a directory for clients that\n"
        "write challenge files. Signals are passed on. In the end one line on standard error\n"
        "says how long a window was open and what went through it; if COMMAND failed, another\n"
        "one says what that tells of the reason.\n"
        "\n"
        "The exit status is COMMAND's, 128+n if signal n ended it, 126 if it cannot be\n"
        "executed, 127 if it is not found.\n"
        "\n"
        "example:\n"
        "  wicket run -- certbot renew\n",
    .missing = "no command given",
    .options = COMMAND_OPTION_OPEN,
    .operands_min = 1,
    .operands_max = SIZE_MAX,
    .runs_program = true,
    .function = run,
};
