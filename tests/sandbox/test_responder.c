// SPDX-License-Identifier: GPL-2.0-or-later
/* The responder's fences, one by one: whoever jumps one is dead, or gets nowhere. */
#include "jump.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "responder/sandbox.h"
#include "sandbox/landlock.h"
#include "wicket/link.h"

enum { DESCRIPTORS = 40 };

static void test_filter(void **state)
{
    (void)state;
    jump_all(JUMP_RESPONDER, responder_sandbox_filter);
}

static int call_abort(void *context)
{
    (void)context;
    abort();
}

/* A library that cannot go on ends by the signal that says so. */
static void test_abort(void **state)
{
    (void)state;
    int status = jump_run(call_abort, NULL, responder_sandbox_filter);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static int use_memory(void *context)
{
    (void)context;
    for (size_t size = 16; size < (size_t)64 * 1024 * 1024; size *= 2) {
        char *block = malloc(size);
        if (block == NULL)
            return 1;
        memset(block, 1, size);
        char *larger = realloc(block, size * 2);
        if (larger == NULL)
            return 1;
        free(larger);
    }
    return 0;
}

static void test_memory(void **state)
{
    (void)state;
    assert_int_equal(jump_run(use_memory, NULL, responder_sandbox_filter), 0);
}

/* What the list takes away for the listeners is there for every socket behind them. */
static int shut_and_copy(void *context)
{
    static const int numbers[] = {LINK_FD_LISTEN + 2, LINK_FD_LISTEN + 3, 12, 16, 64};
    const int flags = MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE;

    (void)context;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (shutdown(numbers[i], SHUT_RDWR) != 0 || fcntl(numbers[i], F_DUPFD_CLOEXEC, 0) < 0)
            return 1;
    return send(numbers[0], "x", 1, flags) < 0 && errno == EPIPE ? 0 : 1;
}

static int place_and_fence(struct error *error)
{
    static const int numbers[] = {LINK_FD_LISTEN + 2, LINK_FD_LISTEN + 3, 12, 16, 64};
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return -1;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (dup2(pair[0], numbers[i]) < 0)
            return -1;
    return responder_sandbox_filter(error);
}

static void test_behind_listeners(void **state)
{
    (void)state;
    assert_int_equal(jump_run(shut_and_copy, NULL, place_and_fence), 0);
}

/* ---- Landlock alone ---- */

/* Returns 0 or errno. */
static int connect_tcp(const struct jump_ground *ground)
{
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(ground->port)};

    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(ground->tcp, (struct sockaddr *)&there, sizeof(there)) == 0 ? 0 : errno;
}

static int bind_tcp(const struct jump_ground *ground)
{
    struct sockaddr_in here = {.sin_family = AF_INET};

    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return bind(ground->tcp, (struct sockaddr *)&here, sizeof(here)) == 0 ? 0 : errno;
}

static int open_file(const struct jump_ground *ground)
{
    (void)ground;
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 ? 0 : errno;
}

static int create_file(const struct jump_ground *ground)
{
    char path[] = "/tmp/wicket-sandbox-XXXXXX";

    (void)ground;
    if (mkstemp(path) < 0)
        return errno;
    unlink(path);
    return 0;
}

static int open_directory(const struct jump_ground *ground)
{
    (void)ground;
    return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0 ? 0 : errno;
}

static int execute(const struct jump_ground *ground)
{
    char *arguments[] = {(char *)(uintptr_t) "true", NULL};

    (void)ground;
    execv("/bin/true", arguments);
    return errno;
}

static int signal_parent(const struct jump_ground *ground)
{
    (void)ground;
    return kill(getppid(), 0) == 0 ? 0 : errno;
}

static const struct {
    const char *name;
    int (*attempt)(const struct jump_ground *ground);
    int denied; /* the errno */
    int since;  /* the version */
} attempts[] = {
    {"open", open_file, EACCES, 1},      {"create", create_file, EACCES, 1},
    {"list", open_directory, EACCES, 1}, {"execute", execute, EACCES, 1},
    {"connect", connect_tcp, EACCES, 4}, {"bind", bind_tcp, EACCES, 4},
    {"signal", signal_parent, EPERM, 6},
};

struct attempt {
    size_t index;
    struct jump_ground ground;
};

static int try_it(void *context)
{
    const struct attempt *attempt = context;
    return attempts[attempt->index].attempt(&attempt->ground);
}

static void test_landlock(void **state)
{
    (void)state;
    assert_true(landlock_version() >= 0);
    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        struct attempt attempt = {.index = i};
        int denied = landlock_version() >= attempts[i].since ? attempts[i].denied : 0;

        jump_ground_make(&attempt.ground);
        int free = jump_run(try_it, &attempt, NULL);
        jump_ground_close(&attempt.ground);
        jump_ground_make(&attempt.ground);
        int fenced = jump_run(try_it, &attempt, responder_sandbox_landlock);
        jump_ground_close(&attempt.ground);
        if (!WIFEXITED(free) || WEXITSTATUS(free) != 0 || !WIFEXITED(fenced) ||
            WEXITSTATUS(fenced) != denied)
            fail_msg("%s: %#x without Landlock, %#x with it", attempts[i].name, (unsigned int)free,
                     (unsigned int)fenced);
    }
}

/* ---- limits alone ---- */

static int limit(struct error *error)
{
    return responder_sandbox_limit(DESCRIPTORS, error);
}

static int grow_file(void *context)
{
    signal(SIGXFSZ, SIG_IGN);
    return write(*(const int *)context, "x", 1) < 0 ? errno : 0;
}

static int open_many(void *context)
{
    int fd;

    (void)context;
    do
        fd = dup(STDERR_FILENO);
    while (fd >= 0 && fd < DESCRIPTORS - 1);
    if (fd != DESCRIPTORS - 1)
        return 1;
    return dup(STDERR_FILENO) < 0 ? errno : 0;
}

static int check_limits(void *context)
{
    static const struct {
        __rlimit_resource_t resource;
        rlim_t value;
    } expected[] = {{RLIMIT_FSIZE, 0}, {RLIMIT_CORE, 0}, {RLIMIT_NOFILE, DESCRIPTORS}};
    struct rlimit got;

    (void)context;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        if (getrlimit(expected[i].resource, &got) != 0 || got.rlim_cur != expected[i].value ||
            got.rlim_max != expected[i].value)
            return 1;
    return 0;
}

static void test_limits(void **state)
{
    FILE *file = tmpfile();
    int fd = file == NULL ? -1 : fileno(file);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(jump_run(check_limits, NULL, limit), 0);
    assert_int_equal(jump_run(grow_file, &fd, NULL), 0);
    assert_int_equal(WEXITSTATUS(jump_run(grow_file, &fd, limit)), EFBIG);
    assert_int_equal(WEXITSTATUS(jump_run(open_many, NULL, limit)), EMFILE);
    fclose(file);
}

/* ---- all of it ---- */

static int enter(struct error *error)
{
    return responder_sandbox_enter(DESCRIPTORS, error);
}

static void test_all(void **state)
{
    (void)state;
    jump_all(JUMP_RESPONDER, enter);
    assert_int_equal(jump_run(use_memory, NULL, enter), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter), cmocka_unit_test(test_abort),
        cmocka_unit_test(test_memory), cmocka_unit_test(test_landlock),
        cmocka_unit_test(test_limits), cmocka_unit_test(test_behind_listeners),
        cmocka_unit_test(test_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
