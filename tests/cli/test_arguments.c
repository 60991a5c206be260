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

#include "cli/arguments.h"

#define WORDS_MAX 12

/* Splits at single spaces; "''" is an empty word. The words live in `buffer`. */
static int parse(struct arguments *out, const char *line, char *buffer, size_t capacity,
                 struct error *error)
{
    static char *words[WORDS_MAX];
    snprintf(buffer, capacity, "wicket %s", line);
    int count = 0;
    for (char *word = strtok(buffer, " "); word != NULL; word = strtok(NULL, " ")) {
        assert_true(count + 1 < WORDS_MAX);
        words[count++] = strcmp(word, "''") == 0 ? word + 2 : word;
    }
    words[count] = NULL;
    *error = (struct error){0};
    return arguments_parse(out, count, words, error);
}

#define PARSE(out, line, error) parse((out), (line), (char[256]){0}, 256, (error))

static void test_options_stand_before_and_after_the_command(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "-c f status --json",       "--config f status --json",    "status --json -c f",
        "status --config=f --json", "--config=f status --json --",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct arguments arguments;
        struct error error;
        char buffer[256];
        assert_int_equal(parse(&arguments, lines[i], buffer, sizeof buffer, &error), 0);
        assert_ptr_equal(arguments.command, &command_status);
        assert_string_equal(arguments.config, "f");
        assert_true(arguments.json);
        assert_int_equal(arguments.operand_count, 0);
        assert_null(arguments.operands[0]);
    }
}

static void test_run_leaves_the_rest_to_the_command(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "-c f run --open certbot -c x --help --json",
        "run -c f --open -- certbot -c x --help --json",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct arguments arguments;
        struct error error;
        char buffer[256];
        assert_int_equal(parse(&arguments, lines[i], buffer, sizeof buffer, &error), 0);
        assert_ptr_equal(arguments.command, &command_run);
        assert_true(arguments.open);
        assert_false(arguments.help);
        assert_string_equal(arguments.config, "f");
        assert_int_equal(arguments.operand_count, 5);
        assert_string_equal(arguments.operands[0], "certbot");
        assert_string_equal(arguments.operands[1], "-c");
        assert_string_equal(arguments.operands[4], "--json");
        assert_null(arguments.operands[5]);
    }
    struct arguments arguments;
    struct error error;
    char buffer[256];
    assert_int_equal(parse(&arguments, "run -- -- x", buffer, sizeof buffer, &error), 0);
    assert_int_equal(arguments.operand_count, 2);
    assert_string_equal(arguments.operands[0], "--");
}

/* base64url has "-" in its alphabet: one token in 64 begins with it. */
static void test_tokens_may_begin_with_a_dash(void **state)
{
    (void)state;
    static const char *const lines[] = {"remove -abc", "remove -- -abc", "remove -c f -abc",
                                        "remove -abc -c f"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct arguments arguments;
        struct error error;
        char buffer[256];
        assert_int_equal(parse(&arguments, lines[i], buffer, sizeof buffer, &error), 0);
        assert_string_equal(arguments.operands[0], "-abc");
    }
}

static void test_help_and_version(void **state)
{
    (void)state;
    struct arguments arguments;
    struct error error;
    assert_int_equal(PARSE(&arguments, "--help", &error), 0);
    assert_true(arguments.help);
    assert_null(arguments.command);
    assert_int_equal(PARSE(&arguments, "--version", &error), 0);
    assert_true(arguments.version);
    assert_int_equal(PARSE(&arguments, "run --help", &error), 0);
    assert_ptr_equal(arguments.command, &command_run);
    assert_true(arguments.help);
    assert_int_equal(PARSE(&arguments, "add -h", &error), 0);
    assert_true(arguments.help);
}

static void test_usage_errors_say_what_to_do(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *text;
    } rows[] = {
        {"", "no command given; see wicket --help"},
        {"-c f", "no command given; see wicket --help"},
        {"'' x", "unknown command \"\"; see wicket --help"},
        {"stauts", "unknown command \"stauts\"; see wicket --help"},
        {"--json status", "unknown option \"--json\"; see wicket --help"},
        {"-- status", "unknown option \"--\"; see wicket --help"},
        {"run", "run: no command given; see wicket run --help"},
        {"run --open --", "run: no command given; see wicket run --help"},
        {"run --for 5m x", "run: unknown option \"--for\"; see wicket run --help"},
        {"status --open", "status: unknown option \"--open\"; see wicket status --help"},
        {"status --json=1", "status: unknown option \"--json=1\"; see wicket status --help"},
        {"status x", "status: \"x\" is one argument too many; see wicket status --help"},
        {"status --version", "status: unknown option \"--version\"; see wicket status --help"},
        {"add", "add: no key authorization given; see wicket add --help"},
        {"add a b", "add: \"b\" is one argument too many; see wicket add --help"},
        {"remove", "remove: no token given; see wicket remove --help"},
        {"hook", "hook: no ACME client named; see wicket hook --help"},
        {"open --for", "open: --for needs a value; see wicket open --help"},
        {"open --for=", "open: the value of --for is empty; see wicket open --help"},
        {"-c", "-c needs a value; see wicket --help"},
        {"status --config", "status: --config needs a value; see wicket status --help"},
        {"-c '' status", "the value of --config is empty; see wicket --help"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arguments arguments;
        struct error error;
        assert_int_equal(PARSE(&arguments, rows[i].line, &error), -1);
        assert_string_equal(error.text, rows[i].text);
        assert_int_equal(error.exit_code, EX_USAGE);
    }
}

static void test_no_arguments_at_all(void **state)
{
    (void)state;
    struct arguments arguments;
    struct error error;
    char *none[] = {NULL};
    assert_int_equal(arguments_parse(&arguments, 0, none, &error), -1);
    assert_int_equal(error.exit_code, EX_USAGE);
}

static void test_every_command_is_complete(void **state)
{
    (void)state;
    size_t count = 0;
    for (const struct command *const *at = command_table(); *at != NULL; at++, count++) {
        const struct command *command = *at;
        assert_ptr_equal(command_find(command->name), command);
        assert_non_null(command->function);
        assert_non_null(strstr(command->help, "usage: wicket [-c FILE] "));
        assert_non_null(strstr(command->help, "\nexample:\n"));
        assert_true(command->help[strlen(command->help) - 1] == '\n');
        assert_true(command->operands_min == 0 || command->missing != NULL);
        for (const char *line = command->help; line != NULL; line = strchr(line + 1, '\n')) {
            assert_true(strcspn(line + 1, "\n") <= 90);
        }
    }
    assert_int_equal(count, 10);
    assert_null(command_find("stop"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_stand_before_and_after_the_command),
        cmocka_unit_test(test_run_leaves_the_rest_to_the_command),
        cmocka_unit_test(test_tokens_may_begin_with_a_dash),
        cmocka_unit_test(test_help_and_version),
        cmocka_unit_test(test_usage_errors_say_what_to_do),
        cmocka_unit_test(test_no_arguments_at_all),
        cmocka_unit_test(test_every_command_is_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
