// SPDX-License-Identifier: GPL-2.0-or-later
/* What slow strangers can and cannot do. */
#include "harness.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GET(token) "GET " PATH(token) " HTTP/1.1\r\nHost: a\r\n\r\n"
#define MANY       100

static int connect_slow(struct harness *harness)
{
    int fd = harness_connect(harness);
    harness_write(fd, "GET /slow", 9);
    return fd;
}

/* Whether the peer has ended this connection; nothing was ever sent on it. */
static bool has_ended(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
    assert_true(got <= 0);
    return got == 0 || errno == ECONNRESET;
}

static void test_deadline(void **state)
{
    static const char *const slow[] = {"G", GET("t"), "\r", "GET / HTTP/1.1\r\nHost: a\r\n"};
    struct harness harness;
    char bytes[4096];

    (void)state;
    harness_start(&harness, &(struct harness_options){.setup.deadline_ms = 300});
    for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++) {
        size_t length = strlen(slow[i]) - (i == 1);
        uint64_t start_ms = harness_now_ms();
        int fd = harness_connect(&harness);
        struct pollfd ready = {.fd = fd, .events = POLLIN};

        harness_write(fd, slow[i], length);
        assert_int_equal(poll(&ready, 1, HARNESS_WAIT_MS), 1);
        uint64_t took_ms = harness_now_ms() - start_ms;
        assert_true(recv(fd, bytes, sizeof(bytes), 0) <= 0);
        assert_true(took_ms >= 295 && took_ms < 5000);
        close(fd);
    }
    harness_wait_connections(&harness, 0);
    harness_stop(&harness);
}

/* Sending on and on does not put the deadline off: it is no idle timeout. */
static void test_deadline_is_hard(void **state)
{
    struct harness harness;

    (void)state;
    harness_start(&harness, &(struct harness_options){.setup.deadline_ms = 300});
    uint64_t start_ms = harness_now_ms();
    int fd = harness_connect(&harness);
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    harness_write(fd, "GET / HTTP/1.1\r\nX: ", 19);
    do {
        (void)send(fd, "x", 1, MSG_NOSIGNAL);
        assert_true(harness_now_ms() - start_ms < HARNESS_WAIT_MS);
    } while (poll(&ready, 1, 20) == 0);
    assert_true(harness_now_ms() - start_ms >= 295);
    close(fd);
    harness_stop(&harness);
}

/* After an answer to a peer that never ends its side, too. */
static void test_deadline_of_linger(void **state)
{
    static const char *const requests[] = {
        "malformed\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
    };
    struct harness harness;

    (void)state;
    harness_start(&harness, &(struct harness_options){.setup.deadline_ms = 300});
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        int fd = harness_connect(&harness);
        harness_write(fd, requests[i], strlen(requests[i]));
        harness_wait_connections(&harness, 1);
        harness_wait_connections(&harness, 0);
        close(fd);
    }
    harness_stop(&harness);
}

/* The oldest makes room; a validator is answered whatever waits. */
static void test_total(void **state)
{
    struct harness harness;
    int slow[MANY];

    (void)state;
    harness_start(&harness, &(struct harness_options){.setup.undecided = 16});
    harness_token(&harness, "t");
    for (int i = 0; i < MANY; i++) {
        slow[i] = connect_slow(&harness);
        harness_wait_connections(&harness, i < 16 ? (unsigned)i + 1 : 16);
        /* Nobody has to leave for one that shows at once what it is. */
        assert_int_equal(harness_status(&harness, GET("t")), 200);
        harness_wait_connections(&harness, i < 16 ? (unsigned)i + 1 : 16);
    }
    harness_wait_connections(&harness, 16);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(has_ended(slow[i]), i < MANY - 16);
        close(slow[i]);
    }
    harness_wait_connections(&harness, 0);
    harness_stop(&harness);
}

static void test_per_address(void **state)
{
    static const struct harness_options options = {
        .setup = {.listeners = 2, .undecided = 64, .undecided_per_address = 4},
    };
    struct harness harness;
    int slow[8];

    (void)state;
    harness_start(&harness, &options);
    harness_token(&harness, "t");
    int other = harness_connect6(&harness); /* the oldest of all, of another address */
    harness_write(other, "G", 1);
    harness_wait_connections(&harness, 1);
    for (unsigned i = 0; i < 8; i++) {
        slow[i] = connect_slow(&harness);
        harness_wait_connections(&harness, i < 4 ? i + 2 : 5);
    }
    assert_int_equal(harness_status(&harness, GET("t")), 200);
    assert_false(has_ended(other));
    close(other);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(has_ended(slow[i]), i < 4);
        close(slow[i]);
    }
    harness_stop(&harness);
}

