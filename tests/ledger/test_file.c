// SPDX-License-Identifier: GPL-2.0-or-later
/* The ledger's file: appended to whole lines at a time, renamed when full, never through a link. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "ledger/file.h"

struct place {
    char directory[64];
    char path[96], old[96], lock[96], other[96];
};

static int place_make(void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    *state = place;
    strcpy(place->directory, "/tmp/wicket-ledger-XXXXXX");
    if (mkdtemp(place->directory) == NULL)
        return -1;
    snprintf(place->path, sizeof(place->path), "%s/ledger.jsonl", place->directory);
    snprintf(place->old, sizeof(place->old), "%s/ledger.jsonl.1", place->directory);
    snprintf(place->lock, sizeof(place->lock), "%s/ledger.jsonl.lock", place->directory);
    snprintf(place->other, sizeof(place->other), "%s/other", place->directory);
    return 0;
}

static int place_clear(void **state)
{
    struct place *place = *state;

    chmod(place->directory, 0700);
    unlink(place->path);
    unlink(place->old);
    unlink(place->lock);
    unlink(place->other);
    rmdir(place->old);
    int result = rmdir(place->directory);
    free(place);
    return result;
}

static void open_ledger(struct ledger_file *file, const struct place *place, uint64_t size_max)
{
    struct error error = {0};
    uid_t owner;

    assert_int_equal(ledger_file_init(file, place->path, size_max, &owner, &error), 0);
    assert_int_equal(owner, geteuid());
}

static void append(struct ledger_file *file, const char *lines)
{
    struct error error = {0};

    if (ledger_file_append(file, lines, strlen(lines), &error) != 0)
        fail_msg("%s", error.text);
}

static void refuse(struct ledger_file *file, int exit_code, const char *why)
{
    struct error error = {0};

    assert_int_equal(ledger_file_append(file, "line\n", 5, &error), -1);
    assert_int_equal(error.exit_code, exit_code);
    if (strstr(error.text, why) == NULL)
        fail_msg("%s", error.text);
}

static void expect(const char *path, const char *text)
{
    char bytes[4096] = "";
    FILE *stream = fopen(path, "re");

    assert_non_null(stream);
    size_t length = fread(bytes, 1, sizeof(bytes) - 1, stream);
    fclose(stream);
    bytes[length] = '\0';
    assert_string_equal(bytes, text);
}

static void write_file(const char *path, const char *text)
{
    FILE *stream = fopen(path, "we");

    assert_non_null(stream);
    fputs(text, stream);
    assert_int_equal(fclose(stream), 0);
}

static void test_append(void **state)
{
    const struct place *place = *state;
    struct ledger_file file;
    struct stat status;
    mode_t before = umask(0);

    open_ledger(&file, place, 1000);
    append(&file, "one\n");
    append(&file, "two\nthree\n");
    expect(place->path, "one\ntwo\nthree\n");
    assert_int_equal(stat(place->path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    ledger_file_deinit(&file);
    open_ledger(&file, place, 1000);
    append(&file, "four\n");
    expect(place->path, "one\ntwo\nthree\nfour\n");
    ledger_file_deinit(&file);
    umask(before);
}

/* Who may read the ledger may lock it; that keeps nobody from writing. */
static void test_locked_by_a_reader(void **state)
{
    const struct place *place = *state;
    struct ledger_file file;
    struct stat status;

    open_ledger(&file, place, 1000);
    append(&file, "one\n");
    int reader = open(place->path, O_RDONLY | O_CLOEXEC);
    assert_true(reader >= 0);
    assert_int_equal(flock(reader, LOCK_EX | LOCK_NB), 0);
    append(&file, "two\n");
    expect(place->path, "one\ntwo\n");
    close(reader);

    assert_int_equal(stat(place->lock, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    ledger_file_deinit(&file);
}

/* Those who take turns take them by what bears the name. */
static void test_lock_file(void **state)
{
    const struct place *place = *state;
    struct ledger_file file;

    open_ledger(&file, place, 1000);
    append(&file, "one\n");
    assert_int_equal(unlink(place->lock), 0);
    append(&file, "two\n");
    assert_int_equal(access(place->lock, F_OK), 0);
    ledger_file_deinit(&file);

    assert_int_equal(chmod(place->lock, 0640), 0);
    open_ledger(&file, place, 1000);
    refuse(&file, EX_NOPERM, "ledger.jsonl.lock may be opened by others");
    assert_int_equal(unlink(place->lock), 0);
    assert_int_equal(symlink("other", place->lock), 0);
    refuse(&file, EX_NOPERM, "ledger.jsonl.lock is a symbolic link");
    assert_int_equal(access(place->other, F_OK), -1);
    assert_int_equal(unlink(place->lock), 0);
    append(&file, "three\n");
    expect(place->path, "one\ntwo\nthree\n");
    ledger_file_deinit(&file);
}

/* What a crash has left is a line of its own, and stays broken. */
static void test_partial_line(void **state)
{
    const struct place *place = *state;
    struct ledger_file file;

    write_file(place->path, "one\ntw");
    open_ledger(&file, place, 1000);
    append(&file, "three\n");
    expect(place->path, "one\ntw\nthree\n");
    ledger_file_deinit(&file);
}

static void test_rotation(void **state)
{
    const struct place *place = *state;
    struct ledger_file file;

    open_ledger(&file, place, 20);
    append(&file, "123456789\n");
    append(&file, "abcdefgh\n"); /* 19 bytes, and one more that could have been needed */
    append(&file, "next\n");
    expect(place->old, "123456789\nabcdefgh\n");
    expect(place->path, "next\n");
    append(&file, "far too long for what there is\n");
    expect(place->old, "next\n");
    expect(place->path, "far too long for what there is\n");
    append(&file, "on\n");
    expect(place->old, "far too long for what there is\n");
    expect(place->path, "on\n");
    ledger_file_deinit(&file);
}

/* Somebody else has renamed or removed it: lines go to what bears the name. */
static void test_renamed_by_others(void **state)
{
    const struct place *place = *state;
    struct ledger_file file;

    open_ledger(&file, place, 1000);
    append(&file, "one\n");
    assert_int_equal(rename(place->path, place->other), 0);
    append(&file, "two\n");
    expect(place->other, "one\n");
    expect(place->path, "two\n");
    assert_int_equal(unlink(place->path), 0);
    append(&file, "three\n");
    expect(place->path, "three\n");
    ledger_file_deinit(&file);
}

static void test_rotation_refused(void **state)
{
    const struct place *place = *state;
    struct ledger_file file;

    open_ledger(&file, place, 9);
    append(&file, "one\n");
    assert_int_equal(mkdir(place->old, 0700), 0);
    refuse(&file, EX_CANTCREAT, "is full, and cannot become ledger.jsonl.1");
    expect(place->path, "one\n");
    assert_int_equal(rmdir(place->old), 0);
    append(&file, "two-two\n");
    expect(place->old, "one\n");
    ledger_file_deinit(&file);
}

static void test_planted(void **state)
{
    const struct place *place = *state;
    struct ledger_file file;

    open_ledger(&file, place, 1000);
    write_file(place->other, "precious\n");
    assert_int_equal(symlink(place->other, place->path), 0);
    refuse(&file, EX_NOPERM, "is a symbolic link, which is not followed; remove it");
    unlink(place->path);
    assert_int_equal(symlink("/nonexistent/x", place->path), 0);
    refuse(&file, EX_NOPERM, "is a symbolic link");
    unlink(place->path);
    assert_int_equal(link(place->other, place->path), 0);
    refuse(&file, EX_NOPERM, "has another name too");
    unlink(place->path);
    assert_int_equal(mkfifo(place->path, 0600), 0);
    refuse(&file, EX_CANTCREAT, "is no regular file");
    unlink(place->path);
    expect(place->other, "precious\n");
    /* A link in the old one's place is replaced, and what it leads to is not. */
    ledger_file_deinit(&file);
    open_ledger(&file, place, 5);
    append(&file, "one\n");
    assert_int_equal(symlink(place->other, place->old), 0);
    append(&file, "two\n");
    expect(place->other, "precious\n");
    expect(place->old, "one\n");
    ledger_file_deinit(&file);
}

static void refuse_directory(const char *path, int exit_code, const char *why)
{
    struct ledger_file file;
    struct error error = {0};
    uid_t owner;

    assert_int_equal(ledger_file_init(&file, path, 1000, &owner, &error), -1);
    assert_int_equal(error.exit_code, exit_code);
    if (strstr(error.text, why) == NULL)
        fail_msg("%s", error.text);
    ledger_file_deinit(&file);
}

static void test_directory(void **state)
{
    const struct place *place = *state;
    struct ledger_file file;
    struct error error;
    struct stat status;
    char path[192], link_path[128];
    uid_t owner;

    refuse_directory("/nonexistent/nowhere/ledger", EX_CANTCREAT, "there is no such directory");
    snprintf(link_path, sizeof(link_path), "%s.link", place->directory);
    snprintf(path, sizeof(path), "%s/ledger", link_path);
    assert_int_equal(symlink(place->directory, link_path), 0);
    refuse_directory(path, EX_NOPERM, "a symbolic link is on the way");
    unlink(link_path);
    assert_int_equal(chmod(place->directory, 0770), 0);
    refuse_directory(place->path, EX_NOPERM, "others than its owner may write there");
    assert_int_equal(chmod(place->directory, 0700), 0);
    /* One that is missing, and nothing else is, is made. */
    snprintf(path, sizeof(path), "%s/other/ledger", place->directory);
    assert_int_equal(ledger_file_init(&file, path, 1000, &owner, &error), 0);
    assert_int_equal(stat(place->other, &status), 0);
    assert_true(S_ISDIR(status.st_mode));
    append(&file, "one\n");
    expect(path, "one\n");
    ledger_file_deinit(&file);
    unlink(path);
    snprintf(path, sizeof(path), "%s/other/ledger.lock", place->directory);
    unlink(path);
    assert_int_equal(rmdir(place->other), 0);
}

/* A disk that takes a part only: nothing of it stays, and the next line is whole. */
static void test_full(void **state)
{
    const struct place *place = *state;
    struct ledger_file file;

    open_ledger(&file, place, 1000);
    append(&file, "one\n");
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit limit = {7, 7};
        struct error error;
        signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
            _exit(1);
        if (ledger_file_append(&file, "two-two\n", 8, &error) == 0 || error.exit_code != EX_IOERR)
            _exit(2);
        _exit(ledger_file_append(&file, "2\n", 2, &error) == 0 ? 0 : 3);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    expect(place->path, "one\n2\n");
    ledger_file_deinit(&file);
}

/* Several at once, over many rotations: every line is whole, and none is glued to another. */
static void test_many_writers(void **state)
{
    enum { WRITERS = 4, LINES = 2000, LENGTH = 40 };
    const struct place *place = *state;
    pid_t children[WRITERS];
    char text[LENGTH + 2];

    for (int i = 0; i < WRITERS; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] > 0)
            continue;
        struct ledger_file file;
        struct error error;
        uid_t owner;
        if (ledger_file_init(&file, place->path, 100 * LENGTH, &owner, &error) != 0)
            _exit(1);
        memset(text, 'a' + i, LENGTH - 1);
        text[LENGTH - 1] = '\n';
        for (int line = 0; line < LINES; line++)
            if (ledger_file_append(&file, text, LENGTH, &error) != 0)
                _exit(2);
        _exit(0);
    }
    for (int i = 0; i < WRITERS; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    const char *const paths[] = {place->path, place->old};
    for (int i = 0; i < 2; i++) {
        struct stat status;
        size_t lines = 0;
        FILE *stream = fopen(paths[i], "re");
        assert_non_null(stream);
        assert_int_equal(fstat(fileno(stream), &status), 0);
        assert_true(status.st_size <= 100 * LENGTH);
        while (fgets(text, sizeof(text), stream) != NULL) {
            assert_int_equal(strlen(text), LENGTH);
            assert_int_equal(text[LENGTH - 1], '\n');
            for (int at = 1; at < LENGTH - 1; at++)
                assert_int_equal(text[at], text[0]);
            lines++;
        }
        assert_true(lines > 0);
        fclose(stream);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_append),           TEST(test_locked_by_a_reader),
        TEST(test_lock_file),        TEST(test_partial_line),
        TEST(test_rotation),         TEST(test_renamed_by_others),
        TEST(test_rotation_refused), TEST(test_planted),
        TEST(test_directory),        TEST(test_full),
        TEST(test_many_writers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
