// SPDX-License-Identifier: GPL-2.0-or-later
/* What the writer makes of a keeper that speaks, is silent, and dies. */
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "ledger/writer.h"

struct bench {
    char directory[64];
    char path[96];
    int keeper; /* our end of the socket */
    struct writer writer;
};

static int bench_make(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct error error;
    uid_t owner;
    int pair[2];

    *state = bench;
    strcpy(bench->directory, "/tmp/wicket-writer-XXXXXX");
    if (mkdtemp(bench->directory) == NULL || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
        return -1;
    snprintf(bench->path, sizeof(bench->path), "%s/ledger", bench->directory);
    bench->keeper = pair[0];
    bench->writer = (struct writer){.socket = pair[1], .keeper = "abc-1"};
    return ledger_file_init(&bench->writer.file, bench->path, 100000, &owner, &error);
}

static int bench_clear(void **state)
{
    struct bench *bench = *state;

    ledger_file_deinit(&bench->writer.file);
    close(bench->writer.socket);
    if (bench->keeper >= 0)
        close(bench->keeper);
    unlink(bench->path);
    rmdir(bench->path);
    strcat(bench->path, ".lock");
    unlink(bench->path);
    int result = rmdir(bench->directory);
    free(bench);
    return result;
}

static void say(const struct bench *bench, uint32_t flags, uint32_t left_out, const char *line)
{
    struct ledger_entry entry = {.flags = flags, .left_out = left_out};

    memcpy(entry.line, line, strlen(line));
    assert_int_equal(send(bench->keeper, &entry, LEDGER_ENTRY_HEAD + strlen(line), 0),
                     LEDGER_ENTRY_HEAD + strlen(line));
}

/* No answer when `text` is NULL. */
static void expect_answer(const struct bench *bench, uint64_t lost, const char *text)
{
    struct ledger_answer answer;
    ssize_t got = recv(bench->keeper, &answer, sizeof(answer), MSG_DONTWAIT);

    if (text == NULL) {
        assert_int_equal(got, -1);
        assert_int_equal(errno, EAGAIN);
        return;
    }
    assert_int_equal(got, sizeof(answer));
    assert_int_equal(answer.lost, lost);
    if (text[0] == '\0' ? answer.text[0] != '\0' : strstr(answer.text, text) == NULL)
        fail_msg("%s", answer.text);
}

/* Line `number` of the ledger, from 0 on; NULL: there is none. */
static json_t *line(const struct bench *bench, unsigned int number)
{
    char text[LEDGER_LINE_MAX];
    FILE *stream = fopen(bench->path, "re");
    json_t *object = NULL;

    assert_non_null(stream);
    while (fgets(text, sizeof(text), stream) != NULL) {
        if (number-- > 0)
            continue;
        object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(object);
        break;
    }
    fclose(stream);
    return object;
}

static void expect_event(const struct bench *bench, unsigned int number, const char *event)
{
    json_t *object = line(bench, number);

    assert_non_null(object);
    assert_string_equal(json_string_value(json_object_get(object, "event")), event);
    json_decref(object);
}

static void run(struct bench *bench)
{
    struct error error = {0};

    assert_int_equal(writer_run(&bench->writer, &error), 0);
}

static void test_goodbye(void **state)
{
    struct bench *bench = *state;

    say(bench, LEDGER_OPEN, 0, "{\"event\":\"one\"}\n");
    say(bench, 0, 0, "{\"event\":\"two\"}\n");
    say(bench, LEDGER_GOODBYE, 0, "");
    run(bench);
    expect_event(bench, 0, "one");
    expect_event(bench, 1, "two");
    assert_null(line(bench, 2));
    expect_answer(bench, 0, NULL);
}

/* It is on record that nobody knows how the window ended. */
static void test_lost_keeper(void **state)
{
    struct bench *bench = *state;

    say(bench, LEDGER_OPEN, 0, "{\"event\":\"one\"}\n");
    close(bench->keeper);
    bench->keeper = -1;
    run(bench);
    expect_event(bench, 0, "one");
    json_t *last = line(bench, 1);
    assert_string_equal(json_string_value(json_object_get(last, "event")), "keeper-lost");
    assert_string_equal(json_string_value(json_object_get(last, "keeper")), "abc-1");
    assert_int_equal(json_integer_value(json_object_get(last, "v")), LEDGER_VERSION);
    json_decref(last);
}

static void test_lost_keeper_without_a_window(void **state)
{
    struct bench *bench = *state;

    say(bench, LEDGER_OPEN, 0, "{\"event\":\"one\"}\n");
    say(bench, 0, 0, "{\"event\":\"two\"}\n");
    close(bench->keeper);
    bench->keeper = -1;
    run(bench);
    assert_null(line(bench, 2));
}

/* What could not be written is said once each way, and counted in the ledger. */
static void test_trouble(void **state)
{
    struct bench *bench = *state;

    assert_int_equal(mkdir(bench->path, 0700), 0);
    say(bench, 0, 0, "{\"event\":\"one\"}\n");
    say(bench, 0, 0, "{\"event\":\"two\"}\n");
    say(bench, LEDGER_GOODBYE, 0, "");
    run(bench);
    expect_answer(bench, 1, bench->path);
    expect_answer(bench, 2, bench->path);
    expect_answer(bench, 0, NULL);
    assert_int_equal(rmdir(bench->path), 0);
    say(bench, 0, 3, "{\"event\":\"three\"}\n"); /* and three did not reach it */
    say(bench, 0, 0, "{\"event\":\"four\"}\n");
    say(bench, LEDGER_GOODBYE, 0, "");
    run(bench);
    expect_answer(bench, 5, "");
    expect_answer(bench, 0, NULL);
    json_t *first = line(bench, 0);
    assert_string_equal(json_string_value(json_object_get(first, "event")), "left-out");
    assert_int_equal(json_integer_value(json_object_get(first, "lines")), 5);
    json_decref(first);
    expect_event(bench, 1, "three");
    expect_event(bench, 2, "four");
    assert_null(line(bench, 3));
}

static void test_what_is_no_line(void **state)
{
    static const char *const rows[] = {"no end", "two\nlines\n", "\n", "tab\there\n", "\x80\n"};
    struct bench *bench = *state;
    struct error error;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        say(bench, 0, 0, rows[i]);
        assert_int_equal(writer_run(&bench->writer, &error), -1);
        assert_int_equal(error.exit_code, EX_SOFTWARE);
    }
    assert_int_equal(send(bench->keeper, "123", 3, 0), 3);
    assert_int_equal(writer_run(&bench->writer, &error), -1);
    assert_int_equal(access(bench->path, F_OK), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_make, bench_clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_goodbye), TEST(test_lost_keeper),     TEST(test_lost_keeper_without_a_window),
        TEST(test_trouble), TEST(test_what_is_no_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
