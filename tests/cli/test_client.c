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

#include <sys/socket.h>
#include <sys/un.h>

#include "cli/deadline.h"
#include "fake.h"

/* The client's end of the control protocol against a keeper that behaves, and some that do not. */

static int request_status(struct connection *connection, uint64_t timeout_ms, struct error *error)
{
    union control_message request;
    control_message_init(&request, CONTROL_STATUS);
    return connection_request(connection, &request, timeout_ms, error);
}

static int find(struct fake *fake, struct connection *connection, bool *running,
                struct error *error)
{
    *error = (struct error){0};
    *connection = CONNECTION_CLOSED;
    return connection_find(connection, &fake->settings, deadline_in(5000), running, error);
}

static void greet_and_answer(struct fake *fake, int client, int number)
{
    (void)number;
    fake_greet(client, fake->settings.config.path);
    union control_message request;
    while (fake_next(client, &request) != 0)
        fake_result(client, 0, "");
}

static void test_greeting(void **state)
{
    (void)state;
    struct fake fake;
    struct connection connection;
    struct error error;
    bool running;
    fake_start(&fake, greet_and_answer, NULL);
    fake.settings.given = true;
    assert_int_equal(find(&fake, &connection, &running, &error), 0);
    assert_true(running);
    assert_int_equal(connection.keeper_pid, 4711);
    assert_int_equal(request_status(&connection, 5000, &error), 0);
    assert_int_equal(request_status(&connection, 5000, &error), 0);
    connection_close(&connection);
    connection_close(&connection);
    fake_stop(&fake);
}

static void test_nobody(void **state)
{
    (void)state;
    struct fake fake;
    struct connection connection;
    struct error error;
    bool running = true;
    fake_start(&fake, greet_and_answer, NULL);
    struct settings settings = fake.settings;
    fake_stop(&fake);
    assert_int_equal(connection_find(&connection, &settings, deadline_in(5000), &running, &error),
                     0);
    assert_false(running);
}

static void hang_up_three_times(struct fake *fake, int client, int number)
{
    if (number >= 3)
        greet_and_answer(fake, client, number);
}

static void test_end_before_the_greeting_is_tried_again(void **state)
{
    (void)state;
    struct fake fake;
    struct connection connection;
    struct error error;
    bool running;
    fake_start(&fake, hang_up_three_times, NULL);
    assert_int_equal(find(&fake, &connection, &running, &error), 0);
    assert_true(running);
    assert_int_equal(fake.connections, 4);
    connection_close(&connection);
    fake_stop(&fake);
}

static void count_watches(struct fake *fake, int client, int number)
{
    size_t *const watches = fake->context;
    watches[number] = fake_watches();
    hang_up_three_times(fake, client, number);
}

/* It takes the kernel long to end a watch, and a keeper that answers needs none. Whatever happens
 * between two attempts is seen by the later one, or by the watch before it. */
static void test_watch_only_behind_the_first_attempt(void **state)
{
    (void)state;
    struct fake fake;
    struct connection connection;
    struct error error;
    bool running;
    size_t watches[4] = {9, 9, 9, 9};
    fake_start(&fake, count_watches, watches);
    assert_int_equal(find(&fake, &connection, &running, &error), 0);
    assert_true(running);
    connection_close(&connection);
    fake_stop(&fake);
    assert_int_equal(watches[0], 0);
    for (size_t i = 1; i < 4; i++)
        assert_int_equal(watches[i], 1);
}

static void hang_up(struct fake *fake, int client, int number)
{
    (void)fake;
    (void)client;
    (void)number;
}

static void test_end_before_every_greeting(void **state)
{
    (void)state;
    struct fake fake;
    struct connection connection = CONNECTION_CLOSED;
    struct error error;
    bool running;
    fake_start(&fake, hang_up, NULL);
    assert_int_equal(
        connection_find(&connection, &fake.settings, deadline_in(300), &running, &error), -1);
    assert_int_equal(error.exit_code, EX_TEMPFAIL);
    assert_false(running);
    fake_stop(&fake);
    /* It waits longer each time instead of spinning: 10 + 20 + 40 + 80 + 160 ms. */
    assert_in_range(fake.connections, 2, 10);
}

static void wait_for_the_end(struct fake *fake, int client, int number)
{
    (void)fake;
    (void)number;
    union control_message request;
    fake_next(client, &request);
}

static void test_no_greeting_in_time(void **state)
{
    (void)state;
    struct fake fake;
    struct connection connection = CONNECTION_CLOSED;
    struct error error;
    bool running;
    fake_start(&fake, wait_for_the_end, NULL);
    assert_int_equal(
        connection_find(&connection, &fake.settings, deadline_in(100), &running, &error), -1);
    assert_int_equal(error.exit_code, EX_TEMPFAIL);
    fake_stop(&fake);
}

