// SPDX-License-Identifier: GPL-2.0-or-later
/* Who is passed on to production, when, and what becomes of those who cannot be. */
#include "pass.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define GET(token) "GET " PATH(token) " HTTP/1.1\r\nHost: a\r\n\r\n"
#define OTHER      "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define MANY       100

static const struct harness_options passing = {.pass = true};

static uint16_t local_port(int fd)
{
    struct sockaddr_in address = {0};
    socklen_t length = sizeof(address);

    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    return ntohs(address.sin_port);
}

static uint16_t peer_port(int fd)
{
    struct sockaddr_in address = {0};
    socklen_t length = sizeof(address);

    assert_int_equal(getpeername(fd, (struct sockaddr *)&address, &length), 0);
    return ntohs(address.sin_port);
}

/* What waits in the socket, and stays there. */
static void assert_untouched(int fd, const char *bytes, size_t length)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    uint64_t until_ms = harness_now_ms() + HARNESS_WAIT_MS;
    char got[4096];
    ssize_t count = 0;

    /* The last of it may be on its way still. */
    while (length > 0 && count < (ssize_t)length) {
        assert_int_equal(poll(&readable, 1, HARNESS_WAIT_MS), 1);
        count = recv(fd, got, sizeof(got), MSG_PEEK | MSG_DONTWAIT);
        assert_true(harness_now_ms() < until_ms);
    }
    assert_int_equal(count, length);
    assert_memory_equal(got, bytes, length);
}

/* The next to be passed is this visitor, with all that it has sent. Ends it. */
static uint64_t expect_passed(struct harness *harness, int visitor, const char *bytes,
                              size_t length)
{
    int copy = -1;
    uint64_t id = pass_expect(harness, &copy);

    assert_int_equal(peer_port(copy), local_port(visitor));
    assert_untouched(copy, bytes, length);
    close(copy);
    pass_answer(harness, id, -1, ECONNREFUSED, false);
    pass_read_to_reset(visitor, "");
    close(visitor);
    return id;
}

static int connect_with(const struct harness *harness, const char *bytes, size_t length)
{
    int fd = harness_connect(harness);
    harness_write(fd, bytes, length);
    return fd;
}

/* As it is: nothing is taken of it, and nothing judged. */
static void test_whoever_asks_for_nothing_here(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
    } firsts[] = {
#define FIRST(text) {text, sizeof(text) - 1}
        FIRST(OTHER),
        FIRST(GET("unknown")),
        FIRST(GET("")),
        FIRST(GET("t/")),
        FIRST("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"),
        FIRST("GET /x"),
        FIRST("malformed\r\n"),
        FIRST("GET / HTTP/1.1\nHost: a\n\n"),
        FIRST("\x16\x03\x01\x02\x00\x01\x00\x01\xfc"),
        FIRST("SSH-2.0-OpenSSH_9.2\r\n"),
        FIRST("\0\0\0\0"),
#undef FIRST
    };
    struct harness harness;
    uint64_t last_id = 0;

    (void)state;
    harness_start(&harness, &passing);
    harness_token(&harness, "t");
    for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
        int fd = connect_with(&harness, firsts[i].bytes, firsts[i].length);
        uint64_t id = expect_passed(&harness, fd, firsts[i].bytes, firsts[i].length);
        assert_int_equal(id, last_id + 1);
        last_id = id;
    }
    harness_stop(&harness);
}

