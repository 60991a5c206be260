// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "wicket/config.h"

static struct config_errors errors;

/* A scratch directory, which the test runs in. */
static int directory_setup(void **state)
{
    static char directory[PATH_MAX];
    char template[] = "/tmp/wicket-config-XXXXXX";
    if (!mkdtemp(template) || !realpath(template, directory))
        return -1;
    *state = directory;
    return chdir(directory);
}

static int directory_teardown(void **state)
{
    static const char *const names[] = {"w.yaml", "link.yaml", "loop.yaml", "fifo", "socket"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(names[i]);
    rmdir("sub");
    return chdir("/") != 0 || rmdir(*state) != 0 ? -1 : 0;
}

static void put(const char *name, const char *text, mode_t mode)
{
    int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

/* What config_read makes of `path`: the file called DIRECTORY/name. */
static void expect_good(const char *directory, const char *path, const char *name, bool exists)
{
    char full[PATH_MAX * 2];
    struct config config;
    int exit_code = 99;
    snprintf(full, sizeof(full), "%s/%s", directory, name);
    assert_int_equal(config_read(&config, path, true, &errors, &exit_code), 0);
    assert_int_equal(exit_code, 0);
    assert_int_equal(errors.count, 0);
    assert_string_equal(config.path, full);
    assert_true(config.file_exists == exists);
    assert_int_equal(config.redirect.port, exists ? 81 : 80);
    config_deinit(&config);
}

static void expect_bad(const char *path, bool absent_is_fine, int exit_code, const char *line)
{
    struct config config;
    int got = 99;
    assert_int_equal(config_read(&config, path, absent_is_fine, &errors, &got), -1);
    assert_int_equal(got, exit_code);
    assert_int_equal(errors.count, 1);
    assert_string_equal(errors.lines[0], line);
    config_deinit(&config);
}

static void test_one_name_for_one_file(void **state)
{
    const char *directory = *state;
    char path[PATH_MAX * 2];
    put("w.yaml", "redirect: {port: 81}\n", 0644);
    assert_int_equal(symlink("w.yaml", "link.yaml"), 0);
    assert_int_equal(mkdir("sub", 0755), 0);
    expect_good(directory, "w.yaml", "w.yaml", true);
    expect_good(directory, "./w.yaml", "w.yaml", true);
    expect_good(directory, "sub/../w.yaml", "w.yaml", true);
    expect_good(directory, "link.yaml", "w.yaml", true);
    snprintf(path, sizeof(path), "%s//w.yaml", directory);
    expect_good(directory, path, "w.yaml", true);
    assert_int_equal(unlink("w.yaml"), 0);
    expect_good(directory, "./w.yaml", "w.yaml", false);
    expect_good(directory, "sub/../w.yaml", "w.yaml", false);
    /* Not even the directory is there. */
    expect_good(directory, "none/w.yaml", "none/w.yaml", false);
}

static void test_absent(void **state)
{
    char line[PATH_MAX * 2];
    snprintf(line, sizeof(line), "%s/w.yaml: there is no such file", (const char *)*state);
    expect_bad("w.yaml", false, 78, line);
}

static void test_mistake(void **state)
{
    char line[PATH_MAX * 2];
    put("w.yaml", "colour: red\n", 0644);
    snprintf(line, sizeof(line), "%s/w.yaml:1:1: colour: unknown key", (const char *)*state);
    expect_bad("w.yaml", true, 78, line);
}

/* None of these is waited for. */
static void test_not_a_regular_file(void **state)
{
    char line[PATH_MAX * 2];
    expect_bad("/dev/null", true, 78, "/dev/null: not a regular file");
    expect_bad("/", true, 78, "/: not a regular file");
    assert_int_equal(mkfifo("fifo", 0644), 0);
    snprintf(line, sizeof(line), "%s/fifo: not a regular file", (const char *)*state);
    expect_bad("fifo", true, 78, line);

    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    snprintf(line, sizeof(line), "%s/socket: No such device or address", (const char *)*state);
    expect_bad("socket", true, 78, line);
    close(fd);

    put("w.yaml", "", 0644);
    snprintf(line, sizeof(line), "%s/w.yaml/x: Not a directory", (const char *)*state);
    expect_bad("w.yaml/x", true, 78, line);
    assert_int_equal(symlink("loop.yaml", "loop.yaml"), 0);
    snprintf(line, sizeof(line), "%s/loop.yaml: Too many levels of symbolic links",
             (const char *)*state);
    expect_bad("loop.yaml", true, 78, line);
}

static void test_large(void **state)
{
    char line[PATH_MAX * 2];
    static char text[65536 + 2];
    memset(text, '\n', sizeof(text) - 1);
    put("w.yaml", text, 0644);
    snprintf(line, sizeof(line), "%s/w.yaml: larger than 64 KiB: no configuration",
             (const char *)*state);
    expect_bad("w.yaml", true, 78, line);
    assert_int_equal(truncate("w.yaml", 65536), 0);
    struct config config;
    int exit_code = 99;
    assert_int_equal(config_read(&config, "w.yaml", false, &errors, &exit_code), 0);
    config_deinit(&config);
}

/* Root reads everything, so the test is somebody else for a while. */
static void test_not_readable(void **state)
{
    char line[PATH_MAX * 2];
    put("w.yaml", "", 0000);
    uid_t before = geteuid();
    if (before == 0) {
        assert_int_equal(chmod(*state, 0755), 0);
        assert_int_equal(seteuid(65534), 0);
    }
    snprintf(line, sizeof(line), "%s/w.yaml: Permission denied", (const char *)*state);
    expect_bad("w.yaml", true, 77, line);
    assert_int_equal(seteuid(before), 0);
}

#define FILE_TEST(function) \
    cmocka_unit_test_setup_teardown(function, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(test_one_name_for_one_file), FILE_TEST(test_absent), FILE_TEST(test_mistake),
        FILE_TEST(test_not_a_regular_file),    FILE_TEST(test_large),  FILE_TEST(test_not_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
