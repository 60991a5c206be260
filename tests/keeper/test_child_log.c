// SPDX-License-Identifier: GPL-2.0-or-later
/* What a responder that was taken over can do with the log: say something, under its own name. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "keeper/child_log.h"
#include "wicket/log.h"

enum { MOST = 200000, INFO = 30, WARNING = 28, ERROR = 27 }; /* facility daemon is 24 */

/* The keeper's log is a datagram socket, as that of the system. */
struct rig {
    struct child_log log;
    int epoll_fd, reader, writer;
    int responder; /* its end */
};

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct error error;
    int fds[2];

    assert_non_null(rig);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
    rig->reader = fds[0];
    rig->writer = fds[1];
    log_init(rig->writer, "wicket-keeper", 0);
    rig->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    assert_true(rig->epoll_fd >= 0);
    child_log_init(&rig->log, rig->epoll_fd);
    rig->responder = -1;
    assert_int_equal(child_log_begin(&rig->log, &rig->responder, &error), 0);
    *state = rig;
    return 0;
}

static void hang_up(struct rig *rig)
{
    if (rig->responder >= 0)
        close(rig->responder);
    rig->responder = -1;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;

    hang_up(rig);
    child_log_end(&rig->log);
    child_log_end(&rig->log);
    close(rig->epoll_fd);
    log_init(STDERR_FILENO, "test", 0);
    close(rig->reader);
    close(rig->writer);
    free(rig);
    return 0;
}

static void say(struct rig *rig, const char *bytes, size_t length)
{
    assert_int_equal(write(rig->responder, bytes, length), length);
    assert_true(event_wait(rig->epoll_fd));
}

/* "" when there is no other line. */
static void next_line(struct rig *rig, char *line, size_t capacity)
{
    ssize_t length = recv(rig->reader, line, capacity - 1, MSG_DONTWAIT);

    line[length < 0 ? 0 : length] = '\0';
}

static void expect(struct rig *rig, int priority, const char *text)
{
    char got[LOG_LINE_MAX * 2], wanted[LOG_LINE_MAX * 2];

    next_line(rig, got, sizeof(got));
    snprintf(wanted, sizeof(wanted), "<%d>wicket-responder: %s", priority, text);
    assert_string_equal(got, wanted);
}

static void expect_nothing(struct rig *rig)
{
    char got[LOG_LINE_MAX * 2];

    next_line(rig, got, sizeof(got));
    assert_string_equal(got, "");
}

#define SAY(rig, text) say((rig), (text), sizeof(text) - 1)

/* It has nothing that it could shut down for others. */
static void it_has_a_pipe_whatever_the_log_is(void **state)
{
    struct rig *rig = *state;
    struct stat status;

    assert_int_equal(fstat(rig->responder, &status), 0);
    assert_true(S_ISFIFO(status.st_mode));
    assert_int_equal(shutdown(rig->responder, SHUT_RDWR), -1);
    assert_int_equal(errno, ENOTSOCK);
    log_info("still there");
    char got[128], wanted[128];
    next_line(rig, got, sizeof(got));
    snprintf(wanted, sizeof(wanted), "<%d>wicket-keeper[%d]: still there", INFO, getpid());
    assert_string_equal(got, wanted);
}

/* What the responder's own log makes of its lines, the keeper's takes back. */
static void lines_keep_their_priority(void **state)
{
    struct rig *rig = *state;

    log_init_relayed(rig->responder, "wicket-responder");
    log_info("one");
    log_warnx("two");
    log_errorx("three\n%s", "four");
    log_init(rig->writer, "wicket-keeper", 0);
    assert_true(event_wait(rig->epoll_fd));
    expect(rig, INFO, "one");
    expect(rig, WARNING, "two");
    expect(rig, ERROR, "three\\x0afour");
    expect_nothing(rig);
}

static void nothing_is_forged(void **state)
{
    struct rig *rig = *state;

    SAY(rig, "wicket-keeper: forged\n<0>emergency\n<30>x\n\x1b[2J\r\xff\0end\n<6>\n");
    expect(rig, WARNING, "wicket-keeper: forged");
    expect(rig, WARNING, "<0>emergency");
    expect(rig, WARNING, "<30>x");
    expect(rig, WARNING, "\\x1b[2J\\x0d\\xff\\x00end");
    expect(rig, INFO, "");
    expect_nothing(rig);
}

static void a_line_may_come_in_pieces(void **state)
{
    struct rig *rig = *state;

    SAY(rig, "<6>on");
    expect_nothing(rig);
    SAY(rig, "e\n<6>tw");
    expect(rig, INFO, "one");
    SAY(rig, "o");
    /* It has ended, without an end of the line. */
    hang_up(rig);
    child_log_end(&rig->log);
    expect(rig, INFO, "two");
    expect_nothing(rig);
}

static void a_long_line_is_cut(void **state)
{
    struct rig *rig = *state;
    char block[LOG_LINE_MAX * 3], got[LOG_LINE_MAX * 2];

    memset(block, 'x', sizeof(block));
    say(rig, block, sizeof(block));
    say(rig, block, sizeof(block));
    next_line(rig, got, sizeof(got));
    assert_in_range(strlen(got), LOG_LINE_MAX - 8, LOG_LINE_MAX);
    assert_string_equal(got + strlen(got) - 4, "x...");
    expect_nothing(rig);
    SAY(rig, "the rest\n<6>next\n");
    expect(rig, INFO, "next");
    expect_nothing(rig);
}

/* However much it says, a second has so many lines, and the others are counted. */
static void a_flood_is_counted(void **state)
{
    struct rig *rig = *state;
    char got[LOG_LINE_MAX * 2];
    unsigned int told = 0, count = 0;
    uint64_t begin_ms = event_now_ms(), missing = 0, number;

    while (count < MOST) {
        SAY(rig, "flood\nflood\nflood\nflood\n");
        count += 4;
        next_line(rig, got, sizeof(got));
        for (; got[0] != '\0'; next_line(rig, got, sizeof(got))) {
            const char *colon = strchr(got, ':');
            if (sscanf(colon + 1, " %lu more lines about what the responder said were left out",
                       &number) == 1)
                missing += number;
            else
                told++;
        }
    }
    uint64_t seconds = (event_now_ms() - begin_ms) / 1000 + 2;
    assert_in_range(told, CHILD_LOG_LINES,
                    seconds * (rig->log.limit.most > CHILD_LOG_LINES ? CHILD_LOG_SANITIZER_LINES
                                                                     : CHILD_LOG_LINES));
    uint64_t due_ms = child_log_next_ms(&rig->log);
    assert_true(due_ms <= event_now_ms() + LOG_LIMIT_SECOND_MS);
    child_log_tick(&rig->log, due_ms);
    next_line(rig, got, sizeof(got));
    assert_int_equal(sscanf(strchr(got, ':') + 1, " %lu more lines", &number), 1);
    assert_int_equal(told + missing + number, count);
    assert_true(child_log_next_ms(&rig->log) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_has_a_pipe_whatever_the_log_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lines_keep_their_priority, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_forged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_may_come_in_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_line_is_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_flood_is_counted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