static void test_challenges_stay(void **state)
{
    static const char absolute[] = "GET http://a" PATH("t") " HTTP/1.1\r\nHost: a\r\n\r\n";
    struct harness harness;
    union link_message message;

    (void)state;
    harness_start(&harness, &passing);
    harness_token(&harness, "t");
    assert_int_equal(harness_status(&harness, GET("t")), 200);
    harness_expect(&harness, LINK_VALIDATION, &message);
    assert_int_equal(harness_status(&harness, "\r\n" GET("t")), 200);
    harness_expect(&harness, LINK_VALIDATION, &message);
    assert_int_equal(harness_status(&harness, absolute), 200);
    harness_expect(&harness, LINK_VALIDATION, &message);
    assert_int_equal(harness_status(&harness, "HEAD " PATH("t") " HTTP/1.0\r\n\r\n"), 200);
    assert_int_equal(harness_status(&harness, "POST " PATH("t") " HTTP/1.0\r\n\r\n"), 405);
    /* Until it is withdrawn. */
    for (uint64_t i = 1; i <= MANY; i++) {
        harness_token(&harness, "t");
        harness_forget(&harness, "t");
        int fd = connect_with(&harness, GET("t"), strlen(GET("t")));
        assert_int_equal(expect_passed(&harness, fd, GET("t"), strlen(GET("t"))), i);
    }
    harness_stop(&harness);
}

/* A request that came in pieces is looked at with each of them. */
static void test_pieces(void **state)
{
    struct harness harness;
    char answer[4096];

    (void)state;
    harness_start(&harness, &passing);
    harness_token(&harness, "t");
    int fd = harness_connect(&harness);
    for (const char *at = GET("t"); *at; at++) {
        harness_write(fd, at, 1);
        harness_ping(&harness, NULL);
    }
    harness_read(fd, answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
    harness_stop(&harness);
}

/* A token that is in the link already is known, whichever of the two the responder sees first. */
static void test_token_in_the_link(void **state)
{
    struct harness harness;
    char token[32], request[256], answer[4096];

    (void)state;
    harness_start(&harness, &passing);
    for (int i = 0; i < MANY; i++) {
        snprintf(token, sizeof(token), "token%d", i);
        snprintf(request, sizeof(request), "GET " PATH("%s") " HTTP/1.0\r\n\r\n", token);
        assert_int_equal(kill(harness.pid, SIGSTOP), 0);
        /* What waits on the listener is seen before what is on the link. */
        int fd = harness_connect(&harness);
        if (i % 2)
            harness_write(fd, request, strlen(request));
        harness_token(&harness, token);
        if (i % 2 == 0)
            harness_write(fd, request, strlen(request));
        assert_int_equal(kill(harness.pid, SIGCONT), 0);
        harness_read(fd, answer, sizeof(answer));
        assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
        harness_ping(&harness, NULL); /* reads the validation away */
    }
    harness_stop(&harness);
}

static void test_failure_is_a_reset(void **state)
{
    struct harness harness;
    int fds[8], copy = -1;
    uint64_t ids[8];

    (void)state;
    harness_start(&harness, &passing);
    for (size_t i = 0; i < 8; i++) {
        fds[i] = connect_with(&harness, OTHER, strlen(OTHER));
        ids[i] = pass_expect(&harness, &copy);
        close(copy);
    }
    struct link_pong pong = harness_ping(&harness, NULL);
    assert_int_equal(pong.connections, 8);
    assert_int_equal(pong.passing, 8);
    /* In any order. */
    for (size_t i = 0; i < 8; i++) {
        size_t which = i * 3 % 8;
        pass_answer(&harness, ids[which], -1, EADDRNOTAVAIL, false);
        pass_read_to_reset(fds[which], "");
        close(fds[which]);
    }
    harness_wait_connections(&harness, 0);
    harness_stop(&harness);
}

/* A keeper that hangs is not waited for without end, and what it says too late goes nowhere. */
static void test_no_answer(void **state)
{
    struct production production;
    struct harness harness;
    int copy = -1;

    (void)state;
    production_start(&production, 0);
    harness_start(&harness, &passing);
    unsigned before = harness_descriptors(&harness);
    uint64_t start_ms = harness_now_ms();
    int fd = connect_with(&harness, OTHER, strlen(OTHER));
    uint64_t id = pass_expect(&harness, &copy);
    close(copy);
    /* No reset: it cannot know whether the keeper still has the copy, which would be in the way. */
    pass_read_to_end(fd, "");
    uint64_t took_ms = harness_now_ms() - start_ms;
    assert_true(took_ms >= 4995 && took_ms < 15000);
    close(fd);
    harness_wait_connections(&harness, 0);

    int upstream = production_dial(&production);
    int end = production_accept(&production);
    pass_answer(&harness, id, upstream, 0, true);
    pass_read_to_end(end, "");
    close(end);
    assert_int_equal(harness_descriptors(&harness), before);
    harness_stop(&harness);
    production_stop(&production);
}

/* The keeper hangs before it has read the question: the visitor ends all the same. */
static void test_question_unread(void **state)
{
    struct harness harness;
    char byte;

    (void)state;
    harness_start(&harness, &passing);
    int fd = connect_with(&harness, OTHER, strlen(OTHER));
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, HARNESS_WAIT_MS), 1);
    assert_true(recv(fd, &byte, 1, 0) <= 0);
    close(fd);
    harness_stop(&harness);
}

