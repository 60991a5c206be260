// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include <sys/wait.h>

#include "fake.h"

/* The program itself: argv[1] is its path. */

static const char *program;

struct outcome {
    int status;
    char out[16384];
    char err[4096];
};

static void drain(FILE *file, char *text, size_t capacity)
{
    rewind(file);
    text[fread(text, 1, capacity - 1, file)] = '\0';
    fclose(file);
}

/* Runs it with these arguments and an environment of `variable` alone, standard output to
 * `out_path` if that is not NULL. */
static void run_with(struct outcome *outcome, const char *variable, const char *out_path,
                     const char *const *arguments)
{
    FILE *out = out_path == NULL ? tmpfile() : fopen(out_path, "w");
    FILE *err = tmpfile();
    assert_true(out != NULL && err != NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char *words[12] = {(char *)(uintptr_t)program};
        for (size_t i = 0; arguments[i] != NULL; i++)
            words[i + 1] = (char *)(uintptr_t)arguments[i];
        char *environment[] = {(char *)(uintptr_t)variable, NULL};
        dup2(fileno(out), STDOUT_FILENO);
        dup2(fileno(err), STDERR_FILENO);
        execve(program, words, environment);
        _exit(99);
    }
    assert_int_equal(waitpid(child, &outcome->status, 0), child);
    assert_true(WIFEXITED(outcome->status));
    outcome->status = WEXITSTATUS(outcome->status);
    outcome->out[0] = '\0';
    if (out_path == NULL)
        drain(out, outcome->out, sizeof outcome->out);
    else
        fclose(out);
    drain(err, outcome->err, sizeof outcome->err);
}

#define RUN(outcome, ...) run_with((outcome), NULL, NULL, (const char *const[]){__VA_ARGS__, NULL})

/* A configuration whose socket nobody listens at; the caller unlinks it. */
static void write_config(char *path, const char *text)
{
    strcpy(path, "/tmp/wicket-program-XXXXXX");
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

#define NOBODY "control:\n  socket: /tmp/wicket-program-nobody.sock\n"

static void test_help_and_version(void **state)
{
    (void)state;
    static const char *const commands[] = {"run",   "hook",   "add",     "remove", "open",
                                           "close", "status", "ruleset", "check",  "serve"};
    struct outcome outcome;
    RUN(&outcome, "--help");
    assert_int_equal(outcome.status, 0);
    assert_string_equal(outcome.err, "");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        char line[32];
        snprintf(line, sizeof line, "\n  %s", commands[i]);
        assert_non_null(strstr(outcome.out, line));
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        RUN(&outcome, commands[i], "--help");
        assert_int_equal(outcome.status, 0);
        assert_string_equal(outcome.err, "");
        assert_memory_equal(outcome.out, "usage: wicket ", 14);
    }
    RUN(&outcome, "--version");
    assert_int_equal(outcome.status, 0);
    assert_memory_equal(outcome.out, "wicket ", 7);
}

