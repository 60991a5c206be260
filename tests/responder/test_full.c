// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Full mode, and what counts as coming from outside: needs root, and a network namespace of its
 * own with addresses that are not loopback ones.
 */
#include "pass.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define GET(token) "GET " PATH(token) " HTTP/1.1\r\nHost: a\r\n\r\n"
#define UID        64998
#define GID        64999

static int setup(void **state)
{
    char *root = strdup("/tmp/wicket-root-XXXXXX");

    *state = root;
    /* LeakSanitizer, where that is built in, reads /proc, and an empty root has none. The other
     * tests look for leaks. */
    if (setenv("ASAN_OPTIONS", "detect_leaks=0", 1) != 0)
        return -1;
    if (unshare(CLONE_NEWNET) != 0) {
        print_error("this test needs root: unshare: %s\n", strerror(errno));
        return -1;
    }
    /* So that there is something to give up. */
    if (setgroups(2, (const gid_t[]){1, 2}) != 0)
        return -1;
    if (system("ip link set lo up && ip address add 192.0.2.1/32 dev lo && "
               "ip address add 2001:db8::1/128 dev lo nodad && "
               "ip address add " HARNESS_HOST4 "/32 dev lo && "
               "ip address add " HARNESS_HOST6 "/128 dev lo nodad") != 0)
        return -1;
    return mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state)
{
    int result = rmdir(*state);
    free(*state);
    return result;
}

static struct harness_options full_options(const char *root)
{
    return (struct harness_options){
        .setup = {.listeners = 2, .uid = UID, .gid = GID},
        .full = true,
        .root = root,
        .any_address = true,
    };
}

static void read_status(const struct harness *harness, char *out, size_t capacity)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/status", (int)harness->pid);
    FILE *stream = fopen(path, "re");
    assert_non_null(stream);
    size_t length = fread(out, 1, capacity - 1, stream);
    out[length] = '\0';
    fclose(stream);
}

static void assert_no_capabilities(const char *status, bool bounding)
{
    assert_non_null(strstr(status, "\nCapInh:\t0000000000000000\n"));
    assert_non_null(strstr(status, "\nCapPrm:\t0000000000000000\n"));
    assert_non_null(strstr(status, "\nCapEff:\t0000000000000000\n"));
    assert_non_null(strstr(status, "\nCapAmb:\t0000000000000000\n"));
    assert_non_null(strstr(status, "\nNoNewPrivs:\t1\n"));
    assert_non_null(strstr(status, "\nSeccomp:\t2\n"));
    if (bounding)
        assert_non_null(strstr(status, "\nCapBnd:\t0000000000000000\n"));
}

static void test_privileges(void **state)
{
    struct harness_options options = full_options(*state);
    struct harness harness;
    char status[8192], path[64], root[PATH_MAX] = {0}, answer[4096];

    harness_start(&harness, &options);
    read_status(&harness, status, sizeof(status));
    assert_non_null(strstr(status, "\nUid:\t64998\t64998\t64998\t64998\n"));
    assert_non_null(strstr(status, "\nGid:\t64999\t64999\t64999\t64999\n"));
    assert_non_null(strstr(status, "\nGroups:\t \n"));
    assert_non_null(strstr(status, "\nThreads:\t1\n"));
    assert_no_capabilities(status, true);
    snprintf(path, sizeof(path), "/proc/%d/root", (int)harness.pid);
    assert_true(readlink(path, root, sizeof(root) - 1) > 0);
    assert_string_equal(root, *state);
    snprintf(path, sizeof(path), "/proc/%d/cwd", (int)harness.pid);
    memset(root, 0, sizeof(root));
    assert_true(readlink(path, root, sizeof(root) - 1) > 0);
    assert_string_equal(root, *state);
    /* 0 1 2, the link, the lock, the table, two listeners, two epolls; not the root directory */
    assert_int_equal(harness_descriptors(&harness), 10);

    harness_token(&harness, "t");
    harness_exchange(&harness, GET("t"), answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 200 OK\r\nDate: ", 23);
    harness_stop(&harness);
}

static void test_sidecar(void **state)
{
    struct harness harness;
    char status[8192];

    (void)state;
    harness_start(&harness, &(struct harness_options){.setup.listeners = 1});
    read_status(&harness, status, sizeof(status));
    assert_non_null(strstr(status, "\nUid:\t0\t0\t0\t0\n"));
    assert_no_capabilities(status, false);
    harness_stop(&harness);
}

static void assert_refused(const char *root)
{
    struct harness_options options = full_options(root);
    struct harness harness;

    harness_spawn(&harness, &options);
    harness_send_setup(&harness, &options);
    int status = harness_wait(&harness);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 70);
}

