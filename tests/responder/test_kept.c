// SPDX-License-Identifier: GPL-2.0-or-later
/* Connections on which more than one request is made. */
#include "pass.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "responder/head.h"

#define ASK(token, connection) \
    "GET " PATH(token) " HTTP/1.1\r\nHost: a\r\nConnection: " connection "\r\n\r\n"
#define KEEP  ASK("t", "keep-alive")
#define CLOSE ASK("t", "close")
#define OTHER "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define BODY  "t." THUMBPRINT

static const struct harness_options passing = {.pass = true};
static const struct harness_options alone = {0};

/* One answer, as long as it says it is. */
static void read_answer(int fd, char answer[4096])
{
    size_t length = 0, wanted = 4095;

    while (length < wanted) {
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&readable, 1, HARNESS_WAIT_MS), 1);
        ssize_t got = recv(fd, answer + length, wanted - length, 0);
        assert_true(got > 0);
        length += (size_t)got;
        answer[length] = '\0';
        const char *end = strstr(answer, "\r\n\r\n");
        const char *field = strcasestr(answer, "\r\nContent-Length: ");
        if (end) {
            assert_non_null(field);
            wanted = (size_t)(end + 4 - answer) + strtoul(field + 18, NULL, 10);
        }
    }
}

static void ask(struct harness *harness, int fd, const char *request, const char *connection)
{
    char answer[4096];
    union link_message message;

    harness_write(fd, request, strlen(request));
    read_answer(fd, answer);
    assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
    assert_string_equal(strstr(answer, "\r\n\r\n") + 4, BODY);
    assert_non_null(strstr(answer, connection));
    harness_expect(harness, LINK_VALIDATION, &message);
    assert_string_equal(message.validation.token, "t");
}

#define KEPT   "\r\nConnection: keep-alive\r\n"
#define CLOSED "\r\nConnection: close\r\n"

static void start(struct harness *harness, const struct harness_options *options)
{
    harness_start(harness, options);
    harness_token(harness, "t");
}

static int connect_kept(struct harness *harness)
{
    int fd = harness_connect(harness);
    ask(harness, fd, KEEP, KEPT);
    return fd;
}

static void assert_end(int fd)
{
    char byte;
    struct pollfd readable = {.fd = fd, .events = POLLIN};

    assert_int_equal(poll(&readable, 1, HARNESS_WAIT_MS), 1);
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    close(fd);
}

static void test_until_one_says_close(void **state)
{
    const struct harness_options *const ways[] = {&alone, &passing};

    (void)state;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct harness harness;

        start(&harness, ways[i]);
        int fd = connect_kept(&harness);
        for (unsigned n = 0; n < 100; n++)
            ask(&harness, fd, KEEP, KEPT);
        ask(&harness, fd, CLOSE, CLOSED);
        assert_end(fd);
        struct link_pong pong = harness_ping(&harness, NULL);
        assert_int_equal(pong.validations + pong.turned_away, 0); /* from the loopback address */
        assert_int_equal(pong.connections, 0);
        harness_stop(&harness);
    }
}