/* ---- time ---- */

static void test_silent_ones_are_passed(void **state)
{
    static const uint64_t first_byte_ms[] = {300, 500, 1000};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct harness_options options = passing;
        struct harness harness;
        int copy = -1;
        char byte;

        options.setup.first_byte_ms = first_byte_ms[i];
        harness_start(&harness, &options);
        uint64_t start_ms = harness_now_ms();
        int fd = harness_connect(&harness);
        uint64_t id = pass_expect(&harness, &copy);
        uint64_t took_ms = harness_now_ms() - start_ms;
        assert_true(took_ms >= first_byte_ms[i] - 5 && took_ms < 5000);
        assert_int_equal(peer_port(copy), local_port(fd));
        assert_int_equal(recv(copy, &byte, 1, MSG_PEEK | MSG_DONTWAIT), -1);
        assert_int_equal(errno, EAGAIN);
        close(copy);
        pass_answer(&harness, id, -1, ECONNREFUSED, false);
        pass_read_to_reset(fd, "");
        close(fd);
        harness_stop(&harness);
    }
}

/* Whoever has begun what could become a challenge has until the deadline, also while it goes on. */
static void test_slow_beginnings_are_passed(void **state)
{
    static const char first[] = "GET " PATH("t") " HTTP/1.1\r\nX: ";
    struct harness_options options = passing;
    struct harness harness;
    char sent[4096];

    (void)state;
    options.setup.first_byte_ms = 300;
    options.setup.deadline_ms = 700;
    harness_start(&harness, &options);
    harness_token(&harness, "t");
    for (int trickle = 0; trickle < 2; trickle++) {
        size_t length = trickle ? strlen(first) : 1;
        struct pollfd asked = {.fd = harness.link, .events = POLLIN};
        uint64_t start_ms = harness_now_ms();
        int fd = harness_connect(&harness);

        memcpy(sent, first, length);
        harness_write(fd, sent, length);
        while (trickle && poll(&asked, 1, 20) == 0 && length < sizeof(sent)) {
            sent[length] = 'x';
            harness_write(fd, sent + length++, 1);
        }
        expect_passed(&harness, fd, sent, length);
        uint64_t took_ms = harness_now_ms() - start_ms;
        assert_true(took_ms >= 695 && took_ms < 5000);
    }
    harness_stop(&harness);
}

/* The end of what it says decides. */
static void test_ended_beginnings_are_passed(void **state)
{
    static const char *const beginnings[] = {"", "G", "GET " PATH("t"), "\r"};
    struct harness_options options = passing;
    struct harness harness;

    (void)state;
    options.setup.first_byte_ms = 20000;
    harness_start(&harness, &options);
    harness_token(&harness, "t");
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
        int fd = connect_with(&harness, beginnings[i], strlen(beginnings[i]));
        shutdown(fd, SHUT_WR);
        expect_passed(&harness, fd, beginnings[i], strlen(beginnings[i]));
    }
    harness_stop(&harness);
}