static void test_bad_root(void **state)
{
    const char *root = *state;
    char path[PATH_MAX];

    assert_refused("/dev/null");
    assert_int_equal(chmod(root, 0770), 0);
    assert_refused(root);
    assert_int_equal(chmod(root, 0702), 0);
    assert_refused(root);
    assert_int_equal(chmod(root, 0755), 0);
    assert_int_equal(chown(root, UID, 0), 0);
    assert_refused(root);
    assert_int_equal(chown(root, 0, 0), 0);
    snprintf(path, sizeof(path), "%s/.x", root);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_refused(root);
    assert_int_equal(unlink(path), 0);
}

/* Without the capability for a step nothing goes on. */
static void test_missing_capability(void **state)
{
    struct harness_options options = full_options(*state);
    int status = -1;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        struct harness harness;
        /* Root by number only; another user might not get to the program where it was built. */
        for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
            if (prctl(PR_CAPBSET_DROP, cap) != 0)
                _exit(1);
        harness_spawn(&harness, &options);
        harness_send_setup(&harness, &options);
        status = harness_wait(&harness);
        _exit(WIFEXITED(status) && WEXITSTATUS(status) == 77 ? 0 : 2);
    }
    assert_int_equal(chmod(*state, 0755), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void request_from(const struct harness *harness, const char *address, const char *request)
{
    int fd = harness_connect_to(harness, address);
    harness_write(fd, request, strlen(request));
    shutdown(fd, SHUT_WR);
    harness_wait_end(fd);
}

static void test_counters(void **state)
{
    static const char *const turned_away[] = {
        GET("unknown"),
        "GET / HTTP/1.0\r\n\r\n",
        "POST " PATH("t") " HTTP/1.0\r\n\r\n",
        "?",
        "GET",
        "",
    };
    struct harness_options options = full_options(*state);
    struct harness harness;
    union link_message message;
    struct in6_addr v6;

    harness_start(&harness, &options);
    harness_token(&harness, "t");
    for (size_t i = 0; i < sizeof(turned_away) / sizeof(turned_away[0]); i++) {
        request_from(&harness, i % 2 ? "192.0.2.1" : "2001:db8::1", turned_away[i]);
        request_from(&harness, i % 2 ? "127.0.0.1" : "::1", turned_away[i]);
    }
    request_from(&harness, "192.0.2.1", GET("t"));
    harness_expect(&harness, LINK_VALIDATION, &message);
    assert_int_equal(message.validation.loopback, 0);
    assert_int_equal(message.validation.family, AF_INET);
    assert_memory_equal(message.validation.address, "\xc0\0\2\1\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    assert_int_equal(message.validation.status, 200);
    request_from(&harness, "2001:db8::1", GET("t"));
    harness_expect(&harness, LINK_VALIDATION, &message);
    assert_int_equal(message.validation.loopback, 0);
    assert_int_equal(message.validation.family, AF_INET6);
    assert_int_equal(inet_pton(AF_INET6, "2001:db8::1", &v6), 1);
    assert_memory_equal(message.validation.address, &v6, 16);
    request_from(&harness, "127.0.0.2", GET("t"));
    harness_expect(&harness, LINK_VALIDATION, &message);
    assert_int_equal(message.validation.loopback, 1);
    /* So is what comes from where it goes to, as a self-check does under tproxy. */
    request_from(&harness, HARNESS_HOST4, GET("t"));
    harness_expect(&harness, LINK_VALIDATION, &message);
    assert_int_equal(message.validation.loopback, 1);
    request_from(&harness, HARNESS_HOST6, GET("t"));
    harness_expect(&harness, LINK_VALIDATION, &message);
    assert_int_equal(message.validation.loopback, 1);
    request_from(&harness, "192.0.2.1", "HEAD " PATH("t") " HTTP/1.0\r\n\r\n");

    struct link_pong pong;
    do {
        pong = harness_ping(&harness, NULL);
    } while (pong.connections > 0);
    assert_int_equal(pong.validations, 2);
    assert_int_equal(pong.turned_away, sizeof(turned_away) / sizeof(turned_away[0]));
    /* The first of them, from outside. */
    assert_int_equal(pong.unknown, 1);
    assert_int_equal(pong.unknown_family, AF_INET6);
    assert_memory_equal(pong.unknown_address, &v6, 16);
    harness_stop(&harness);
}

/* Each visitor counts once, in the one place or the other; and this host's own nowhere. */
static void test_pass_counters(void **state)
{
    static const char *const addresses[] = {"192.0.2.1", "2001:db8::1", "127.0.0.2", "::1"};
    static const char other[] = "GET / HTTP/1.0\r\n\r\n";
    static const char unknown[] = GET("unknown");
    struct harness_options options = full_options(*state);
    struct production production;
    struct passed passed[8];
    struct harness harness;
    int copy = -1;

    options.pass = true;
    production_start(&production, 0);
    harness_start(&harness, &options);
    for (int i = 0; i < 8; i++)
        pass_open_to(&harness, &production, addresses[i % 4], i < 4 ? unknown : other, &passed[i]);
    struct link_pong pong = harness_ping(&harness, NULL);
    assert_int_equal(pong.passed, 4);
    /* They go to production like the others, and are counted. */
    assert_int_equal(pong.unknown, 2);
    assert_int_equal(pong.unknown_family, AF_INET6);
    assert_int_equal(pong.passing, 8);
    assert_int_equal(pong.connections, 8);
    assert_int_equal(pong.turned_away, 0);

    /* Those whom nobody can pass, */
    for (int i = 0; i < 4; i++) {
        int fd = harness_connect_to(&harness, addresses[i]);
        harness_write(fd, other, strlen(other));
        uint64_t id = pass_expect(&harness, &copy);
        close(copy);
        pass_answer(&harness, id, -1, EADDRNOTAVAIL, false);
        pass_read_to_reset(fd, "");
        close(fd);
    }
    /* and those who are gone before it shows what they are. */
    for (int i = 0; i < 4; i++) {
        int fd = harness_connect_to(&harness, addresses[i]);
        harness_write(fd, "G", 1);
        harness_wait_connections(&harness, 9);
        pass_close_with_reset(fd);
        harness_wait_connections(&harness, 8);
    }
    pong = harness_ping(&harness, NULL);
    assert_int_equal(pong.passed, 4);
    assert_int_equal(pong.turned_away, 4);
    for (int i = 0; i < 8; i++)
        pass_close(&passed[i]);
    harness_wait_connections(&harness, 0);
    pong = harness_ping(&harness, NULL);
    assert_int_equal(pong.passed, 4);
    assert_int_equal(pong.passing, 0);
    assert_int_equal(pong.turned_away, 4);
    assert_int_equal(pong.validations, 0);
    harness_stop(&harness);
    production_stop(&production);
}

static void test_descriptors(void **state)
{
    static const char *const requests[] = {GET("t"),
                                           GET("u"),
                                           "malformed",
                                           "",
                                           "GET /",
                                           GET("t") GET("t"),
                                           "POST / HTTP/1.0\r\n\r\nabc"};
    struct harness_options options = full_options(*state);
    struct harness harness;

    harness_start(&harness, &options);
    harness_token(&harness, "t");
    unsigned before = harness_descriptors(&harness);
    for (size_t i = 0; i < 1001; i++) {
        request_from(&harness, i % 2 ? "::1" : "192.0.2.1", requests[i % 7]);
        if (i % 100 == 0)
            harness_ping(&harness, NULL);
    }
    while (harness_ping(&harness, NULL).connections > 0)
        ;
    assert_int_equal(harness_descriptors(&harness), before);
    harness_stop(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_privileges),  cmocka_unit_test(test_sidecar),
        cmocka_unit_test(test_bad_root),    cmocka_unit_test(test_missing_capability),
        cmocka_unit_test(test_counters),    cmocka_unit_test(test_pass_counters),
        cmocka_unit_test(test_descriptors),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
