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

#include <sys/stat.h>

#include "build.h"
#include "cli/lockfile.h"
#include "cli/spawn.h"

static void test_parse(void **state)
{
    (void)state;
    static const char good[] = "pid 12\nsocket /run/s\nfuture x\nconfig /etc/w\n";
    struct lockfile_content content;
    assert_true(lockfile_parse(&content, good, sizeof good - 1));
    assert_int_equal(content.pid, 12);
    assert_string_equal(content.socket, "/run/s");
    assert_string_equal(content.config, "/etc/w");

    /* Half written, or nonsense: nobody is accused on its account. */
    for (size_t length = 0; length < strlen("pid 12\nsocket /run/s\n"); length++)
        assert_false(lockfile_parse(&content, good, length));
    static const char *const bad[] = {
        "pid -1\nsocket /s\n", "pid 99999999999\nsocket /s\n",
        "pid 1x\nsocket /s\n", "pid 4\n",
        "socket /s\n",         "pid 4\nsocket \n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(lockfile_parse(&content, bad[i], strlen(bad[i])));
    char longest[400];
    memset(longest, 'a', sizeof longest);
    memcpy(longest, "pid 1\nsocket /", 14);
    longest[sizeof longest - 1] = '\n';
    assert_false(lockfile_parse(&content, longest, sizeof longest));
}

static int make_directory(void **state)
{
    char *path = strdup("/tmp/wicket-test-XXXXXX");
    *state = path;
    return path == NULL || mkdtemp(path) == NULL ? -1 : 0;
}

static int remove_directory(void **state)
{
    const int result = rmdir(*state);
    free(*state);
    return result;
}

static void test_one_holds_it(void **state)
{
    char runtime[128];
    snprintf(runtime, sizeof runtime, "%s/run", (char *)*state);
    struct error error = {0};
    struct lockfile one;
    struct lockfile two;
    bool held;
    const mode_t mask = umask(077);
    assert_int_equal(lockfile_init(&one, runtime, &error), 0);
    umask(mask);
    struct stat status;
    assert_int_equal(stat(runtime, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0755);

    assert_int_equal(lockfile_init(&two, runtime, &error), 0);
    assert_int_equal(lockfile_try(&one, &held, &error), 0);
    assert_true(held);
    assert_int_equal(stat(one.path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(lockfile_try(&two, &held, &error), 0);
    assert_false(held);

    /* Unlinked under the lock, as a leaving keeper does: the other ends up with a new file. */
    const ino_t before = status.st_ino;
    lockfile_remove(&one);
    assert_int_equal(lockfile_try(&two, &held, &error), 0);
    assert_true(held);
    assert_int_equal(stat(two.path, &status), 0);
    assert_true(status.st_ino != before);
    lockfile_remove(&one); /* no longer the one that is named: nothing happens */
    assert_int_equal(stat(two.path, &status), 0);
    lockfile_remove(&two);
    lockfile_deinit(&one);
    lockfile_deinit(&two);
    lockfile_deinit(&two);
    assert_int_equal(rmdir(runtime), 0);
}

static void test_unsafe_directory(void **state)
{
    char runtime[128];
    snprintf(runtime, sizeof runtime, "%s/run", (char *)*state);
    struct error error = {0};
    struct lockfile lock;
    assert_int_equal(mkdir(runtime, 0700), 0);
    assert_int_equal(chmod(runtime, 0775), 0);
    assert_int_equal(lockfile_init(&lock, runtime, &error), -1);
    assert_int_equal(error.exit_code, EX_NOPERM);
    assert_int_equal(rmdir(runtime), 0);
    assert_int_equal(symlink("/tmp", runtime), 0);
    assert_int_equal(lockfile_init(&lock, runtime, &error), -1);
    assert_int_equal(error.exit_code, EX_CANTCREAT);
    assert_int_equal(unlink(runtime), 0);
}

static void test_report_of_a_starting_keeper(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        int exit_code; /* 0: good */
        const char *text;
    } rows[] = {
        {"R", 0, NULL},
        {"", EX_UNAVAILABLE,
         "the keeper died while starting; see the system log, or " WICKET_RUNTIME_DIR
         "/keeper.log"},
        {"E77 no CAP_NET_ADMIN", 77, "no CAP_NET_ADMIN"},
        {"E73 port 8402 is taken", 73, "port 8402 is taken"},
        {"RR", EX_SOFTWARE, NULL},
        {"E", EX_SOFTWARE, NULL},
        {"E0 x", EX_SOFTWARE, NULL},
        {"E7777 x", EX_SOFTWARE, NULL},
        {"E255 x", EX_SOFTWARE, NULL},
        {"E77", EX_SOFTWARE, NULL},
        {"E77 ", EX_SOFTWARE, NULL},
        {"E77x y", EX_SOFTWARE, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct error error = {0};
        const int result = spawn_read_report(rows[i].bytes, strlen(rows[i].bytes), &error);
        assert_int_equal(result, rows[i].exit_code == 0 ? 0 : -1);
        assert_int_equal(error.exit_code, rows[i].exit_code);
        if (rows[i].text != NULL)
            assert_string_equal(error.text, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test_setup_teardown(test_one_holds_it, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(test_unsafe_directory, make_directory, remove_directory),
        cmocka_unit_test(test_report_of_a_starting_keeper),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