/* ---- limits ---- */

static void test_over_the_limits(void **state)
{
    static const struct link_setup setups[] = {
        {.undecided = 8, .undecided_per_address = 8},
        {.undecided = 64, .undecided_per_address = 8},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(setups) / sizeof(setups[0]); i++) {
        struct harness_options options = passing;
        struct harness harness;
        int slow[MANY];

        options.setup = setups[i];
        harness_start(&harness, &options);
        harness_token(&harness, "t");
        for (int j = 0; j < MANY; j++) {
            slow[j] = connect_with(&harness, "GET", 3);
            if (j < 8)
                harness_wait_connections(&harness, (unsigned)j + 1);
            else /* the oldest, and no other */
                expect_passed(&harness, slow[j - 8], "GET", 3);
            assert_int_equal(harness_status(&harness, GET("t")), 200);
            assert_int_equal(harness_ping(&harness, NULL).connections, j < 8 ? j + 1 : 8);
        }
        for (int j = MANY - 8; j < MANY; j++)
            pass_close_with_reset(slow[j]); /* an end would be passed */
        harness_wait_connections(&harness, 0);
        harness_stop(&harness);
    }
}

/* Turns away those who are to be passed by now, which are the oldest; *first is the next of them.
 */
static uint32_t turn_away(struct harness *harness, const int *slow, int *first)
{
    union link_message message;
    int copy = -1;

    link_message_init(&message, LINK_PING);
    message.ping.sequence = 1;
    harness_send(harness, &message);
    for (;;) {
        harness_receive(harness, &message, &copy);
        if (message.header.type == LINK_PONG)
            return message.pong.exhausted;
        if (message.header.type == LINK_VALIDATION)
            continue;
        assert_int_equal(message.header.type, LINK_PASS);
        assert_int_equal(peer_port(copy), local_port(slow[*first]));
        close(copy);
        pass_answer(harness, message.pass.id, -1, ECONNREFUSED, false);
        pass_read_to_reset(slow[*first], "");
        close(slow[(*first)++]);
    }
}

/* Strangers fill all there is: the oldest is passed, and no descriptor is short. */
static void test_few_descriptors(void **state)
{
    static const struct harness_options options = {.pass = true, .descriptors = 64};
    struct harness harness;
    int slow[MANY];
    int first = 0;

    (void)state;
    harness_start(&harness, &options);
    harness_token(&harness, "t");
    for (int i = 0; i < MANY; i++) {
        slow[i] = connect_with(&harness, "GET", 3);
        assert_int_equal(turn_away(&harness, slow, &first), 0);
        assert_int_equal(harness_status(&harness, GET("t")), 200);
        assert_int_equal(turn_away(&harness, slow, &first), 0);
    }
    assert_true(first > MANY / 2 && first < MANY);
    while (first < MANY)
        pass_close_with_reset(slow[first++]);
    harness_wait_connections(&harness, 0);
    harness_stop(&harness);
}

