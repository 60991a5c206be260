// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "keeper/request_log.h"
#include "wicket/log.h"

enum { MEMBER = 1234, OTHER = 1235, START_MS = 5000 };

static struct request_log fresh;
static int reader = -1, writer = -1;

static int set_up(void **state)
{
    int fds[2];

    fresh = (struct request_log){0};
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    reader = fds[0];
    writer = fds[1];
    log_init(writer, "t", 0);
    *state = &fresh;
    return 0;
}

static int tear_down(void **state)
{
    request_log_deinit(*state);
    log_init(STDERR_FILENO, "test", 0);
    close(reader);
    close(writer);
    return 0;
}

static unsigned int taken(struct request_log *log, uid_t uid, unsigned int tries, uint64_t now_ms)
{
    unsigned int count = 0;

    for (unsigned int i = 0; i < tries; i++)
        count += request_log_take(log, uid, now_ms);
    return count;
}

static void expect(const char *text)
{
    char got[1024];
    ssize_t length = read(reader, got, sizeof(got) - 1);

    got[length < 0 ? 0 : length] = '\0';
    assert_string_equal(got, text);
}

/* A flood of one user's costs no line of another's. */
static void each_has_a_limit_of_its_own(void **state)
{
    struct request_log *log = *state;

    assert_int_equal(taken(log, MEMBER, 1000, START_MS), REQUEST_LOG_LINES);
    assert_int_equal(taken(log, OTHER, 5, START_MS + 1), 5);
    assert_int_equal(taken(log, 0, 2000, START_MS + 2), REQUEST_LOG_ROOT);
    request_log_leave_out(log, MEMBER, START_MS + 3);
    expect("");
    assert_true(request_log_next_ms(log) == START_MS + LOG_LIMIT_SECOND_MS);
    request_log_tick(log, START_MS + LOG_LIMIT_SECOND_MS);
    expect("t: 981 more lines about requests of uid 1234 were left out\n");
    assert_true(request_log_next_ms(log) == START_MS + 2 + LOG_LIMIT_SECOND_MS);
    request_log_tick(log, START_MS + 2 + LOG_LIMIT_SECOND_MS);
    expect("t: 1500 more lines about requests of uid 0 were left out\n");
    assert_true(request_log_next_ms(log) == UINT64_MAX);
    assert_null(log->users);
    assert_int_equal(taken(log, MEMBER, 1, START_MS + 1500), 1);
}

/* A hundred names, registered, removed, with a window each. */
static void a_renewal_is_told_in_full(void **state)
{
    assert_int_equal(taken(*state, 0, 100 * 5, START_MS), 100 * 5);
    request_log_tick(*state, START_MS + LOG_LIMIT_SECOND_MS);
    expect("");
}

/* Whoever has many a user's id, as of a user namespace, has not as many times the lines. */
static void all_together_have_one_too(void **state)
{
    struct request_log *log = *state;
    unsigned int count = 0;

    for (uid_t uid = 100000; uid < 101000; uid++)
        count += taken(log, uid, 2, START_MS);
    assert_int_equal(count, REQUEST_LOG_OTHERS);
    assert_int_equal(taken(log, 0, 5, START_MS), 5);
    request_log_tick(log, START_MS + LOG_LIMIT_SECOND_MS);
    expect("t: 1800 more lines about requests of many users were left out\n");
    assert_null(log->users);
}

static void the_last_second_is_told_at_the_end(void **state)
{
    struct request_log *log = *state;

    assert_int_equal(taken(log, MEMBER, REQUEST_LOG_LINES + 1, START_MS), REQUEST_LOG_LINES);
    request_log_deinit(log);
    expect("t: 1 more lines about requests of uid 1234 were left out\n");
    assert_null(log->users);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_has_a_limit_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_renewal_is_told_in_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_together_have_one_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_second_is_told_at_the_end, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
