// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the above first */
#include <cmocka.h>
#include <string.h>
#include <sys/inotify.h>

#include "keeper/webroot_judge.h"
#include "keeper/webroot_mount.h"

#define THUMBPRINT "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"

static void events_of_the_directory_with_the_challenges(void **state)
{
    static const struct {
        uint32_t mask;
        const char *name;
        enum webroot_deed deed;
    } rows[] = {
        {IN_CLOSE_WRITE, "a", WEBROOT_READ},
        {IN_MOVED_TO, "a", WEBROOT_READ},
        {IN_MOVED_TO | IN_ISDIR, "a", WEBROOT_PASS_OVER},
        {IN_ATTRIB, "a", WEBROOT_RETRY},
        {IN_ATTRIB | IN_ISDIR, "a", WEBROOT_PASS_OVER},
        {IN_ATTRIB, NULL, WEBROOT_WALK},
        {IN_CREATE, "a", WEBROOT_PASS_OVER},
        {IN_DELETE, "a", WEBROOT_VANISH},
        {IN_MOVED_FROM, "a", WEBROOT_VANISH},
        {IN_DELETE_SELF, NULL, WEBROOT_WALK},
        {IN_MOVE_SELF, NULL, WEBROOT_WALK},
        {IN_UNMOUNT, NULL, WEBROOT_WALK},
        {IN_IGNORED, NULL, WEBROOT_WALK},
        {IN_Q_OVERFLOW, NULL, WEBROOT_RESCAN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(webroot_judge_challenge(rows[i].mask, rows[i].name), rows[i].deed);
}

static void events_of_the_directories_above(void **state)
{
    static const struct {
        uint32_t mask;
        const char *name;
        enum webroot_deed deed;
    } rows[] = {
        {IN_CREATE | IN_ISDIR, "next", WEBROOT_WALK},
        {IN_CREATE, "next", WEBROOT_WALK}, /* a link */
        {IN_MOVED_TO | IN_ISDIR, "next", WEBROOT_WALK},
        {IN_MOVED_FROM | IN_ISDIR, "next", WEBROOT_WALK},
        {IN_DELETE | IN_ISDIR, "next", WEBROOT_WALK},
        {IN_ATTRIB | IN_ISDIR, "next", WEBROOT_WALK},
        {IN_CREATE | IN_ISDIR, "another", WEBROOT_PASS_OVER},
        {IN_DELETE, "nex", WEBROOT_PASS_OVER},
        {IN_CLOSE_WRITE, "next", WEBROOT_PASS_OVER},
        {IN_ATTRIB, NULL, WEBROOT_WALK},
        {IN_OPEN, NULL, WEBROOT_PASS_OVER},
        {IN_DELETE_SELF, NULL, WEBROOT_WALK},
        {IN_UNMOUNT, NULL, WEBROOT_WALK},
        {IN_Q_OVERFLOW, NULL, WEBROOT_RESCAN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(webroot_judge_parent(rows[i].mask, rows[i].name, "next"), rows[i].deed);
}

static void names(void **state)
{
    bool silent;

    (void)state;
    assert_true(webroot_judge_name("a-_9", &silent));
    assert_false(webroot_judge_name(".a", &silent));
    assert_true(silent);
    assert_false(webroot_judge_name("a.b", &silent));
    assert_false(silent);
    assert_false(webroot_judge_name("a b", &silent));
    assert_false(webroot_judge_name("\xff", &silent));
}

static int judge(const char *name, const char *bytes, size_t length, struct error *error)
{
    struct challenge challenge;

    *error = (struct error){0};
    int result = webroot_judge_content(&challenge, name, bytes, length, error);
    if (result == 0) {
        assert_string_equal(challenge.token, name);
        assert_string_equal(challenge_thumbprint(&challenge), THUMBPRINT);
        assert_int_equal(strlen(challenge.key_authorization),
                         strlen(name) + 1 + CHALLENGE_THUMBPRINT_LENGTH);
    } else {
        assert_int_equal(error->exit_code, 65);
        assert_null(strstr(error->text, THUMBPRINT));
    }
    return result;
}

static void content(void **state)
{
    static const char good[] = "token." THUMBPRINT;
    static const char *const bad[] = {
        "",
        "\n",
        "token." THUMBPRINT "\n\n",
        "token." THUMBPRINT "\r\n",
        "token." THUMBPRINT " ",
        "\ntoken." THUMBPRINT,
        "token",
        "token.",
        "token." THUMBPRINT "x",
        "other." THUMBPRINT,
        "token.x." THUMBPRINT,
        "Token." THUMBPRINT,
    };
    char large[WEBROOT_FILE_MAX + 1];
    struct error error;

    (void)state;
    assert_int_equal(judge("token", good, sizeof(good) - 1, &error), 0);
    assert_int_equal(judge("token", "token." THUMBPRINT "\n", sizeof(good), &error), 0);
    /* A NUL at the end is a byte like any other. */
    assert_int_equal(judge("token", good, sizeof(good), &error), -1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(judge("token", bad[i], strlen(bad[i]), &error), -1);
    memset(large, 'a', sizeof(large));
    assert_int_equal(judge("token", large, sizeof(large), &error), -1);
    assert_string_equal(error.text, "it has more than 512 bytes");
}

/* No beginning of a good file is good, but for the newline that may be missing. */
static void beginnings(void **state)
{
    static const char good[] = "token." THUMBPRINT "\n";
    struct error error;

    (void)state;
    for (size_t length = 0; length < sizeof(good) - 2; length++)
        assert_int_equal(judge("token", good, length, &error), -1);
    assert_int_equal(judge("token", good, sizeof(good) - 2, &error), 0);
}

static void age(void **state)
{
    (void)state;
    assert_int_equal(webroot_judge_age(1000, 1000, 600), 600);
    assert_int_equal(webroot_judge_age(1100, 1000, 600), 500);
    assert_int_equal(webroot_judge_age(1599, 1000, 600), 1);
    assert_int_equal(webroot_judge_age(1600, 1000, 600), 0);
    assert_int_equal(webroot_judge_age(UINT64_MAX, 0, 600), 0);
    /* The clock was set back: no longer than a lifetime from now. */
    assert_int_equal(webroot_judge_age(1000, 90000, 600), 600);
}

static void local_file_systems(void **state)
{
    static const char *const local[] = {"ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs"};
    static const char *const remote[] = {"nfs",  "nfs4",       "cifs", "smb3", "9p",      "afs",
                                         "ceph", "fuse.sshfs", "fuse", "coda", "virtiofs"};

    (void)state;
    for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
        assert_true(webroot_mount_is_local(local[i]));
    for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++)
        assert_false(webroot_mount_is_local(remote[i]));
}

static void mountinfo(void **state)
{
    static const char text[] =
        "22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/root rw\n"
        "122 22 0:5 / /dev rw - devtmpfs udev rw,size=1k\n"
        "2 22 0:41 / /mnt/a\\040-\\040b rw shared:7 master:1 - fuse.sshfs a:/b rw,user_id=0\n"
        "40 22 0:42 / /mnt/broken rw shared:7\n"
        "41 22 0:43 / /mnt/x rw - nfs4 server:/x rw";
    char type[16];

    (void)state;
    assert_true(webroot_mount_find(type, sizeof(type), text, 22));
    assert_string_equal(type, "ext4");
    assert_true(webroot_mount_find(type, sizeof(type), text, 122));
    assert_string_equal(type, "devtmpfs");
    assert_true(webroot_mount_find(type, sizeof(type), text, 2));
    assert_string_equal(type, "fuse.sshfs");
    assert_true(webroot_mount_find(type, sizeof(type), text, 41));
    assert_string_equal(type, "nfs4");
    assert_false(webroot_mount_find(type, sizeof(type), text, 40));
    assert_false(webroot_mount_find(type, sizeof(type), text, 4));
    assert_false(webroot_mount_find(type, 4, text, 22));
    assert_false(webroot_mount_find(type, sizeof(type), "", 22));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_of_the_directory_with_the_challenges),
        cmocka_unit_test(events_of_the_directories_above),
        cmocka_unit_test(names),
        cmocka_unit_test(content),
        cmocka_unit_test(beginnings),
        cmocka_unit_test(age),
        cmocka_unit_test(local_file_systems),
        cmocka_unit_test(mountinfo),
    };

    return cmocka_run_group_tests_name("webroot_judge", tests, NULL, NULL);
}
