// SPDX-License-Identifier: GPL-2.0-or-later
/* The lock of a keeper that was killed, which its responder holds for a moment longer. */
#include "base/succession.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SHORT_MS 30
#define LONG_MS  20000

struct world {
    int fd;           /* the lock's file, of a description that does not hold it */
    pid_t keeper;     /* a child of ours */
    int responder[2]; /* its child lives until this is closed */
};

static void keeper_run(const char *path, const int responder[2])
{
    int fd = open(path, O_RDWR);

    if (fd < 0 || flock(fd, LOCK_EX) != 0)
        _exit(1);
    if (fork() == 0) {
        char byte;

        close(responder[1]);
        (void)!read(responder[0], &byte, 1);
        _exit(0);
    }
    close(responder[0]);
    close(responder[1]);
    raise(SIGSTOP);
    _exit(0);
}

static int set_up(void **state)
{
    static struct world world;
    char path[] = "/tmp/wicket-succession-XXXXXX";
    int status = 0;

    world.fd = mkstemp(path);
    assert_true(world.fd >= 0);
    assert_int_equal(pipe(world.responder), 0);
    world.keeper = fork();
    if (world.keeper == 0)
        keeper_run(path, world.responder);
    close(world.responder[0]);
    /* It holds the lock when it stands still. */
    assert_int_equal(waitpid(world.keeper, &status, WUNTRACED), world.keeper);
    assert_true(WIFSTOPPED(status));
    unlink(path);
    *state = &world;
    return 0;
}

/* It stays a zombie for now. */
static void kill_keeper(const struct world *world)
{
    siginfo_t info;

    kill(world->keeper, SIGKILL);
    assert_int_equal(waitid(P_PID, (id_t)world->keeper, &info, WEXITED | WNOWAIT), 0);
}

static int tear_down(void **state)
{
    struct world *world = *state;

    kill(world->keeper, SIGKILL);
    waitpid(world->keeper, NULL, 0);
    close(world->responder[1]);
    close(world->fd);
    return 0;
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Not even for a moment: who asks has other things to wait for. */
static void test_a_living_keeper_is_not_waited_for(void **state)
{
    struct world *world = *state;
    uint64_t began = now_ms();

    assert_int_equal(succession_wait(world->fd, world->keeper, LONG_MS), SUCCESSION_NONE);
    assert_true(now_ms() - began < LONG_MS / 2);
}

static void test_the_responder_of_a_dead_one_is(void **state)
{
    struct world *world = *state;

    kill_keeper(world);
    assert_int_equal(succession_wait(world->fd, world->keeper, SHORT_MS), SUCCESSION_LATE);
    close(world->responder[1]);
    world->responder[1] = -1;
    assert_int_equal(succession_wait(world->fd, world->keeper, LONG_MS), SUCCESSION_HELD);
    assert_int_equal(flock(world->fd, LOCK_EX | LOCK_NB), 0);
}

static void test_one_that_was_buried(void **state)
{
    struct world *world = *state;
    pid_t gone = world->keeper;

    kill_keeper(world);
    waitpid(world->keeper, NULL, 0);
    assert_int_equal(succession_wait(world->fd, gone, SHORT_MS), SUCCESSION_LATE);
    close(world->responder[1]);
    world->responder[1] = -1;
    assert_int_equal(succession_wait(world->fd, gone, LONG_MS), SUCCESSION_HELD);
}

static void never(int number)
{
    (void)number;
    abort();
}

/* The alarm is as before, and so is who is called by it. */
static void test_the_alarm_is_given_back(void **state)
{
    struct world *world = *state;
    struct sigaction before = {.sa_handler = never}, after;
    struct itimerval left;
    sigset_t alarm, mask;

    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    sigaction(SIGALRM, &before, NULL);
    sigprocmask(SIG_BLOCK, &alarm, NULL);
    kill_keeper(world);
    assert_int_equal(succession_wait(world->fd, world->keeper, SHORT_MS), SUCCESSION_LATE);
    sigaction(SIGALRM, NULL, &after);
    assert_true(after.sa_handler == never);
    sigprocmask(SIG_BLOCK, NULL, &mask);
    assert_true(sigismember(&mask, SIGALRM) == 1);
    getitimer(ITIMER_REAL, &left);
    assert_true(left.it_value.tv_sec == 0 && left.it_value.tv_usec == 0);
    sigpending(&mask);
    assert_true(sigismember(&mask, SIGALRM) == 0);
    signal(SIGALRM, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &alarm, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_living_keeper_is_not_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_responder_of_a_dead_one_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_that_was_buried, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_alarm_is_given_back, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