static void test_errors_are_one_line_on_stderr(void **state)
{
    (void)state;
    char config[64];
    char wrong[64];
    write_config(config, NOBODY);
    write_config(wrong, "redirect:\n  prot: 80\n");
    const struct {
        const char *arguments[8];
        int status;
        const char *text;
    } rows[] = {
        {{NULL}, EX_USAGE, "see wicket --help"},
        {{"run"}, EX_USAGE, "run: no command given; see wicket run --help"},
        {{"-c", config, "open", "--for", "0s"}, EX_USAGE, "--for \"0s\""},
        {{"-c", config, "open", "--for", "5 m"}, EX_USAGE, "--for \"5 m\""},
        {{"-c", config, "hook", "acme"}, EX_USAGE, "no hook for \"acme\""},
        {{"-c", config, "hook", "certbot", "renew"}, EX_USAGE, "neither auth nor cleanup"},
        {{"-c", config, "hook", "certbot", "auth", "x"}, EX_USAGE, "one argument too many"},
        {{"-c", config, "hook", "certbot", "auth"}, EX_USAGE, "CERTBOT_DOMAIN is not set"},
        {{"-c", config, "status", "--watch", "--json"}, EX_USAGE, "do not go together"},
        {{"-c", config, "add", "no\nkey"}, EX_DATAERR, "\\x0a"},
        {{"-c", config, "add", "--", "abc"}, EX_DATAERR, "abc"},
        {{"-c", config, "remove", "../x"}, EX_DATAERR, "../x"},
        {{"-c", wrong, "open"}, EX_CONFIG, "redirect"},
        {{"-c", "/nonexistent.yaml", "run", "true"}, EX_CONFIG, "/nonexistent.yaml"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct outcome outcome;
        run_with(&outcome, NULL, NULL, rows[i].arguments);
        assert_int_equal(outcome.status, rows[i].status);
        assert_string_equal(outcome.out, "");
        assert_memory_equal(outcome.err, "wicket: ", 8);
        assert_ptr_equal(strchr(outcome.err, '\n'), outcome.err + strlen(outcome.err) - 1);
        if (strstr(outcome.err, rows[i].text) == NULL)
            fail_msg("row %zu says: %s", i, outcome.err);
    }
    unlink(config);
    unlink(wrong);
}

static void test_nothing_runs(void **state)
{
    (void)state;
    char config[64];
    write_config(config, NOBODY);
    struct outcome outcome;
    RUN(&outcome, "status", "-c", config);
    assert_int_equal(outcome.status, 0);
    assert_string_equal(outcome.out, "SHUT: no keeper runs; port 80 is with production\n");
    RUN(&outcome, "status", "--json", "-c", config);
    assert_int_equal(outcome.status, 0);
    assert_string_equal(outcome.out, "{\"version\":1,\"running\":false}\n");
    RUN(&outcome, "close", "-c", config);
    assert_int_equal(outcome.status, 0);
    assert_string_equal(outcome.err, "wicket: no keeper runs, so nothing is closed\n");
    RUN(&outcome, "remove", "-abc", "-c", config);
    assert_int_equal(outcome.status, 0);
    assert_string_equal(outcome.err, "wicket: no keeper runs, so no token is served\n");
    unlink(config);
}

static void test_configuration_from_the_environment(void **state)
{
    (void)state;
    char config[64];
    char variable[96];
    write_config(config, "redirect:\n  port: 8081\n");
    snprintf(variable, sizeof variable, "WICKET_CONFIG=%s", config);
    struct outcome outcome;
    run_with(&outcome, variable, NULL, (const char *const[]){"ruleset", NULL});
    assert_int_equal(outcome.status, 0);
    assert_memory_equal(outcome.out, "table inet wicket {", 19);
    assert_non_null(strstr(outcome.out, "8081"));
    run_with(&outcome, "WICKET_CONFIG=/nonexistent.yaml", NULL,
             (const char *const[]){"ruleset", NULL});
    assert_int_equal(outcome.status, EX_CONFIG);
    /* -c goes before it. */
    run_with(&outcome, "WICKET_CONFIG=/nonexistent.yaml", NULL,
             (const char *const[]){"ruleset", "-c", config, NULL});
    assert_int_equal(outcome.status, 0);
    unlink(config);
}

static void test_a_full_disk_is_no_success(void **state)
{
    (void)state;
    static const char *const commands[][3] = {
        {"--help", NULL}, {"--version", NULL}, {"run", "--help", NULL}};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        struct outcome outcome;
        run_with(&outcome, NULL, "/dev/full", commands[i]);
        assert_int_equal(outcome.status, EX_IOERR);
        assert_non_null(strstr(outcome.err, "wicket: cannot write to standard output: "));
    }
    char config[64];
    write_config(config, NOBODY);
    struct outcome outcome;
    run_with(&outcome, NULL, "/dev/full", (const char *const[]){"-c", config, "status", NULL});
    assert_int_equal(outcome.status, EX_IOERR);
    run_with(&outcome, NULL, "/dev/full", (const char *const[]){"-c", config, "ruleset", NULL});
    assert_int_equal(outcome.status, EX_IOERR);
    unlink(config);
}

