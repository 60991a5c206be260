// SPDX-License-Identifier: GPL-2.0-or-later
/* The keeper's fences, one by one: what it never does is its end, or gets nowhere. */
#include "jump.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/sandbox.h"
#include "responder/sandbox.h"
#include "sandbox/landlock.h"

static void test_filter(void **state)
{
    (void)state;
    jump_all(JUMP_KEEPER, keeper_sandbox_filter);
}

/* A responder that it starts cannot do more, and puts its own list up below this one. */
static int both(struct error *error)
{
    return keeper_sandbox_filter(error) < 0 ? -1 : responder_sandbox_filter(error);
}

static void test_both(void **state)
{
    (void)state;
    jump_all(JUMP_RESPONDER | JUMP_KEEPER, both);
}

static int call_abort(void *context)
{
    (void)context;
    abort();
}

static void test_abort(void **state)
{
    (void)state;
    int status = jump_run(call_abort, NULL, both);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* It can start a program, and see its end. */
static int start_program(void *context)
{
    char *arguments[] = {(char *)(uintptr_t) "true", NULL};
    siginfo_t info = {0};
    pid_t pid = fork();

    (void)context;
    if (pid == 0) {
        execv("/bin/true", arguments);
        _exit(1);
    }
    if (pid < 0 || waitid(P_PID, (id_t)pid, &info, WEXITED) != 0)
        return 2;
    return info.si_code == CLD_EXITED ? info.si_status : 3;
}

static void test_start(void **state)
{
    (void)state;
    assert_int_equal(jump_run(start_program, NULL, keeper_sandbox_filter), 0);
}

/* ---- Landlock alone ---- */

static struct config config; /* a global one: the fence takes no context */
static char directory[] = "/tmp/wicket-sandbox-XXXXXX";

static int fence(struct error *error)
{
    return keeper_sandbox_landlock(&config, error);
}

static const char *path_of(char out[PATH_MAX], const char *name)
{
    snprintf(out, PATH_MAX, "%s/%s", directory, name);
    return out;
}

static int create_file(void *context)
{
    char path[PATH_MAX];
    int fd = open(path_of(path, context), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    return fd >= 0 ? 0 : errno;
}

static int write_file(void *context)
{
    char path[PATH_MAX];

    return open(path_of(path, context), O_WRONLY | O_CLOEXEC) >= 0 ? 0 : errno;
}

static int read_file(void *context)
{
    char path[PATH_MAX];

    return open(path_of(path, context), O_RDONLY | O_CLOEXEC) >= 0 ? 0 : errno;
}

static int make_directory(void *context)
{
    char path[PATH_MAX];

    return mkdir(path_of(path, context), 0700) == 0 ? 0 : errno;
}

static int remove_file(void *context)
{
    char path[PATH_MAX];

    return unlink(path_of(path, context)) == 0 ? 0 : errno;
}

static int status_of(int (*function)(void *context), const char *name,
                     int (*with)(struct error *error))
{
    char text[NAME_MAX];

    snprintf(text, sizeof(text), "%s", name);
    int status = jump_run(function, text, with);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_landlock(void **state)
{
    int denied = landlock_version() >= 1 ? EACCES : 0;
    char path[PATH_MAX];

    (void)state;
    assert_non_null(mkdtemp(directory));
    assert_int_equal(mkdir(path_of(path, "run"), 0700), 0);
    snprintf(config.control.socket, sizeof(config.control.socket), "%s/run/control", directory);

    assert_int_equal(status_of(create_file, "old", NULL), 0);
    assert_int_equal(status_of(create_file, "run/old", NULL), 0);
    assert_int_equal(status_of(read_file, "old", fence), 0);
    assert_int_equal(status_of(write_file, "old", fence), denied);
    assert_int_equal(status_of(create_file, "new", fence), denied);
    assert_int_equal(status_of(create_file, "run/new", fence), denied);
    assert_int_equal(status_of(make_directory, "made", fence), 0); /* as the webroot may be */
    assert_int_equal(status_of(remove_file, "old", fence), denied);
    assert_int_equal(status_of(remove_file, "run/old", fence), 0);

    unlink(path_of(path, "old"));
    unlink(path_of(path, "new"));
    unlink(path_of(path, "run/new"));
    rmdir(path_of(path, "made"));
    rmdir(path_of(path, "run"));
    assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter),   cmocka_unit_test(test_both),
        cmocka_unit_test(test_abort),    cmocka_unit_test(test_start),
        cmocka_unit_test(test_landlock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
