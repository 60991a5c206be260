// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include "cli/child.h"

static char *const environment[] = {(char *)"PATH=/usr/bin:/bin", NULL};

#define COMMAND(...) ((char *const *)(const char *const[]){__VA_ARGS__, NULL})

static int run(char *const *command)
{
    struct child child;
    struct error error = {0};
    if (child_start(&child, command, environment, &error) < 0) {
        assert_true(error.text[0] != '\0');
        return -error.exit_code;
    }
    const int status = child_wait(&child);
    child_deinit(&child);
    child_deinit(&child);
    return status;
}

static size_t open_descriptors(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    return count;
}

static void test_exit_status(void **state)
{
    (void)state;
    const size_t before = open_descriptors();
    assert_int_equal(run(COMMAND("true")), 0);
    assert_int_equal(run(COMMAND("sh", "-c", "exit 42")), 42);
    assert_int_equal(run(COMMAND("sh", "-c", "kill -9 $$")), 128 + SIGKILL);
    assert_int_equal(run(COMMAND("sh", "-c", "kill -TERM $$")), 128 + SIGTERM);
    assert_int_equal(run(COMMAND("wicket-has-no-such-command")), -127);
    assert_int_equal(run(COMMAND("/nonexistent/command")), -127);
    assert_int_equal(run(COMMAND("/etc/passwd")), -126);
    assert_int_equal(run(COMMAND("")), -127);
    assert_int_equal(open_descriptors(), before);
}

/* The command has the caller's signal mask and none of our descriptors. */
static void test_nothing_leaks_into_the_command(void **state)
{
    (void)state;
    struct child child;
    struct error error = {0};
    assert_int_equal(
        child_start(&child,
                    COMMAND("grep", "-q", "^SigBlk:.0000000000000000$", "/proc/self/status"),
                    environment, &error),
        0);
    assert_true((fcntl(child.pid_fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_true((fcntl(child.signal_fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(child_wait(&child), 0);
    child_deinit(&child);
    sigset_t now;
    assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &now), 0);
    assert_false(sigismember(&now, SIGTERM));
}

/* Each ends a command that does nothing about it, and wicket itself goes on. */
static void test_signals_are_passed_on(void **state)
{
    (void)state;
    static const int numbers[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct child child;
        struct error error = {0};
        /* Ends only by a signal: its input is never closed. */
        assert_int_equal(
            child_start(&child, COMMAND("tail", "-f", "/dev/null"), environment, &error), 0);
        assert_int_equal(kill(getpid(), numbers[i]), 0);
        struct pollfd signals = {.fd = child.signal_fd, .events = POLLIN};
        assert_int_equal(poll(&signals, 1, 10000), 1);
        child_pass_signals(&child);
        struct pollfd ended = {.fd = child.pid_fd, .events = POLLIN};
        const int polled = poll(&ended, 1, 10000);
        kill(child.pid, SIGKILL); /* nothing stays behind when it did not work */
        assert_int_equal(polled, 1);
        assert_int_equal(child_wait(&child), 128 + numbers[i]);
        child_deinit(&child);
    }
}

static void test_who_wants_what(void **state)
{
    (void)state;
    const struct child child = {.pid = 100};
    static const struct {
        uint32_t number;
        int32_t code;
        uint32_t pid;
        bool wanted;
    } rows[] = {
        {SIGTERM, SI_USER, 1, true},   {SIGINT, SI_USER, 1, true},
        {SIGINT, SI_KERNEL, 0, false}, {SIGQUIT, SI_KERNEL, 0, false},
        {SIGHUP, SI_KERNEL, 0, true},  {SIGTERM, SI_USER, 100, false},
        {SIGUSR1, SI_QUEUE, 1, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct signalfd_siginfo signal = {
            .ssi_signo = rows[i].number, .ssi_code = rows[i].code, .ssi_pid = rows[i].pid};
        assert_int_equal(child_wants_signal(&child, &signal), rows[i].wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_status),
        cmocka_unit_test(test_nothing_leaks_into_the_command),
        cmocka_unit_test(test_signals_are_passed_on),
        cmocka_unit_test(test_who_wants_what),
    };
    /* A job in the background of a script ignores some, and so would what it starts. */
    static const int numbers[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        signal(numbers[i], SIG_DFL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