/* Passed ones come near to what can be passed: the keeper is told, once, and in every pong. */
static void test_crowded(void **state)
{
    static const struct harness_options options = {.pass = true, .descriptors = 96};
    struct production production;
    struct passed passed[64];
    struct harness harness;
    union link_message message;

    (void)state;
    production_start(&production, 0);
    harness_start(&harness, &options);
    unsigned before = harness_descriptors(&harness);
    for (int times = 0; times < 3; times++) {
        unsigned count = 0;
        struct pollfd told = {.fd = harness.link, .events = POLLIN};

        /* LINK_CROWDED comes with the LINK_PASS that makes it so. */
        do {
            assert_true(count < 32);
            assert_int_equal(harness_ping(&harness, NULL).exhausted, 0);
            pass_open(&harness, &production, OTHER, &passed[count++]);
        } while (poll(&told, 1, 0) == 0);
        harness_expect(&harness, LINK_CROWDED, &message);
        assert_true(count >= 8);
        assert_int_equal(harness_ping(&harness, NULL).exhausted, LINK_EXHAUSTED_PASSES);
        /* It still passes some, and tells no more; then it has to turn visitors away. */
        struct link_pong pong = harness_ping(&harness, NULL);
        unsigned at_first = count;
        for (;;) {
            passed[count].visitor = connect_with(&harness, OTHER, strlen(OTHER));
            struct pollfd either[] = {told, {.fd = passed[count].visitor, .events = POLLIN}};
            assert_true(poll(either, 2, HARNESS_WAIT_MS) > 0);
            if (either[1].revents)
                break;
            int copy = -1;
            uint64_t id = pass_expect(&harness, &copy);
            close(copy);
            int upstream = production_dial(&production);
            passed[count].production = production_accept(&production);
            pass_answer(&harness, id, upstream, 0, true);
            pass_read(passed[count].production, OTHER, strlen(OTHER));
            count++;
        }
        pass_read_to_reset(passed[count].visitor, "");
        close(passed[count].visitor);
        assert_true(count > at_first);
        pong = harness_ping(&harness, NULL);
        assert_int_equal(pong.exhausted, LINK_EXHAUSTED_PASSES);
        assert_int_equal(pong.passing, count);
        /* A little room is no room. */
        pass_close(&passed[--count]);
        pass_close(&passed[--count]);
        harness_wait_connections(&harness, count);
        assert_int_equal(harness_ping(&harness, NULL).exhausted, LINK_EXHAUSTED_PASSES);
        while (count > 0)
            pass_close(&passed[--count]);
        harness_wait_connections(&harness, 0);
        assert_int_equal(harness_ping(&harness, NULL).exhausted, 0);
    }
    assert_int_equal(harness_descriptors(&harness), before);
    harness_stop(&harness);
    production_stop(&production);
}

/* Nothing stays behind of anybody, however it ended. */
static void test_descriptors_stay_level(void **state)
{
    struct production production;
    struct passed passed;
    struct harness harness;

    (void)state;
    production_start(&production, 0);
    harness_start(&harness, &passing);
    harness_token(&harness, "t");
    unsigned before = harness_descriptors(&harness);
    for (int i = 0; i < 2000; i++) {
        if (i % 5 == 4) {
            int fd = connect_with(&harness, OTHER, strlen(OTHER));
            expect_passed(&harness, fd, OTHER, strlen(OTHER));
            continue;
        }
        pass_open(&harness, &production, OTHER, &passed);
        harness_write(passed.production, "answer", 6);
        pass_read(passed.visitor, "answer", 6);
        if (i % 5 == 0) {
            close(passed.production);
            pass_read_to_end(passed.visitor, "");
            close(passed.visitor);
        } else if (i % 5 == 1) {
            close(passed.visitor);
            pass_read_to_end(passed.production, "");
            close(passed.production);
        } else if (i % 5 == 2) {
            pass_close_with_reset(passed.visitor);
            pass_read_to_reset(passed.production, "");
            close(passed.production);
        } else {
            pass_close_with_reset(passed.production);
            pass_read_to_reset(passed.visitor, "");
            close(passed.visitor);
        }
    }
    harness_wait_connections(&harness, 0);
    assert_int_equal(harness_descriptors(&harness), before);
    struct link_pong pong = harness_ping(&harness, NULL);
    assert_int_equal(pong.passing, 0);
    assert_int_equal(pong.exhausted, 0);
    /* All of them were this host's own. */
    assert_int_equal(pong.passed, 0);
    assert_int_equal(pong.turned_away, 0);
    harness_stop(&harness);
    production_stop(&production);
}

