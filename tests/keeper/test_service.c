// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "keeper/service.h"

static const char *const variables[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
                                        "LISTEN_PID",    "LISTEN_FDS",    "LISTEN_FDNAMES"};

struct manager {
    char directory[64];
    char path[96];
    int fd;
    struct service service;
};

static int make_socket(int type, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    memcpy(address.sun_path, path, strlen(path));
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static int setup(void **state)
{
    struct manager *manager = calloc(1, sizeof(*manager));

    assert_non_null(manager);
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        unsetenv(variables[i]);
    strcpy(manager->directory, "/tmp/test-service-XXXXXX");
    assert_non_null(mkdtemp(manager->directory));
    snprintf(manager->path, sizeof(manager->path), "%s/notify", manager->directory);
    manager->fd = make_socket(SOCK_DGRAM | SOCK_NONBLOCK, manager->path);
    service_init(&manager->service);
    *state = manager;
    return 0;
}

static int teardown(void **state)
{
    struct manager *manager = *state;

    service_deinit(&manager->service);
    service_deinit(&manager->service);
    close(manager->fd);
    unlink(manager->path);
    rmdir(manager->directory);
    free(manager);
    return 0;
}

static void expect(const struct manager *manager, const char *text)
{
    char got[512] = "";

    ssize_t length = recv(manager->fd, got, sizeof(got) - 1, 0);
    assert_true(length > 0);
    assert_string_equal(got, text);
}

static void expect_nothing(const struct manager *manager)
{
    char got[512];

    assert_int_equal(recv(manager->fd, got, sizeof(got), 0), -1);
    assert_int_equal(errno, EAGAIN);
}

static void set_pid(const char *variable, pid_t pid)
{
    char text[32];

    snprintf(text, sizeof(text), "%ld", (long)pid);
    setenv(variable, text, 1);
}

static void test_nobodys(void **state)
{
    struct manager *manager = *state;
    struct service *service = &manager->service;
    struct error error;

    assert_int_equal(service_take_environment(service, 5, &error), 0);
    service_ready(service);
    service_status(service, "idle");
    service_stopping(service);
    service_tick(service, 1000000);
    assert_int_equal(service->socket_fd, -1);
    assert_true(service_next_ms(service) == UINT64_MAX);
    expect_nothing(manager);
}

static void test_notify(void **state)
{
    struct manager *manager = *state;
    struct service *service = &manager->service;
    struct timespec now;
    struct error error;
    char got[128] = "";
    long long told;

    setenv("NOTIFY_SOCKET", manager->path, 1);
    assert_int_equal(service_take_environment(service, 5, &error), 0);
    assert_null(getenv("NOTIFY_SOCKET"));
    service_ready(service);
    expect(manager, "READY=1");
    service_status(service, "reasons: %d", 2);
    expect(manager, "STATUS=reasons: 2");
    service_status(service, "reasons: %d", 2);
    expect_nothing(manager);
    service_stopping(service);
    expect(manager, "STOPPING=1");

    clock_gettime(CLOCK_MONOTONIC, &now);
    service_reloading(service);
    assert_true(recv(manager->fd, got, sizeof(got) - 1, 0) > 0);
    assert_int_equal(sscanf(got, "RELOADING=1\nMONOTONIC_USEC=%lld", &told), 1);
    assert_in_range(told - (now.tv_sec * 1000000LL + now.tv_nsec / 1000), 0, 10000000);

    /* No watchdog was asked for. */
    service_tick(service, 1000000);
    expect_nothing(manager);

    /* Whoever listened is gone, which stops nothing. */
    close(manager->fd);
    service_ready(service);
    manager->fd = -1;
}

static void test_abstract_name(void **state)
{
    struct manager *manager = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct error error;
    char name[sizeof(address.sun_path)];

    snprintf(name, sizeof(name), "@%s", manager->path);
    size_t length = offsetof(struct sockaddr_un, sun_path) + strlen(name);
    memcpy(address.sun_path, name, strlen(name));
    address.sun_path[0] = '\0';
    close(manager->fd);
    manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(manager->fd, (const struct sockaddr *)&address, (socklen_t)length), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    assert_int_equal(service_take_environment(&manager->service, 5, &error), 0);
    service_ready(&manager->service);
    expect(manager, "READY=1");
}

static void test_bad_names(void **state)
{
    struct manager *manager = *state;
    struct error error;
    char longer[300];

    memset(longer, '/', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    const char *const names[] = {"", "notify", "/nonexistent/notify", longer};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        assert_int_equal(service_take_environment(&manager->service, 5, &error), 0);
        assert_int_equal(manager->service.notify_fd, -1);
    }
}

static void test_watchdog(void **state)
{
    struct manager *manager = *state;
    struct service *service = &manager->service;
    struct error error;

    setenv("NOTIFY_SOCKET", manager->path, 1);
    setenv("WATCHDOG_USEC", "3000000", 1);
    set_pid("WATCHDOG_PID", getpid());
    assert_int_equal(service_take_environment(service, 100, &error), 0);
    assert_int_equal(service_next_ms(service), 100);
    service_tick(service, 100);
    expect(manager, "WATCHDOG=1");
    assert_int_equal(service_next_ms(service), 1600);
    service_tick(service, 1599);
    expect_nothing(manager);
    service_tick(service, 1601);
    expect(manager, "WATCHDOG=1");
    assert_int_equal(service_next_ms(service), 3101);
}

static void test_no_watchdog(void **state)
{
    struct manager *manager = *state;
    const char *const intervals[] = {"", "0", "-1", "1s", "99999999999999999999999"};
    struct error error;

    for (size_t i = 0; i < sizeof(intervals) / sizeof(intervals[0]); i++) {
        setenv("NOTIFY_SOCKET", manager->path, 1);
        setenv("WATCHDOG_USEC", intervals[i], 1);
        assert_int_equal(service_take_environment(&manager->service, 1, &error), 0);
        assert_true(service_next_ms(&manager->service) == UINT64_MAX);
        service_deinit(&manager->service);
    }
    /* Meant for another process. */
    setenv("NOTIFY_SOCKET", manager->path, 1);
    setenv("WATCHDOG_USEC", "3000000", 1);
    set_pid("WATCHDOG_PID", getppid());
    assert_int_equal(service_take_environment(&manager->service, 1, &error), 0);
    assert_true(service_next_ms(&manager->service) == UINT64_MAX);
}

/* Descriptor 3 is `fd`, as the service manager leaves it. */
static void pass(int fd)
{
    if (fd != 3) {
        assert_int_equal(dup2(fd, 3), 3);
        close(fd);
    }
    assert_int_equal(fcntl(3, F_SETFD, 0), 0);
    set_pid("LISTEN_PID", getpid());
    setenv("LISTEN_FDS", "1", 1);
    setenv("LISTEN_FDNAMES", "wicket.socket", 1);
}

/* Descriptor 3 has to be free: cmocka and meson leave it so. */
static void take_3(int *spare)
{
    *spare = fcntl(3, F_GETFD) < 0 ? -1 : fcntl(3, F_DUPFD_CLOEXEC, 10);
}

static void give_3(int spare)
{
    if (spare < 0)
        return;
    dup3(spare, 3, O_CLOEXEC);
    close(spare);
}

static void test_socket(void **state)
{
    struct manager *manager = *state;
    struct service *service = &manager->service;
    struct error error;
    char path[128];
    int spare;

    take_3(&spare);
    snprintf(path, sizeof(path), "%s/control.sock", manager->directory);
    int fd = make_socket(SOCK_SEQPACKET, path);
    assert_int_equal(listen(fd, 8), 0);
    pass(fd);
    assert_int_equal(service_take_environment(service, 1, &error), 0);
    assert_int_equal(service->socket_fd, 3);
    assert_null(getenv("LISTEN_PID"));
    assert_null(getenv("LISTEN_FDS"));
    assert_int_equal(fcntl(3, F_GETFD), FD_CLOEXEC);
    assert_true((fcntl(3, F_GETFL) & O_NONBLOCK) != 0);
    assert_int_equal(service_check_socket(service, path, &error), 0);

    assert_int_equal(service_check_socket(service, "/run/other.sock", &error), -1);
    assert_int_equal(error.exit_code, EX_CONFIG);
    assert_non_null(strstr(error.text, path));
    assert_non_null(strstr(error.text, "control.socket is /run/other.sock"));
    unlink(path);
    service_deinit(service);
    give_3(spare);
}

static void test_wrong_sockets(void **state)
{
    struct manager *manager = *state;
    struct service *service = &manager->service;
    struct error error;
    char path[128];
    int spare;

    take_3(&spare);
    snprintf(path, sizeof(path), "%s/control.sock", manager->directory);
    const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        /* The last one is of the right kind, and does not listen. */
        int fd = make_socket(types[i], path);
        if (types[i] == SOCK_STREAM)
            assert_int_equal(listen(fd, 8), 0);
        pass(fd);
        assert_int_equal(service_take_environment(service, 1, &error), 0);
        assert_int_equal(service_check_socket(service, path, &error), -1);
        assert_int_equal(error.exit_code, EX_CONFIG);
        assert_non_null(strstr(error.text, "ListenSequentialPacket="));
        service_deinit(service);
        unlink(path);
    }
    pass(socket(AF_INET, SOCK_STREAM, 0));
    assert_int_equal(service_take_environment(service, 1, &error), 0);
    assert_int_equal(service_check_socket(service, path, &error), -1);
    service_deinit(service);

    /* No socket at all behind the number, and none a number can be read of. */
    set_pid("LISTEN_PID", getpid());
    setenv("LISTEN_FDS", "1", 1);
    assert_int_equal(service_take_environment(service, 1, &error), -1);
    assert_int_equal(error.exit_code, EX_CONFIG);
    set_pid("LISTEN_PID", getpid());
    setenv("LISTEN_FDS", "one", 1);
    assert_int_equal(service_take_environment(service, 1, &error), -1);
    assert_int_equal(error.exit_code, EX_CONFIG);

    /* Meant for another process. */
    set_pid("LISTEN_PID", getppid());
    setenv("LISTEN_FDS", "1", 1);
    assert_int_equal(service_take_environment(service, 1, &error), 0);
    assert_int_equal(service->socket_fd, -1);
    assert_null(getenv("LISTEN_FDS"));
    give_3(spare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nobodys, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notify, setup, teardown),
        cmocka_unit_test_setup_teardown(test_abstract_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_watchdog, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_watchdog, setup, teardown),
        cmocka_unit_test_setup_teardown(test_socket, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_sockets, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
