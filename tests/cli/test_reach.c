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

#include <sys/wait.h>

#include "cli/deadline.h"
#include "cli/reach.h"
#include "fake.h"

/* The keeper of what only ends or shows something, with a lock of the test's own. */

struct scene {
    struct fake fake; /* listens at control.sock of its directory */
    char runtime[96];
    struct lockfile lock;
    struct settings settings; /* as the caller has them */
    size_t watches;           /* that there were when it was greeted */
};

static void greet(struct fake *fake, int client, int number)
{
    (void)number;
    size_t *const watches = fake->context;
    *watches += fake_watches();
    fake_greet(client, fake->settings.config.path);
    union control_message request;
    while (fake_next(client, &request) != 0)
        fake_result(client, 0, "");
}

static void set_scene(struct scene *scene, bool listens)
{
    struct error error;
    scene->watches = 0;
    fake_start(&scene->fake, greet, &scene->watches);
    snprintf(scene->runtime, sizeof scene->runtime, "%s/run", scene->fake.directory);
    scene->settings = scene->fake.settings;
    if (!listens)
        assert_int_equal(unlink(scene->settings.config.control.socket), 0);
    assert_int_equal(lockfile_init(&scene->lock, scene->runtime, &error), 0);
}

static void hold(struct scene *scene, const char *socket, const char *config)
{
    struct error error;
    bool held;
    assert_int_equal(lockfile_try(&scene->lock, &held, &error), 0);
    assert_true(held);
    if (socket != NULL)
        dprintf(scene->lock.fd, "pid 4711\nsocket %s\nconfig %s\n", socket, config);
}

static void clear_scene(struct scene *scene)
{
    lockfile_remove(&scene->lock);
    lockfile_deinit(&scene->lock);
    assert_int_equal(rmdir(scene->runtime), 0);
    fake_stop(&scene->fake);
}

static int reach(struct scene *scene, uint64_t patience_ms, enum reach *reached,
                 struct error *error)
{
    struct connection connection = CONNECTION_CLOSED;
    *error = (struct error){0};
    const int result =
        reach_keeper(&connection, &scene->settings, scene->runtime, patience_ms, reached, error);
    assert_int_equal(connection.fd >= 0, result == 0 && *reached == REACH_READY);
    connection_close(&connection);
    return result;
}

static void test_ready_and_nobody(void **state)
{
    (void)state;
    for (int listens = 0; listens < 2; listens++) {
        struct scene scene;
        struct error error;
        enum reach reached = REACH_UNKNOWN;
        set_scene(&scene, listens != 0);
        assert_int_equal(reach(&scene, 0, &reached, &error), 0);
        assert_int_equal(reached, listens != 0 ? REACH_READY : REACH_NOBODY);
        clear_scene(&scene);
        assert_int_equal(scene.watches, 0); /* ending one takes long */
    }
}

/* It runs, and its tokens are served: nothing that may be passed over. */
static void test_socket_was_removed(void **state)
{
    (void)state;
    for (int starting = 0; starting < 2; starting++) {
        struct scene scene;
        struct error error;
        enum reach reached;
        set_scene(&scene, false);
        const struct config *config = &scene.settings.config;
        hold(&scene, starting != 0 ? NULL : config->control.socket, config->path);
        assert_int_equal(reach(&scene, 50, &reached, &error), -1);
        assert_int_equal(error.exit_code, EX_TEMPFAIL);
        assert_non_null(strstr(error.text, starting != 0 ? "is starting" : "pid 4711"));
        clear_scene(&scene);
    }
}

static void test_socket_was_moved(void **state)
{
    (void)state;
    struct scene scene;
    struct error error;
    enum reach reached;
    set_scene(&scene, true);
    struct config *config = &scene.settings.config;
    hold(&scene, scene.fake.settings.config.control.socket, config->path);
    snprintf(config->control.socket, sizeof config->control.socket, "%s/new.sock",
             scene.fake.directory);
    assert_int_equal(reach(&scene, 0, &reached, &error), 0);
    assert_int_equal(reached, REACH_READY);
    assert_string_equal(config->control.socket, scene.fake.settings.config.control.socket);
    clear_scene(&scene);
}

static void test_another_configuration(void **state)
{
    (void)state;
    struct scene scene;
    struct error error;
    enum reach reached;
    set_scene(&scene, false);
    hold(&scene, "/run/other.sock", "/etc/other.yaml");
    assert_int_equal(reach(&scene, 5000, &reached, &error), -1);
    assert_int_equal(error.exit_code, EX_CONFIG);
    assert_non_null(strstr(error.text, "pid 4711"));
    assert_non_null(strstr(error.text, "-c /etc/other.yaml"));
    clear_scene(&scene);
}

/* What is strict says what to do about a socket that was moved. */
static void test_refusal_of_a_moved_socket(void **state)
{
    (void)state;
    struct error error = {0};
    struct settings settings = {.given = true};
    config_init(&settings.config);
    strcpy(settings.config.path, "/etc/wicket-test.yaml");
    struct lockfile_content holder = {.pid = 4711, .socket = "/run/old.sock"};
    strcpy(holder.config, settings.config.path);
    assert_int_equal(reach_refuse_other(&holder, &settings, &error), -1);
    assert_int_equal(error.exit_code, EX_CONFIG);
    assert_memory_equal(error.text, "restart the keeper (pid 4711): control.socket was changed",
                        57);
    config_deinit(&settings.config);
}

/* A keeper that is leaving is waited for, no longer than it takes. */
static void test_it_leaves(void **state)
{
    (void)state;
    struct scene scene;
    set_scene(&scene, false);
    const struct config *config = &scene.settings.config;
    hold(&scene, config->control.socket, config->path);
    const uint64_t before = deadline_now();
    const pid_t client = fork();
    assert_true(client >= 0);
    if (client == 0) {
        struct error error;
        struct connection connection = CONNECTION_CLOSED;
        enum reach reached;
        lockfile_deinit(&scene.lock); /* the parent's end still holds it */
        const int result =
            reach_keeper(&connection, &scene.settings, scene.runtime, 20000, &reached, &error);
        _exit(result == 0 && reached == REACH_NOBODY ? 0 : 1);
    }
    lockfile_remove(&scene.lock);
    lockfile_deinit(&scene.lock);
    int status;
    assert_int_equal(waitpid(client, &status, 0), client);
    assert_int_equal(status, 0);
    assert_true(deadline_now() - before < 10000);
    clear_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ready_and_nobody),
        cmocka_unit_test(test_socket_was_removed),
        cmocka_unit_test(test_socket_was_moved),
        cmocka_unit_test(test_another_configuration),
        cmocka_unit_test(test_refusal_of_a_moved_socket),
        cmocka_unit_test(test_it_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