/* More questions than the link holds: none is lost, and none comes twice. */
static void test_full_link(void **state)
{
    enum { VISITORS = 600 };
    struct harness harness;
    int fds[VISITORS], copy = -1;

    (void)state;
    harness_start(&harness, &passing);
    assert_int_equal(kill(harness.pid, SIGSTOP), 0);
    for (int i = 0; i < VISITORS; i++)
        fds[i] = connect_with(&harness, OTHER, strlen(OTHER));
    assert_int_equal(kill(harness.pid, SIGCONT), 0);
    for (int i = 0; i < VISITORS; i++) {
        assert_int_equal(pass_expect(&harness, &copy), i + 1);
        close(copy);
    }
    for (int i = 0; i < VISITORS; i++)
        pass_answer(&harness, (uint64_t)i + 1, -1, ECONNREFUSED, false);
    for (int i = 0; i < VISITORS; i++) {
        pass_read_to_reset(fds[i], "");
        close(fds[i]);
    }
    harness_wait_connections(&harness, 0);
    harness_stop(&harness);
}

/* This user has more descriptors on their way, in whatever sockets, than the responder's limit: it
 * asks as soon as it can. */
static void test_too_many_on_their_way(void **state)
{
    enum { LIMIT = 400, SOCKETS = 4 };
    static const struct harness_options options = {.pass = true, .descriptors = LIMIT};
    struct harness harness;
    union link_message message;
    int pairs[SOCKETS][2];

    (void)state;
    harness_start(&harness, &options);
    link_message_init(&message, LINK_PASS);
    for (int i = 0; i < SOCKETS; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pairs[i]), 0);
        for (int j = 0; j < 2 * LIMIT / SOCKETS; j++)
            assert_true(link_send(pairs[i][0], &message, STDERR_FILENO) > 0);
    }
    int fd = connect_with(&harness, OTHER, strlen(OTHER));
    harness_wait_connections(&harness, 1); /* and no LINK_PASS */
    unsigned long before = harness_ticks(&harness);
    pass_read_nothing(fd, 200);
    assert_true(harness_ticks(&harness) - before <= 3);
    assert_int_equal(harness_ping(&harness, NULL).passing, 1);
    for (int i = 0; i < SOCKETS; i++) {
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
    expect_passed(&harness, fd, OTHER, strlen(OTHER));
    harness_stop(&harness);
}

/* Whether visitors are passed can change in a life; who is passed by then stays so. */
static void test_second_setup(void **state)
{
    struct harness_options options = {0};
    struct production production;
    struct passed passed;
    struct harness harness;

    (void)state;
    production_start(&production, 0);
    harness_start(&harness, &options);
    assert_int_equal(harness_status(&harness, OTHER), 404);
    options.pass = true;
    harness_send_setup(&harness, &options);
    harness_ping(&harness, NULL);
    pass_open(&harness, &production, OTHER, &passed);
    options.pass = false;
    harness_send_setup(&harness, &options);
    harness_ping(&harness, NULL);
    assert_int_equal(harness_status(&harness, OTHER), 404);
    harness_write(passed.production, "answer", 6);
    close(passed.production);
    pass_read_to_end(passed.visitor, "answer");
    close(passed.visitor);
    harness_wait_connections(&harness, 0);
    harness_stop(&harness);
    production_stop(&production);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whoever_asks_for_nothing_here),
        cmocka_unit_test(test_challenges_stay),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_token_in_the_link),
        cmocka_unit_test(test_failure_is_a_reset),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_question_unread),
        cmocka_unit_test(test_silent_ones_are_passed),
        cmocka_unit_test(test_slow_beginnings_are_passed),
        cmocka_unit_test(test_ended_beginnings_are_passed),
        cmocka_unit_test(test_over_the_limits),
        cmocka_unit_test(test_few_descriptors),
        cmocka_unit_test(test_crowded),
        cmocka_unit_test(test_descriptors_stay_level),
        cmocka_unit_test(test_full_link),
        cmocka_unit_test(test_too_many_on_their_way),
        cmocka_unit_test(test_second_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