/* A listener that never accepts. */
static void test_full_queue(void **state)
{
    (void)state;
    struct settings settings = {0};
    config_init(&settings.config);
    char directory[] = "/tmp/wicket-queue-XXXXXX";
    assert_non_null(mkdtemp(directory));
    snprintf(settings.config.control.socket, sizeof settings.config.control.socket, "%s/s",
             directory);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, settings.config.control.socket);
    const int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 0), 0);
    int clients[8];
    size_t count = 0;
    do {
        clients[count] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    } while (connect(clients[count], (struct sockaddr *)&address, sizeof address) == 0 &&
             ++count < sizeof clients / sizeof clients[0]);
    assert_in_range(count, 1, 7);
    struct connection connection = CONNECTION_CLOSED;
    struct error error = {0};
    bool running;
    assert_int_equal(connection_find(&connection, &settings, deadline_in(50), &running, &error),
                     -1);
    assert_int_equal(error.exit_code, EX_TEMPFAIL);
    assert_non_null(strstr(error.text, "takes no more connections"));
    close(listener);
    /* Now the file is what a killed keeper leaves: nobody. */
    assert_int_equal(connection_find(&connection, &settings, deadline_in(50), &running, &error), 0);
    assert_false(running);
    for (size_t i = 0; i <= count; i++)
        close(clients[i]);
    unlink(settings.config.control.socket);
    rmdir(directory);
    config_deinit(&settings.config);
}

/* What is sent in place of a good greeting, and what the client says. */
struct greeting {
    void (*spoil)(union control_message *message);
    size_t cut; /* bytes less than the whole */
    int exit_code;
    const char *text;
};

static void spoil_version(union control_message *message)
{
    message->header.version = CONTROL_VERSION + 1;
}

static void spoil_magic(union control_message *message)
{
    message->header.magic = 7;
}

static void spoil_reserved(union control_message *message)
{
    message->hello.reserved = 1;
}

static void spoil_config(union control_message *message)
{
    memset(message->hello.config_path, 0, sizeof message->hello.config_path);
    strcpy(message->hello.config_path, "/etc/other.yaml");
}

static void spoil_nothing(union control_message *message)
{
    (void)message;
}

static void greet_badly(struct fake *fake, int client, int number)
{
    (void)number;
    const struct greeting *greeting = fake->context;
    union control_message message;
    control_message_init(&message, CONTROL_HELLO);
    message.hello.pid = 4711;
    strcpy(message.hello.config_path, fake->settings.config.path);
    greeting->spoil(&message);
    send(client, &message, sizeof message.hello - greeting->cut, MSG_NOSIGNAL);
    union control_message request;
    fake_next(client, &request);
}

