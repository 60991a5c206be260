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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/program.h"
#include "build.h"

#define NAME "wicket-test-program"

/* A moved prefix: bin and libexec under a directory of its own. */
struct tree {
    char root[64];
    char bin[96], libexec[96];
    char beside[160], other[160];
};

static int tree_setup(void **state)
{
    static struct tree tree;
    strcpy(tree.root, "/tmp/wicket-program-XXXXXX");
    if (!mkdtemp(tree.root))
        return -1;
    snprintf(tree.bin, sizeof(tree.bin), "%s/bin", tree.root);
    snprintf(tree.libexec, sizeof(tree.libexec), "%s/libexec", tree.root);
    snprintf(tree.beside, sizeof(tree.beside), "%s/" NAME, tree.bin);
    snprintf(tree.other, sizeof(tree.other), "%s/" NAME, tree.libexec);
    *state = &tree;
    return mkdir(tree.bin, 0755) != 0 || mkdir(tree.libexec, 0755) != 0 ? -1 : 0;
}

static int tree_teardown(void **state)
{
    struct tree *tree = *state;
    unlink(tree->beside);
    rmdir(tree->beside);
    unlink(tree->other);
    rmdir(tree->bin);
    rmdir(tree->libexec);
    return rmdir(tree->root);
}

static void put(const char *path, mode_t mode)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void test_missing(void **state)
{
    struct tree *tree = *state;
    char out[PATH_MAX];
    char text[512];
    struct error error = {0};
    assert_int_equal(program_find_from(out, sizeof(out), tree->bin, 1000, NAME, &error), -1);
    assert_int_equal(error.exit_code, 69);
    snprintf(text, sizeof(text), NAME " is missing: looked in %s and %s", tree->bin, tree->libexec);
    assert_string_equal(error.text, text);
}

static void test_beside(void **state)
{
    struct tree *tree = *state;
    char out[PATH_MAX];
    put(tree->beside, 0775);
    put(tree->other, 0755);
    assert_int_equal(program_find_from(out, sizeof(out), tree->bin, 1000, NAME, NULL), 0);
    assert_string_equal(out, tree->beside);
    /* A build tree is as trustworthy as what runs from it. */
    assert_int_equal(program_find_from(out, sizeof(out), tree->bin, 0, NAME, NULL), 0);
}

static void test_moved_prefix(void **state)
{
    struct tree *tree = *state;
    char out[PATH_MAX];
    put(tree->other, 0755);
    assert_int_equal(program_find_from(out, sizeof(out), tree->bin, 1000, NAME, NULL), 0);
    assert_string_equal(out, tree->other);
    /* Only when the test runs as root is the file root's. */
    struct error error = {0};
    int found = program_find_from(out, sizeof(out), tree->bin, 0, NAME, &error);
    assert_int_equal(found, geteuid() == 0 ? 0 : -1);
    assert_int_equal(error.exit_code, geteuid() == 0 ? 0 : 77);
}

static void test_root_runs_nothing_others_may_write(void **state)
{
    struct tree *tree = *state;
    static const mode_t modes[] = {0775, 0757, 0777};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        char out[PATH_MAX];
        struct error error = {0};
        put(tree->other, modes[i]);
        assert_int_equal(program_find_from(out, sizeof(out), tree->bin, 0, NAME, &error), -1);
        assert_int_equal(error.exit_code, 77);
        assert_non_null(strstr(error.text, "others than root may change it"));
        assert_int_equal(program_find_from(out, sizeof(out), tree->bin, 1000, NAME, NULL), 0);
        assert_int_equal(unlink(tree->other), 0);
    }
}

static void test_not_executable(void **state)
{
    struct tree *tree = *state;
    char out[PATH_MAX];
    struct error error = {0};
    put(tree->beside, 0644);
    assert_int_equal(program_find_from(out, sizeof(out), tree->bin, 1000, NAME, &error), -1);
    assert_int_equal(error.exit_code, 69);
    assert_non_null(strstr(error.text, "not an executable file"));

    assert_int_equal(unlink(tree->beside), 0);
    assert_int_equal(mkdir(tree->beside, 0755), 0);
    assert_int_equal(program_find_from(out, sizeof(out), tree->bin, 1000, NAME, &error), -1);
    assert_int_equal(error.exit_code, 69);
}

static void test_capacity(void **state)
{
    struct tree *tree = *state;
    char out[PATH_MAX];
    struct error error = {0};
    put(tree->beside, 0755);
    assert_int_equal(program_find_from(out, strlen(tree->beside) + 1, tree->bin, 1000, NAME, NULL),
                     0);
    assert_int_equal(program_find_from(out, strlen(tree->beside), tree->bin, 1000, NAME, &error),
                     -1);
    assert_non_null(strstr(error.text, "too long"));
}

/* What is installed looks nowhere but in libexecdir. */
static void test_installed(void **state)
{
    (void)state;
    static const char *const directories[] = {WICKET_BINDIR, WICKET_LIBEXECDIR};
    for (size_t i = 0; i < 2; i++) {
        char out[PATH_MAX];
        struct error error = {0};
        assert_int_equal(program_find_from(out, sizeof(out), directories[i], 0, NAME, &error), -1);
        assert_int_equal(error.exit_code, 69);
        assert_string_equal(error.text, NAME " is missing: it belongs in " WICKET_LIBEXECDIR);
    }
}

/* This test is its own neighbour. */
static void test_find(void **state)
{
    (void)state;
    char self[PATH_MAX];
    char out[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    assert_true(length > 0);
    self[length] = '\0';
    assert_int_equal(program_find(out, sizeof(out), strrchr(self, '/') + 1, NULL), 0);
    assert_string_equal(out, self);
    struct error error = {0};
    assert_int_equal(program_find(out, sizeof(out), NAME, &error), -1);
    assert_int_equal(error.exit_code, 69);
}

#define TREE_TEST(function) cmocka_unit_test_setup_teardown(function, tree_setup, tree_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_missing),          TREE_TEST(test_beside),
        TREE_TEST(test_moved_prefix),     TREE_TEST(test_root_runs_nothing_others_may_write),
        TREE_TEST(test_not_executable),   TREE_TEST(test_capacity),
        cmocka_unit_test(test_installed), cmocka_unit_test(test_find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
