// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "wicket/log.h"

struct ends {
    int reader, writer;
};

static struct ends ends_of_pipe(void)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    return (struct ends){fds[0], fds[1]};
}

static struct ends ends_of_socket(int type)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
    return (struct ends){fds[0], fds[1]};
}

static void ends_close(struct ends ends)
{
    log_init(STDERR_FILENO, "test", 0);
    close(ends.reader);
    close(ends.writer);
}

static void expect(struct ends ends, const char *line)
{
    char got[LOG_LINE_MAX * 2];
    ssize_t length = read(ends.reader, got, sizeof(got) - 1);
    assert_true(length > 0);
    got[length] = '\0';
    assert_string_equal(got, line);
}

static void test_stream(void **state)
{
    (void)state;
    struct ends ends = ends_of_pipe();
    log_init(ends.writer, "wicket-test", 0);
    assert_int_equal(log_fd(), ends.writer);

    log_info("port %d", 80);
    expect(ends, "wicket-test: port 80\n");
    log_errorx("broken");
    expect(ends, "wicket-test: broken\n");
    errno = ENOENT;
    log_error("%s", "file");
    expect(ends, "wicket-test: file: No such file or directory\n");
    errno = EACCES;
    log_warn("file");
    assert_int_equal(errno, EACCES);
    expect(ends, "wicket-test: file: Permission denied\n");
    log_debug("not shown");
    log_warnx("shown");
    expect(ends, "wicket-test: shown\n");

    log_init(ends.writer, "wicket-test", 1);
    log_debug("shown");
    expect(ends, "wicket-test: shown\n");
    ends_close(ends);
}

static void test_datagram(void **state)
{
    (void)state;
    struct ends ends = ends_of_socket(SOCK_DGRAM);
    char line[128];
    log_init(ends.writer, "wicket-test", 1);

    /* Facility daemon is 3 * 8. */
    log_errorx("one");
    snprintf(line, sizeof(line), "<27>wicket-test[%d]: one", getpid());
    expect(ends, line);
    log_warnx("two");
    snprintf(line, sizeof(line), "<28>wicket-test[%d]: two", getpid());
    expect(ends, line);
    log_info("three");
    snprintf(line, sizeof(line), "<30>wicket-test[%d]: three", getpid());
    expect(ends, line);
    log_debug("four");
    snprintf(line, sizeof(line), "<31>wicket-test[%d]: four", getpid());
    expect(ends, line);
    ends_close(ends);
}

/* sd-daemon(3), for the stream that JOURNAL_STREAM names and no other. */
static void test_journal(void **state)
{
    (void)state;
    struct ends ends = ends_of_socket(SOCK_STREAM);
    struct stat status;
    char stream[64];

    assert_int_equal(fstat(ends.writer, &status), 0);
    snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_init(ends.writer, "wicket-test", 1);
    log_errorx("one");
    expect(ends, "<3>wicket-test: one\n");
    log_warnx("two");
    expect(ends, "<4>wicket-test: two\n");
    log_info("three");
    expect(ends, "<6>wicket-test: three\n");
    log_debug("four");
    expect(ends, "<7>wicket-test: four\n");

    const char *const others[] = {"", "1", "1:2", "one:two", "1:2 "};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        setenv("JOURNAL_STREAM", others[i], 1);
        log_init(ends.writer, "wicket-test", 0);
        log_info("plain");
        expect(ends, "wicket-test: plain\n");
    }
    unsetenv("JOURNAL_STREAM");
    ends_close(ends);
}

static void test_no_line_is_forged(void **state)
{
    (void)state;
    struct ends ends = ends_of_pipe();
    log_init(ends.writer, "a\nb", 0);
    log_info("one\ntwo\r\x1b[0m\xff");
    expect(ends, "a\\x0ab: one\\x0atwo\\x0d\\x1b[0m\\xff\n");
    ends_close(ends);
}

