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

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "build.h"
#include "cli/deadline.h"
#include "cli/lockfile.h"
#include "cli/start.h"

/* On-demand start with a keeper of the test's own (fake_keeper.c) in a directory of its own. */

static const char *keeper; /* the path of fake_keeper: argv[1] */

struct scene {
    char directory[64];
    char runtime[80];
    char starts[80];
    struct settings settings;
    struct start_place place;
};

static void set_scene(struct scene *scene, const char *mode)
{
    memset(scene, 0, sizeof *scene);
    strcpy(scene->directory, "/tmp/wicket-start-XXXXXX");
    assert_non_null(mkdtemp(scene->directory));
    snprintf(scene->runtime, sizeof scene->runtime, "%s/run", scene->directory);
    snprintf(scene->starts, sizeof scene->starts, "%s/starts", scene->directory);
    config_init(&scene->settings.config);
    snprintf(scene->settings.config.path, sizeof scene->settings.config.path, "%s/wicket.yaml",
             scene->directory);
    snprintf(scene->settings.config.control.socket, sizeof scene->settings.config.control.socket,
             "%s/run/control.sock", scene->directory);
    scene->settings.given = true;
    scene->place = (struct start_place){scene->runtime, keeper};
    FILE *file = fopen(scene->settings.config.path, "we");
    assert_non_null(file);
    fprintf(file, "%s\n%s\n%s\n", mode, scene->settings.config.control.socket, scene->starts);
    assert_int_equal(fclose(file), 0);
}

static size_t count_starts(const struct scene *scene)
{
    struct stat status;
    return stat(scene->starts, &status) == 0 ? (size_t)status.st_size : 0;
}

/* Fails when a socket or a lock is left over. */
static void clear_scene(struct scene *scene)
{
    unlink(scene->settings.config.path);
    unlink(scene->starts);
    assert_int_equal(rmdir(scene->runtime), 0);
    assert_int_equal(rmdir(scene->directory), 0);
    config_deinit(&scene->settings.config);
}

static int connect_in(struct scene *scene, struct connection *connection, uint64_t timeout_ms,
                      struct error *error)
{
    *connection = CONNECTION_CLOSED;
    *error = (struct error){0};
    return start_connect_at(connection, &scene->settings, &scene->place, deadline_in(timeout_ms),
                            error);
}

/* Tells the keeper to leave and waits until it has: its end of the lock goes last. */
static void dismiss(struct connection *connection)
{
    union control_message request;
    control_message_init(&request, CONTROL_CLOSE);
    assert_true(control_send(connection->fd, &request, -1) > 0);
    struct pollfd end = {.fd = connection->fd, .events = POLLIN};
    assert_int_equal(poll(&end, 1, 10000), 1);
    assert_int_equal(control_receive(connection->fd, &request, NULL), 0);
    connection_close(connection);
}

static void test_start_and_leave_and_start(void **state)
{
    (void)state;
    struct scene scene;
    struct connection connection;
    struct error error;
    set_scene(&scene, "good");
    for (size_t round = 1; round <= 3; round++) {
        if (connect_in(&scene, &connection, 10000, &error) < 0)
            fail_msg("%s", error.text);
        assert_true(connection.keeper_pid > 0);
        assert_int_equal(count_starts(&scene), round);
        /* It is nobody's child here. */
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        assert_int_equal(errno, ECHILD);
        dismiss(&connection);
    }
    clear_scene(&scene);
}

/* However many ask at once, one keeper is started and all are served by it. */
static void test_many_at_once(void **state)
{
    (void)state;
    enum { CLIENTS = 12 };
    for (size_t round = 0; round < 5; round++) {
        struct scene scene;
        set_scene(&scene, "good");
        pid_t pids[CLIENTS];
        for (size_t i = 0; i < CLIENTS; i++) {
            pids[i] = fork();
            assert_true(pids[i] >= 0);
            if (pids[i] == 0) {
                struct connection connection;
                struct error error;
                if (connect_in(&scene, &connection, 20000, &error) < 0) {
                    fprintf(stderr, "%s\n", error.text);
                    _exit(1);
                }
                _exit(0);
            }
        }
        for (size_t i = 0; i < CLIENTS; i++) {
            int status;
            assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
            assert_int_equal(status, 0);
        }
        assert_int_equal(count_starts(&scene), 1);
        struct connection connection;
        struct error error;
        assert_int_equal(connect_in(&scene, &connection, 10000, &error), 0);
        assert_int_equal(count_starts(&scene), 1);
        dismiss(&connection);
        clear_scene(&scene);
    }
}