/* Each is looked at anew: for what it asks, and whether that is still known. */
static void test_then_something_else(void **state)
{
    static const struct {
        const char *request;
        const char *status;
    } rows[] = {
        {OTHER, "HTTP/1.1 404 "},
        {ASK("u", "keep-alive"), "HTTP/1.1 404 "},
        {"HEAD " PATH("t") " HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 "},
        {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
    };
    struct harness harness;
    char answer[4096];

    (void)state;
    start(&harness, &alone);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fd = connect_kept(&harness);
        harness_write(fd, rows[i].request, strlen(rows[i].request));
        harness_read(fd, answer, sizeof(answer));
        assert_memory_equal(answer, rows[i].status, 13);
    }
    int fd = connect_kept(&harness);
    harness_forget(&harness, "t");
    harness_write(fd, KEEP, strlen(KEEP));
    harness_read(fd, answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 404 ", 13);
    harness_stop(&harness);
}

/* Two at once: one answer and the end, as without. */
static void test_pipelined(void **state)
{
    struct harness harness;
    char answer[4096];

    (void)state;
    start(&harness, &alone);
    int fd = harness_connect(&harness);
    harness_write(fd, KEEP KEEP, strlen(KEEP KEEP));
    harness_read(fd, answer, sizeof(answer));
    assert_non_null(strstr(answer, CLOSED));
    assert_string_equal(strstr(answer, "\r\n\r\n") + 4, BODY);
    harness_stop(&harness);
}

static void test_in_pieces(void **state)
{
    struct harness harness;
    char answer[4096];
    union link_message message;

    (void)state;
    start(&harness, &passing);
    int fd = connect_kept(&harness);
    for (size_t i = 0; i < strlen(KEEP); i++) {
        harness_write(fd, &KEEP[i], 1);
        harness_ping(&harness, NULL);
    }
    read_answer(fd, answer);
    assert_non_null(strstr(answer, KEPT));
    harness_expect(&harness, LINK_VALIDATION, &message);
    close(fd);
    harness_wait_connections(&harness, 0);
    harness_stop(&harness);
}

/* The next request is production's, and goes there with all of it. */
static void test_then_passed(void **state)
{
    struct harness harness;
    char got[sizeof(OTHER)];
    int copy = -1;

    (void)state;
    start(&harness, &passing);
    int fd = connect_kept(&harness);
    harness_write(fd, OTHER, strlen(OTHER));
    uint64_t id = pass_expect(&harness, &copy);
    assert_int_equal(recv(copy, got, sizeof(got), MSG_PEEK), strlen(OTHER));
    assert_memory_equal(got, OTHER, strlen(OTHER));
    close(copy);
    pass_answer(&harness, id, -1, ECONNREFUSED, false);
    pass_read_to_reset(fd, "");
    close(fd);
    harness_stop(&harness);
}

/* Who has asked and says nothing more is nobody's visitor: neither its end, nor its deadline, nor
 * one who needs its room make it one. The pong would come after LINK_PASS. */
static void test_idle_ones_are_not_passed(void **state)
{
    struct harness harness;

    (void)state;
    start(&harness, &passing);
    int fd = connect_kept(&harness);
    shutdown(fd, SHUT_WR);
    assert_end(fd);
    assert_int_equal(harness_ping(&harness, NULL).passing, 0);
    harness_stop(&harness);

    start(&harness, &(struct harness_options){.pass = true, .setup.deadline_ms = 1500});
    assert_end(connect_kept(&harness));
    assert_int_equal(harness_ping(&harness, NULL).passing, 0);
    harness_stop(&harness);

    start(&harness, &(struct harness_options){.pass = true, .setup.undecided = 2});
    fd = connect_kept(&harness);
    int other = connect_kept(&harness), third = connect_kept(&harness);
    assert_end(fd);
    assert_int_equal(harness_ping(&harness, NULL).connections, 2);
    close(other);
    close(third);
    harness_stop(&harness);
}

/* Longer than one that has not said a word may be, which is 250 ms here (SILENT_LEAST_MS). */
static void test_outlives_the_first_byte(void **state)
{
    struct harness harness;

    (void)state;
    start(&harness, &passing);
    int fd = connect_kept(&harness);
    pass_read_nothing(fd, 600);
    ask(&harness, fd, KEEP, KEPT);
    close(fd);
    harness_stop(&harness);
}

/* Also where it had not said a word at first: 400 ms for that are so short that the kernel is not
 * asked to wait with accepting it. */
static void test_outlives_its_silence(void **state)
{
    struct harness harness;

    (void)state;
    start(&harness, &(struct harness_options){.pass = true, .setup.first_byte_ms = 400});
    int fd = harness_connect(&harness);
    harness_wait_connections(&harness, 1);
    ask(&harness, fd, KEEP, KEPT);
    pass_read_nothing(fd, 600);
    ask(&harness, fd, KEEP, KEPT);
    close(fd);
    harness_stop(&harness);
}

/* The request and the end of its peer are told of at once. */
static void test_ended_with_its_request(void **state)
{
    const struct harness_options *const ways[] = {&alone, &passing};
    char answer[4096];

    (void)state;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct harness harness;

        start(&harness, ways[i]);
        int fd = connect_kept(&harness);
        assert_int_equal(send(fd, KEEP, strlen(KEEP), MSG_NOSIGNAL | MSG_MORE), strlen(KEEP));
        shutdown(fd, SHUT_WR);
        harness_read(fd, answer, sizeof(answer));
        assert_string_equal(strstr(answer, "\r\n\r\n") + 4, BODY);
        harness_stop(&harness);
    }
}

/* Whoever makes room is looked at once more: the next visitor of a pool of connections may be in
 * there. The responder is stopped meanwhile, so that it sees all of it in one round. */
static void test_what_came_unseen_is_passed(void **state)
{
    struct harness harness;
    int copy = -1;

    (void)state;
    start(&harness, &(struct harness_options){
                        .pass = true, .setup.undecided = 2, .setup.first_byte_ms = 900});
    int fd = connect_kept(&harness);
    kill(harness.pid, SIGSTOP);
    int others[] = {harness_connect(&harness), harness_connect(&harness)};
    harness_write(fd, OTHER, strlen(OTHER));
    kill(harness.pid, SIGCONT);
    uint64_t id = pass_expect(&harness, &copy);
    char got[sizeof(OTHER)];
    assert_int_equal(recv(copy, got, sizeof(got), MSG_PEEK), strlen(OTHER));
    close(copy);
    pass_answer(&harness, id, -1, ECONNREFUSED, false);
    pass_read_to_reset(fd, "");
    close(fd);
    close(others[0]);
    close(others[1]);
    harness_stop(&harness);
}