static void test_bad_greetings(void **state)
{
    (void)state;
    static const struct greeting rows[] = {
        {spoil_version, 0, EX_UNAVAILABLE, "restart the keeper"},
        {spoil_version, 4000, EX_UNAVAILABLE, "restart the keeper"},
        {spoil_magic, 0, EX_SOFTWARE, "bad greeting"},
        {spoil_reserved, 0, EX_SOFTWARE, "bad greeting"},
        {spoil_nothing, 1, EX_SOFTWARE, "bad greeting"},
        {spoil_config, 0, EX_CONFIG, "/etc/other.yaml"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fake fake;
        struct connection connection;
        struct error error;
        bool running;
        struct greeting greeting = rows[i];
        fake_start(&fake, greet_badly, &greeting);
        fake.settings.given = true;
        assert_int_equal(find(&fake, &connection, &running, &error), -1);
        assert_int_equal(error.exit_code, rows[i].exit_code);
        assert_non_null(strstr(error.text, rows[i].text));
        assert_non_null(strstr(error.text, "control.sock"));
        if (rows[i].exit_code == EX_CONFIG)
            assert_non_null(strstr(error.text, fake.settings.config.path));
        fake_stop(&fake);
    }
}

/* Nobody named a file: whatever the keeper uses is right. */
static void test_other_configuration_without_a_wish(void **state)
{
    (void)state;
    struct fake fake;
    struct connection connection;
    struct error error;
    bool running;
    struct greeting greeting = {.spoil = spoil_config};
    fake_start(&fake, greet_badly, &greeting);
    assert_int_equal(find(&fake, &connection, &running, &error), 0);
    assert_true(running);
    connection_close(&connection);
    fake_stop(&fake);
}

static void refuse(struct fake *fake, int client, int number)
{
    (void)fake;
    (void)number;
    fake_result(client, EX_TEMPFAIL, "uid 0 has 16 connections already");
}

static void refuse_silently(struct fake *fake, int client, int number)
{
    (void)fake;
    (void)number;
    fake_result(client, EX_TEMPFAIL, "");
}

static void test_refusal_in_place_of_a_greeting(void **state)
{
    (void)state;
    struct fake fake;
    struct connection connection;
    struct error error;
    bool running;
    fake_start(&fake, refuse, NULL);
    assert_int_equal(find(&fake, &connection, &running, &error), -1);
    assert_int_equal(error.exit_code, EX_TEMPFAIL);
    assert_string_equal(error.text, "uid 0 has 16 connections already");
    fake_stop(&fake);
}

/* No error is shown as an empty line. */
static void test_refusal_without_a_word(void **state)
{
    (void)state;
    struct fake fake;
    struct connection connection;
    struct error error;
    bool running;
    fake_start(&fake, refuse_silently, NULL);
    assert_int_equal(find(&fake, &connection, &running, &error), -1);
    assert_int_equal(error.exit_code, EX_TEMPFAIL);
    assert_string_equal(error.text, "the keeper refuses and does not say why");
    fake_stop(&fake);
}

enum answer {
    ANSWER_ERROR,
    ANSWER_HANG_UP,
    ANSWER_SILENCE,
    ANSWER_NONSENSE,
    ANSWER_OTHER,
    ANSWER_DESCRIPTOR
};

static void answer_so(struct fake *fake, int client, int number)
{
    (void)number;
    fake_greet(client, fake->settings.config.path);
    union control_message message;
    if (fake_next(client, &message) == 0)
        return;
    switch (*(const enum answer *)fake->context) {
    case ANSWER_ERROR:
        fake_result(client, EX_NOPERM, "it is somebody else's");
        break;
    case ANSWER_HANG_UP:
        return;
    case ANSWER_SILENCE:
        break;
    case ANSWER_NONSENSE:
        send(client, "nonsense", 8, MSG_NOSIGNAL);
        break;
    case ANSWER_OTHER:
        control_message_init(&message, CONTROL_REPORT);
        control_send(client, &message, -1);
        break;
    case ANSWER_DESCRIPTOR:
        control_message_init(&message, CONTROL_RESULT);
        control_send(client, &message, client);
        break;
    }
    fake_next(client, &message);
}

static void test_answers(void **state)
{
    (void)state;
    static const struct {
        enum answer answer;
        int exit_code;
        bool closed; /* nothing more can be asked */
    } rows[] = {
        {ANSWER_ERROR, EX_NOPERM, false},    {ANSWER_HANG_UP, EX_UNAVAILABLE, true},
        {ANSWER_SILENCE, EX_TEMPFAIL, true}, {ANSWER_NONSENSE, EX_SOFTWARE, true},
        {ANSWER_OTHER, EX_SOFTWARE, true},   {ANSWER_DESCRIPTOR, EX_SOFTWARE, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fake fake;
        struct connection connection;
        struct error error;
        bool running;
        enum answer answer = rows[i].answer;
        fake_start(&fake, answer_so, &answer);
        assert_int_equal(find(&fake, &connection, &running, &error), 0);
        assert_int_equal(request_status(&connection, answer == ANSWER_SILENCE ? 100 : 5000, &error),
                         -1);
        assert_int_equal(error.exit_code, rows[i].exit_code);
        assert_true(error.text[0] != '\0');
        assert_int_equal(connection.fd < 0, rows[i].closed);
        if (rows[i].closed) {
            assert_int_equal(request_status(&connection, 5000, &error), -1);
            assert_int_equal(error.exit_code, EX_UNAVAILABLE);
        }
        connection_close(&connection);
        fake_stop(&fake);
    }
}

static void test_purpose(void **state)
{
    (void)state;
    char purpose[CONTROL_PURPOSE_MAX];
    memset(purpose, 'x', sizeof purpose);
    connection_set_purpose(&purpose, "a\n\xc3\x1b b");
    assert_string_equal(purpose, "a??? b");
    assert_int_equal(purpose[sizeof purpose - 1], 0);
    char longer[200];
    memset(longer, 'y', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    connection_set_purpose(&purpose, longer);
    assert_int_equal(strlen(purpose), sizeof purpose - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greeting),
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_end_before_the_greeting_is_tried_again),
        cmocka_unit_test(test_watch_only_behind_the_first_attempt),
        cmocka_unit_test(test_end_before_every_greeting),
        cmocka_unit_test(test_no_greeting_in_time),
        cmocka_unit_test(test_full_queue),
        cmocka_unit_test(test_bad_greetings),
        cmocka_unit_test(test_other_configuration_without_a_wish),
        cmocka_unit_test(test_refusal_in_place_of_a_greeting),
        cmocka_unit_test(test_refusal_without_a_word),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_purpose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