static void test_failures(void **state)
{
    (void)state;
    static const struct {
        const char *mode;
        const char *keeper; /* NULL: the fake */
        size_t starts;
        int exit_code;
        const char *text;
    } rows[] = {
        {"die", NULL, 1, EX_UNAVAILABLE,
         "the keeper died while starting; see the system log, or " WICKET_RUNTIME_DIR
         "/keeper.log"},
        {"refuse", NULL, 1, EX_CANTCREAT, "port 8402 is taken"},
        {"leave", NULL, 3, EX_UNAVAILABLE,
         "the keeper leaves as soon as it has started; see the system log, or " WICKET_RUNTIME_DIR
         "/keeper.log"},
        {"good", "/nonexistent/keeper", 0, EX_UNAVAILABLE,
         "/nonexistent/keeper: cannot be executed: No such file or directory"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scene scene;
        struct connection connection;
        struct error error;
        set_scene(&scene, rows[i].mode);
        if (rows[i].keeper != NULL)
            scene.place.keeper = rows[i].keeper;
        assert_int_equal(connect_in(&scene, &connection, 10000, &error), -1);
        assert_string_equal(error.text, rows[i].text);
        assert_int_equal(error.exit_code, rows[i].exit_code);
        assert_int_equal(count_starts(&scene), rows[i].starts);
        /* A keeper that said it was ready owns the lock, and this one did not tidy up. */
        struct lockfile lock;
        assert_int_equal(lockfile_init(&lock, scene.runtime, &error), 0);
        assert_int_equal(unlink(lock.path) == 0, strcmp(rows[i].mode, "leave") == 0);
        clear_scene(&scene);
    }
}

/* Somebody holds the lock and says nothing, or says that he serves another socket. */
static void test_somebody_else_holds_the_lock(void **state)
{
    (void)state;
    struct scene scene;
    struct connection connection;
    struct error error;
    struct lockfile lock;
    bool held;
    set_scene(&scene, "good");
    assert_int_equal(lockfile_init(&lock, scene.runtime, &error), 0);
    assert_int_equal(lockfile_try(&lock, &held, &error), 0);
    assert_true(held);
    assert_int_equal(connect_in(&scene, &connection, 200, &error), -1);
    assert_int_equal(error.exit_code, EX_TEMPFAIL);

    static const char content[] = "pid 77\nsocket /run/other.sock\nconfig /etc/other.yaml\n";
    assert_int_equal(write(lock.fd, content, sizeof content - 1), sizeof content - 1);
    assert_int_equal(connect_in(&scene, &connection, 10000, &error), -1);
    assert_int_equal(error.exit_code, EX_CONFIG);
    assert_non_null(strstr(error.text, "pid 77"));
    assert_non_null(strstr(error.text, "/run/other.sock"));
    assert_non_null(strstr(error.text, "/etc/other.yaml"));
    assert_non_null(strstr(error.text, scene.settings.config.control.socket));
    assert_non_null(strstr(error.text, scene.settings.config.path));
    assert_int_equal(count_starts(&scene), 0);
    lockfile_remove(&lock);
    lockfile_deinit(&lock);
    clear_scene(&scene);
}

/* Who waits for a holder takes over at once when that one dies, and does not wait out the time. */
static void test_the_holder_dies(void **state)
{
    (void)state;
    struct scene scene;
    struct error error;
    struct lockfile lock;
    bool held;
    set_scene(&scene, "good");
    assert_int_equal(lockfile_init(&lock, scene.runtime, &error), 0);
    assert_int_equal(lockfile_try(&lock, &held, &error), 0);
    const pid_t client = fork();
    assert_true(client >= 0);
    if (client == 0) {
        struct connection connection;
        lockfile_deinit(&lock); /* shared with the parent: still locked by it */
        _exit(connect_in(&scene, &connection, 20000, &error) == 0 ? 0 : 1);
    }
    const uint64_t before = deadline_now();
    lockfile_deinit(&lock);
    int status;
    assert_int_equal(waitpid(client, &status, 0), client);
    assert_int_equal(status, 0);
    assert_true(deadline_now() - before < 10000);
    assert_int_equal(count_starts(&scene), 1);
    struct connection connection;
    assert_int_equal(connect_in(&scene, &connection, 10000, &error), 0);
    dismiss(&connection);
    clear_scene(&scene);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_and_leave_and_start),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_somebody_else_holds_the_lock),
        cmocka_unit_test(test_the_holder_dies),
    };
    if (argc != 2)
        return EX_USAGE;
    /* Absolute, as every program is started, since the keeper changes directory first. */
    char path[PATH_MAX];
    if (realpath(argv[1], path) == NULL)
        return EX_NOINPUT;
    keeper = path;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