/* Nobody is told to stay who is cut off soon. */
static void test_near_the_deadline(void **state)
{
    struct harness harness;
    char answer[4096];
    unsigned kept = 0;

    (void)state;
    start(&harness, &(struct harness_options){.setup.deadline_ms = 2000});
    int fd = harness_connect(&harness);
    do {
        harness_write(fd, KEEP, strlen(KEEP));
        read_answer(fd, answer);
        kept++;
    } while (strstr(answer, KEPT));
    assert_true(kept > 10);
    assert_non_null(strstr(answer, CLOSED));
    assert_end(fd);
    harness_stop(&harness);
}

/* Who reads nothing is answered until its buffer and ours are full, and no longer: what it has
 * asked for by then comes in one piece. */
static void test_who_does_not_read(void **state)
{
    struct harness harness;
    char answers[1 << 16];
    unsigned count = 0;
    ssize_t got;

    (void)state;
    start(&harness, &alone);
    int fd = harness_connect(&harness), little = 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
    for (unsigned i = 0; i < 2000; i++) {
        if (send(fd, KEEP, strlen(KEEP), MSG_NOSIGNAL) < 0)
            break;
        harness_ping(&harness, NULL); /* it has been looked at */
    }
    while ((got = recv(fd, answers, sizeof(answers) - 1, 0)) > 0) {
        answers[got] = '\0';
        for (const char *at = answers; (at = strstr(at, BODY)); at++)
            count++;
    }
    assert_in_range(count, 1, 1000);
    close(fd);
    harness_wait_connections(&harness, 0);
    harness_stop(&harness);
}

/* The longest head behind an empty line fills a look: what is behind it cannot be seen. */
static void test_behind_the_longest_head(void **state)
{
    static const char first[] = "\r\nGET " PATH("t") " HTTP/1.1\r\nHost: a\r\n"
                                                     "Connection: keep-alive\r\nX: ";
    struct harness harness;
    char request[HEAD_LOOK + sizeof(KEEP)], answer[4096];

    (void)state;
    start(&harness, &alone);
    int fd = connect_kept(&harness);
    memset(request, 'x', HEAD_LOOK);
    memcpy(request, first, sizeof(first) - 1);
    memcpy(request + HEAD_LOOK - 4, "\r\n\r\n", 4);
    memcpy(request + HEAD_LOOK, KEEP, strlen(KEEP));
    harness_write(fd, request, HEAD_LOOK + strlen(KEEP));
    harness_read(fd, answer, sizeof(answer));
    assert_non_null(strstr(answer, CLOSED));
    assert_string_equal(strstr(answer, "\r\n\r\n") + 4, BODY);
    harness_stop(&harness);
}

/* They would keep the window from ending. One that has begun to ask is answered first. */
static void test_drain(void **state)
{
    struct harness harness;

    (void)state;
    start(&harness, &passing);
    int idle = connect_kept(&harness), asking = connect_kept(&harness);
    harness_write(asking, KEEP, 20);
    harness_ping(&harness, NULL);
    harness_drain(&harness, 1, 0);
    assert_end(idle);
    assert_int_equal(harness_ping(&harness, NULL).connections, 1);
    ask(&harness, asking, &KEEP[20], CLOSED);
    assert_end(asking);
    harness_expect_drained(&harness, 1);

    /* Until the drain is called off. */
    int fd = harness_connect(&harness);
    ask(&harness, fd, KEEP, CLOSED);
    assert_end(fd);
    harness_drain(&harness, 0, 0);
    close(connect_kept(&harness));
    harness_stop(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_until_one_says_close),
        cmocka_unit_test(test_then_something_else),
        cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_in_pieces),
        cmocka_unit_test(test_then_passed),
        cmocka_unit_test(test_idle_ones_are_not_passed),
        cmocka_unit_test(test_outlives_the_first_byte),
        cmocka_unit_test(test_outlives_its_silence),
        cmocka_unit_test(test_ended_with_its_request),
        cmocka_unit_test(test_what_came_unseen_is_passed),
        cmocka_unit_test(test_near_the_deadline),
        cmocka_unit_test(test_who_does_not_read),
        cmocka_unit_test(test_behind_the_longest_head),
        cmocka_unit_test(test_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