/* Arms, and tells of a window; with a context it hangs up as soon as it has armed. */
static void arm_and_report(struct fake *fake, int client, int number)
{
    (void)number;
    fake_greet(client, fake->settings.config.path);
    union control_message message;
    for (;;) {
        switch (fake_next(client, &message)) {
        case CONTROL_ARM:
            fake_result(client, strcmp(message.arm.purpose, "wicket run sh") == 0 ? 0 : 70, "");
            if (fake->context != NULL)
                return;
            break;
        case CONTROL_ASK_REPORT:
            control_message_init(&message, CONTROL_REPORT);
            message.report.open_ms = 3200;
            message.report.windows = 1;
            message.report.tokens = 2;
            control_send(client, &message, -1);
            fake_result(client, 0, "");
            break;
        default:
            return;
        }
    }
}

static void run_armed(struct outcome *outcome, const char *script, const char *context)
{
    struct fake fake;
    fake_start(&fake, arm_and_report, (void *)(uintptr_t)context);
    const char *path = fake.settings.config.path;
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, "control:\n  socket: %s\ntokens:\n  webroot: %s/webroot\n",
            fake.settings.config.control.socket, fake.directory);
    assert_int_equal(fclose(file), 0);
    run_with(outcome, "PATH=/usr/bin:/bin", NULL,
             (const char *const[]){"-c", path, "run", "sh", "-c", script, NULL});
    unlink(path);
    fake_stop(&fake);
}

static void test_run(void **state)
{
    (void)state;
    struct outcome outcome;
    run_armed(&outcome,
              "printf '%s %s' \"${WICKET_CONFIG#/tmp/wicket-fake-??????}\" "
              "\"${WICKET_WEBROOT#/tmp/wicket-fake-??????}\"; exit 7",
              NULL);
    assert_int_equal(outcome.status, 7);
    assert_string_equal(outcome.out, "/wicket.yaml /webroot");
    assert_string_equal(outcome.err,
                        "wicket: window open 3.2 s, 2 tokens, 0 validations from 0 addresses, "
                        "no visitors\n"
                        "wicket: nobody came: not one connection from outside reached port 80 of "
                        "this host while the window was open; the CA's requests end before it: "
                        "look at DNS (A and AAAA), a firewall or port forwarding in front, and "
                        "routing; wicket check DOMAIN helps\n");
    run_armed(&outcome, "kill -KILL $$", NULL);
    assert_int_equal(outcome.status, 128 + 9);
    /* A signal for wicket is one for the command, which decides what becomes of it. */
    run_armed(&outcome,
              "trap 'exit 9' TERM; sh -c 'kill -TERM $1' - $PPID & while :; do wait; done", NULL);
    assert_int_equal(outcome.status, 9);
}

/* The command ends only once wicket has said that the keeper is gone. */
static void test_run_outlives_the_keeper(void **state)
{
    (void)state;
    struct outcome outcome;
    run_armed(&outcome, "until grep -q 'went away' /proc/$PPID/fd/2; do :; done; exit 4", "gone");
    assert_int_equal(outcome.status, 4);
    assert_non_null(strstr(outcome.err, "the keeper (pid 4711) went away"));
    assert_non_null(strstr(outcome.err, "no report"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help_and_version),
        cmocka_unit_test(test_errors_are_one_line_on_stderr),
        cmocka_unit_test(test_nothing_runs),
        cmocka_unit_test(test_configuration_from_the_environment),
        cmocka_unit_test(test_a_full_disk_is_no_success),
        cmocka_unit_test(test_run),
        cmocka_unit_test(test_run_outlives_the_keeper),
    };
    if (argc != 2)
        return EX_USAGE;
    program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