/* Strangers fill all there is: somebody makes room, nothing spins, and the keeper is not told that
 * the host runs out, for it would give the window up. */
static void test_descriptors(void **state)
{
    static const struct harness_options options = {.descriptors = 64};
    struct harness harness;
    int slow[MANY];
    uint32_t exhausted = 0;

    (void)state;
    harness_start(&harness, &options);
    harness_token(&harness, "t");
    for (int i = 0; i < MANY; i++) {
        slow[i] = harness_connect(&harness);
        /* Half of them are refused and then linger. */
        harness_write(slow[i], i % 2 ? "GET /" : "?\r\n\r\n", 5);
        exhausted |= harness_ping(&harness, NULL).exhausted;
    }
    assert_int_equal(exhausted, 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(harness_status(&harness, GET("t")), 200);
    harness_ping(&harness, NULL);
    assert_int_equal(harness_ping(&harness, NULL).exhausted, 0);
    for (int i = 0; i < MANY; i++)
        close(slow[i]);
    harness_wait_connections(&harness, 0);
    harness_stop(&harness);
}

/* Those that have their answer and do not go leave before those that wait for theirs. */
static void test_lingering_leave_first(void **state)
{
    static const struct harness_options options = {.descriptors = 64};
    struct harness harness;
    int lingering[MANY];

    (void)state;
    harness_start(&harness, &options);
    int slow = connect_slow(&harness);
    harness_wait_connections(&harness, 1);
    for (int i = 0; i < MANY; i++) {
        lingering[i] = harness_connect(&harness);
        harness_write(lingering[i], "?", 1);
    }
    /* Answered, or made room since: all of them have been seen. */
    for (int i = 0; i < MANY; i++) {
        char byte;
        (void)!recv(lingering[i], &byte, 1, 0);
    }
    assert_false(has_ended(slow));
    for (int i = 0; i < MANY; i++)
        close(lingering[i]);
    harness_wait_connections(&harness, 1);
    assert_false(has_ended(slow));
    close(slow);
    harness_stop(&harness);
}

/* With so few descriptors, one that stayed behind in 50 requests would be missed in the end. */
static void test_descriptors_stay_level(void **state)
{
    static const struct harness_options options = {.descriptors = 64, .setup.undecided = 16};
    static const char *const requests[] = {
        GET("t"),
        GET("unknown"),
        "malformed\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        "GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n",
    };
    struct harness harness;
    char answer[4096];

    (void)state;
    harness_start(&harness, &options);
    harness_token(&harness, "t");
    for (size_t i = 0; i < 1000; i++) {
        if (i % 20 == 0)
            close(connect_slow(&harness));
        harness_exchange(&harness, requests[i % 5], answer, sizeof(answer));
        assert_memory_equal(answer, "HTTP/1.1 ", 9);
        if (i % 100 == 0)
            assert_int_equal(harness_ping(&harness, NULL).exhausted, 0);
    }
    harness_wait_connections(&harness, 0);
    assert_int_equal(harness_status(&harness, GET("t")), 200);
    harness_stop(&harness);
}

/* Bytes that were looked at and left where they are do not wake it again and again. */
static void test_idle_while_waiting(void **state)
{
    struct harness harness;
    int slow[32];
    struct pollfd never = {.fd = -1};

    (void)state;
    harness_start(&harness, &(struct harness_options){.setup.undecided = 64});
    for (size_t i = 0; i < 32; i++)
        slow[i] = connect_slow(&harness);
    harness_wait_connections(&harness, 32);
    unsigned long before = harness_ticks(&harness);
    assert_int_equal(poll(&never, 1, 500), 0); /* the time that is measured */
    assert_true(harness_ticks(&harness) - before <= 5);
    for (size_t i = 0; i < 32; i++)
        close(slow[i]);
    harness_stop(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_deadline_is_hard),
        cmocka_unit_test(test_deadline_of_linger),
        cmocka_unit_test(test_total),
        cmocka_unit_test(test_per_address),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_lingering_leave_first),
        cmocka_unit_test(test_descriptors_stay_level),
        cmocka_unit_test(test_idle_while_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