static void test_long_line_is_cut(void **state)
{
    (void)state;
    struct ends ends = ends_of_pipe();
    char text[4000];
    char line[LOG_LINE_MAX + 1];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_init(ends.writer, "t", 0);
    log_info("%s", text);
    snprintf(line, sizeof(line), "t: %.*s...\n", LOG_LINE_MAX - 7, text);
    assert_int_equal(strlen(line), LOG_LINE_MAX);
    expect(ends, line);

    /* Escapes make it longer still. */
    memset(text, '\n', sizeof(text) - 1);
    log_info("%s", text);
    char got[LOG_LINE_MAX * 2];
    ssize_t length = read(ends.reader, got, sizeof(got));
    assert_in_range(length, LOG_LINE_MAX - 4, LOG_LINE_MAX);
    assert_memory_equal(got + length - 8, "\\x0a...\n", 8);
    ends_close(ends);
}

/* What the reader was too slow for is counted, before what comes next. */
static void test_lost_lines_are_counted(void **state)
{
    (void)state;
    struct ends ends = ends_of_socket(SOCK_DGRAM);
    char line[LOG_LINE_MAX + 1], wanted[128];
    size_t sent = 2000, taken = 0;

    log_init(ends.writer, "t", 0);
    for (size_t i = 0; i < sent; i++)
        log_info("more than the queue holds");
    while (recv(ends.reader, line, sizeof(line), MSG_DONTWAIT) > 0)
        taken++;
    assert_in_range(taken, 1, sent - 1);
    log_info("next");
    snprintf(wanted, sizeof(wanted),
             "<28>t[%ld]: lines lost here, since the log did not take them in time: %zu",
             (long)getpid(), sent - taken);
    expect(ends, wanted);
    snprintf(wanted, sizeof(wanted), "<30>t[%ld]: next", (long)getpid());
    expect(ends, wanted);
    log_info("next");
    expect(ends, wanted);
    ends_close(ends);
}

/* A reader that is stuck, or gone, holds nothing up and kills nobody. */
static void test_nothing_waits(void **state)
{
    (void)state;
    struct ends ends = ends_of_pipe();
    char block[4096] = {0};
    assert_int_equal(fcntl(ends.writer, F_SETFL, O_NONBLOCK), 0);
    while (write(ends.writer, block, sizeof(block)) > 0)
        continue;
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(fcntl(ends.writer, F_SETFL, 0), 0);
    log_init(ends.writer, "t", 0);
    log_info("lost");
    ends_close(ends);

    ends = ends_of_socket(SOCK_DGRAM);
    log_init(ends.writer, "t", 0);
    for (int i = 0; i < 10000; i++)
        log_info("more than the queue holds");
    ends_close(ends);

    ends = ends_of_socket(SOCK_STREAM);
    log_init(ends.writer, "t", 0);
    log_info("whole");
    expect(ends, "t: whole\n");
    close(ends.reader);
    log_info("lost");
    ends.reader = -1;
    ends_close(ends);

    log_init(-1, "t", 0);
    log_info("lost");
}

/* A file that nobody rotates holds the latest lines, however many there are. */
static void test_bound(void **state)
{
    (void)state;
    char path[] = "/tmp/wicket-log-XXXXXX";
    int fd = mkostemp(path, O_APPEND | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    log_init(fd, "wicket-test", 0);
    log_bound(1000);
    for (int i = 0; i < 1000; i++) {
        struct stat status;
        log_info("line %d", i);
        assert_int_equal(fstat(fd, &status), 0);
        assert_in_range(status.st_size, 1, 1000);
    }
    log_bound(0);
    log_init(STDERR_FILENO, "test", 0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_datagram),
        cmocka_unit_test(test_journal),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_no_line_is_forged),
        cmocka_unit_test(test_long_line_is_cut),
        cmocka_unit_test(test_lost_lines_are_counted),
        cmocka_unit_test(test_nothing_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
