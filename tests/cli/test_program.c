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

/* The program itself: argv[1] is its path. No keeper runs at the sockets named here. */

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
                                           "close", "status", "ruleset", "serve"};
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
        {{"-c", config, "add", "no\nkey"}, EX_DATAERR, "\\x0a"},
        {{"-c", config, "add", "--", "abc"}, EX_DATAERR, "abc"},
        {{"-c", config, "remove", "../x"}, EX_DATAERR, "../x"},
        {{"-c", wrong, "status"}, EX_CONFIG, "redirect"},
        {{"-c", "/nonexistent.yaml", "status"}, EX_CONFIG, "/nonexistent.yaml"},
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
    assert_string_equal(outcome.err, "wicket: no keeper runs, so nothing is open\n");
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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help_and_version),
        cmocka_unit_test(test_errors_are_one_line_on_stderr),
        cmocka_unit_test(test_nothing_runs),
        cmocka_unit_test(test_configuration_from_the_environment),
        cmocka_unit_test(test_a_full_disk_is_no_success),
    };
    if (argc != 2)
        return EX_USAGE;
    program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
