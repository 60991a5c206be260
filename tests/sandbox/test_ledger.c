// SPDX-License-Identifier: GPL-2.0-or-later
/* The fences of the ledger's writer: files of one directory, and nothing else. */
#include "jump.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ledger/file.h"
#include "ledger/sandbox.h"
#include "sandbox/landlock.h"

static char directory[] = "/tmp/wicket-ledger-fence-XXXXXX";
static char inside[64]; /* a directory in it: a fence takes no context */

static int landlock(struct error *error)
{
    return ledger_sandbox_landlock(inside, error);
}

static int whole(struct error *error)
{
    return ledger_sandbox_enter(inside, error);
}

static void test_filter(void **state)
{
    (void)state;
    jump_all(JUMP_LEDGER, ledger_sandbox_filter);
}

static const char *path_of(char out[PATH_MAX], const char *name)
{
    snprintf(out, PATH_MAX, "%s/%s", directory, name);
    return out;
}

static int create_file(void *context)
{
    char path[PATH_MAX];

    return open(path_of(path, context), O_RDWR | O_CREAT | O_CLOEXEC, 0600) >= 0 ? 0 : errno;
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

static int status_of(int (*function)(void *context), char *name)
{
    int status = jump_run(function, name, landlock);

    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int setup(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(inside, sizeof(inside), "%s/in", directory);
    return mkdir(inside, 0700);
}

static int teardown(void **state)
{
    static const char *const names[] = {"old", "in/new", "in/ledger", "in/ledger.1"};
    char path[PATH_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(path_of(path, names[i]));
    return rmdir(inside) == 0 ? rmdir(directory) : -1;
}

static void test_landlock(void **state)
{
    static char old[] = "old", new[] = "new", in_new[] = "in/new", in_made[] = "in/made";
    const int denied = landlock_version() >= 1 ? EACCES : 0;
    char path[PATH_MAX];

    (void)state;
    close(open(path_of(path, old), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    assert_int_equal(status_of(read_file, old), denied);
    assert_int_equal(status_of(create_file, old), denied);
    assert_int_equal(status_of(create_file, new), denied);
    assert_int_equal(status_of(create_file, in_new), 0);
    assert_int_equal(status_of(read_file, in_new), 0);
    assert_int_equal(status_of(make_directory, in_made), denied);
    unlink(path_of(path, new));
    rmdir(path_of(path, in_made));
}

/* What it does for a living goes on behind all of it. */
static int write_and_rotate(void *context)
{
    struct ledger_file *file = context;
    struct error error;

    for (int i = 0; i < 20; i++)
        if (ledger_file_append(file, "a line\n", 7, &error) != 0)
            return 1;
    return 0;
}

static void test_work(void **state)
{
    struct ledger_file file;
    struct stat status;
    char path[PATH_MAX];
    struct error error;
    uid_t owner;

    (void)state;
    assert_int_equal(ledger_file_init(&file, path_of(path, "in/ledger"), 30, &owner, &error), 0);
    assert_int_equal(jump_run(write_and_rotate, &file, whole), 0);
    assert_int_equal(stat(path_of(path, "in/ledger"), &status), 0);
    assert_int_equal(stat(path_of(path, "in/ledger.1"), &status), 0);
    ledger_file_deinit(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_landlock),
        cmocka_unit_test(test_work),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
