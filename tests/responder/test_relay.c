// SPDX-License-Identifier: GPL-2.0-or-later
/* The bytes of those who are passed, how both sides end, and the drain. */
#include "pass.h"
#include "responder/relay_flow.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define OTHER  "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define MIB    ((size_t)1024 * 1024)
#define BUFFER (64 * 1024)

static const struct harness_options passing = {.pass = true};

struct fixture {
    struct harness harness;
    struct production production;
};

static void start(struct fixture *fixture, int buffer)
{
    production_start(&fixture->production, buffer);
    harness_start(&fixture->harness, &passing);
}

static void stop(struct fixture *fixture)
{
    harness_wait_connections(&fixture->harness, 0);
    harness_stop(&fixture->harness);
    production_stop(&fixture->production);
}

static void open_one(struct fixture *fixture, struct passed *passed)
{
    pass_open(&fixture->harness, &fixture->production, OTHER, passed);
}

/* ---- bytes ---- */

/* What stands at `at` of a stream that does not repeat itself at any power of two. */
static unsigned char pattern(size_t at, unsigned char salt)
{
    return (unsigned char)(at % 251 + at / 65521 + salt);
}

/* One way of a connection: `sent` bytes went into `from`, `got` came out of `to`. */
struct stream {
    int from, to;
    unsigned char salt;
    size_t sent, got;
};

/* As much as goes without waiting, up to `end`. */
static void stream_send(struct stream *stream, size_t end)
{
    unsigned char bytes[65536];

    while (stream->sent < end) {
        size_t length = end - stream->sent < sizeof(bytes) ? end - stream->sent : sizeof(bytes);
        for (size_t i = 0; i < length; i++)
            bytes[i] = pattern(stream->sent + i, stream->salt);
        ssize_t sent = send(stream->from, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0) {
            assert_int_equal(errno, EAGAIN);
            return;
        }
        stream->sent += (size_t)sent;
    }
}

/* As much as is there, up to `most`. */
static void stream_receive(struct stream *stream, size_t most)
{
    unsigned char bytes[65536];

    while (most > 0) {
        size_t length = most < sizeof(bytes) ? most : sizeof(bytes);
        ssize_t got = recv(stream->to, bytes, length, MSG_DONTWAIT);
        if (got < 0) {
            assert_int_equal(errno, EAGAIN);
            return;
        }
        assert_true(got > 0);
        for (size_t i = 0; i < (size_t)got; i++)
            if (bytes[i] != pattern(stream->got + i, stream->salt))
                fail_msg("byte %zu is another", stream->got + i);
        stream->got += (size_t)got;
        most -= (size_t)got;
    }
}

/* Until both have all of their `bytes` at the other end. */
static void stream_both(struct stream *one, struct stream *other, size_t bytes)
{
    while (one->got < bytes || other->got < bytes) {
        struct pollfd ready[] = {
            {one->from, (short)(POLLIN | (one->sent < bytes ? POLLOUT : 0)), 0},
            {other->from, (short)(POLLIN | (other->sent < bytes ? POLLOUT : 0)), 0},
        };
        assert_true(poll(ready, 2, HARNESS_WAIT_MS) > 0);
        stream_send(one, bytes);
        stream_send(other, bytes);
        stream_receive(one, SIZE_MAX);
        stream_receive(other, SIZE_MAX);
    }
    assert_int_equal(one->got, bytes);
    assert_int_equal(other->got, bytes);
}

/* Sends until nothing has been taken for a while. */
static void stream_fill(struct stream *stream)
{
    struct pollfd ready = {.fd = stream->from, .events = POLLOUT};
    while (poll(&ready, 1, 200) == 1)
        stream_send(stream, SIZE_MAX);
}

static void test_small(void **state)
{
    static const char binary[] = "\0\xff\r\n\0\x80";
    struct fixture fixture;
    struct passed passed;

    (void)state;
    start(&fixture, 0);
    open_one(&fixture, &passed);
    for (int i = 0; i < 1000; i++) {
        harness_write(passed.production, binary, sizeof(binary));
        pass_read(passed.visitor, binary, sizeof(binary));
        harness_write(passed.visitor, binary + 1, sizeof(binary) - 1);
        pass_read(passed.production, binary + 1, sizeof(binary) - 1);
    }
    pass_close(&passed);
    stop(&fixture);
}

static void test_large_both_ways(void **state)
{
    static const struct {
        int buffer;
        size_t bytes;
    } cases[] = {{0, 4 * MIB}, {BUFFER, 4 * MIB}, {4096, 65536}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct fixture fixture;
        struct passed passed;

        start(&fixture, cases[i].buffer);
        open_one(&fixture, &passed);
        struct stream up = {.from = passed.visitor, .to = passed.production, .salt = 1};
        struct stream down = {.from = passed.production, .to = passed.visitor, .salt = 2};
        stream_both(&up, &down, cases[i].bytes);
        pass_close(&passed);
        stop(&fixture);
    }
}

/* Bytes, then fewer, then more: in whichever way they go, none overtakes another. */
static void test_changing_sizes(void **state)
{
    struct fixture fixture;
    struct passed passed;

    (void)state;
    start(&fixture, 0);
    open_one(&fixture, &passed);
    struct stream up = {.from = passed.visitor, .to = passed.production, .salt = 3};
    struct stream down = {.from = passed.production, .to = passed.visitor, .salt = 4};
    size_t bytes = 0;
    for (size_t i = 0; i < 60; i++) {
        bytes += i % 3 == 0 ? 1 : i % 3 == 1 ? 16384 : 100000;
        stream_both(&up, &down, bytes);
    }
    pass_close(&passed);
    stop(&fixture);
}

/* While the receiver takes nothing little is taken in, nothing spins, and then all of it comes. */
static void test_slow_receiver(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct fixture fixture;
        struct passed passed;

        start(&fixture, BUFFER);
        open_one(&fixture, &passed);
        struct stream stream = {.from = way ? passed.visitor : passed.production,
                                .to = way ? passed.production : passed.visitor};
        stream_fill(&stream);
        assert_true(stream.sent > BUFFER && stream.sent < 2 * MIB);
        unsigned long before = harness_ticks(&fixture.harness);
        pass_read_nothing(passed.visitor + passed.production - stream.to, 300);
        assert_true(harness_ticks(&fixture.harness) - before <= 3);

        size_t end = stream.sent + 4 * MIB;
        while (stream.got < end) {
            struct pollfd ready[] = {{stream.from, stream.sent < end ? POLLOUT : 0, 0},
                                     {stream.to, POLLIN, 0}};
            assert_true(poll(ready, 2, HARNESS_WAIT_MS) > 0);
            stream_send(&stream, end);
            stream_receive(&stream, 5000);
        }
        pass_close(&passed);
        stop(&fixture);
    }
}

/* A byte that is marked as urgent in the middle: what is around it still goes on. */
static void test_urgent(void **state)
{
    (void)state;
    for (int bulk = 0; bulk < 2; bulk++) {
        struct fixture fixture;
        struct passed passed;

        start(&fixture, 0);
        open_one(&fixture, &passed);
        struct stream up = {.from = passed.visitor, .to = passed.production};
        struct stream down = {.from = passed.production, .to = passed.visitor};
        stream_both(&up, &down, bulk ? MIB : 10);
        unsigned long before = harness_ticks(&fixture.harness);
        assert_int_equal(send(passed.visitor, "!", 1, MSG_OOB), 1);
        harness_write(passed.visitor, "rest", 4);
        pass_read(passed.production, "rest", 4);
        pass_read_nothing(passed.visitor, 300);
        assert_true(harness_ticks(&fixture.harness) - before <= 5);
        pass_close(&passed);
        stop(&fixture);
    }
}

/* ---- connecting ---- */

static void test_connecting(void **state)
{
    struct fixture fixture;
    struct passed passed;
    int copy = -1;

    (void)state;
    start(&fixture, 0);
    passed.visitor = harness_connect(&fixture.harness);
    harness_write(passed.visitor, OTHER, strlen(OTHER));
    uint64_t id = pass_expect(&fixture.harness, &copy);
    close(copy);
    int upstream = production_dial(&fixture.production);
    passed.production = production_accept(&fixture.production);
    pass_answer(&fixture.harness, id, upstream, 0, false);
    pass_read(passed.production, OTHER, strlen(OTHER));
    harness_write(passed.production, "answer", 6);
    pass_read(passed.visitor, "answer", 6);
    pass_close(&passed);
    stop(&fixture);
}

/* Production that answers no SYN at present: its queue is full. */
static int fill_queue(const struct production *production)
{
    int fd = production_dial(production);
    struct pollfd ready = {.fd = fd, .events = POLLOUT};

    assert_int_equal(listen(production->listener, 0), 0);
    assert_int_equal(poll(&ready, 1, HARNESS_WAIT_MS), 1);
    return fd;
}

static void test_connecting_for_long(void **state)
{
    enum { TAKEN, REFUSED, GIVEN_UP, CASES };
    struct fixture fixture;
    struct passed passed;
    int copy = -1;

    (void)state;
    for (int what = TAKEN; what < CASES; what++) {
        start(&fixture, 0);
        int queued = fill_queue(&fixture.production);
        passed.visitor = harness_connect(&fixture.harness);
        harness_write(passed.visitor, OTHER, strlen(OTHER));
        uint64_t id = pass_expect(&fixture.harness, &copy);
        close(copy);
        int upstream = production_dial(&fixture.production);
        struct pollfd connected = {.fd = upstream, .events = POLLOUT};
        assert_int_equal(poll(&connected, 1, 0), 0);
        pass_answer(&fixture.harness, id, upstream, 0, false);
        pass_read_nothing(passed.visitor, 50);
        assert_int_equal(harness_ping(&fixture.harness, NULL).passing, 1);
        if (what == TAKEN) {
            close(production_accept(&fixture.production));
            passed.production = production_accept(&fixture.production);
            pass_read(passed.production, OTHER, strlen(OTHER));
            close(passed.production);
            pass_read_to_end(passed.visitor, "");
        } else if (what == REFUSED) {
            close(fixture.production.listener);
            fixture.production.listener = -1;
            pass_read_to_reset(passed.visitor, "");
        } else {
            pass_close_with_reset(passed.visitor);
            harness_wait_connections(&fixture.harness, 0);
            passed.visitor = -1;
        }
        close(passed.visitor);
        close(queued);
        stop(&fixture);
    }
}

/* ---- ends ---- */

static void test_half_close(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct fixture fixture;
        struct passed passed;

        start(&fixture, 0);
        open_one(&fixture, &passed);
        int first = way ? passed.visitor : passed.production;
        int last = way ? passed.production : passed.visitor;
        harness_write(first, "last words", 10);
        assert_int_equal(shutdown(first, SHUT_WR), 0);
        pass_read_to_end(last, "last words");
        for (int i = 0; i < 10; i++) {
            harness_write(last, "and more", 8);
            pass_read(first, "and more", 8);
        }
        unsigned long before = harness_ticks(&fixture.harness);
        pass_read_nothing(first, 200);
        assert_true(harness_ticks(&fixture.harness) - before <= 3);
        harness_write(last, "bye", 3);
        close(last);
        pass_read_to_end(first, "bye");
        close(first);
        stop(&fixture);
    }
}

/* The end comes after the last byte, also when the other is slow. */
static void test_end_behind_much(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct fixture fixture;
        struct passed passed;

        start(&fixture, BUFFER);
        open_one(&fixture, &passed);
        struct stream stream = {.from = way ? passed.visitor : passed.production,
                                .to = way ? passed.production : passed.visitor};
        stream_fill(&stream);
        close(stream.from);
        while (stream.got < stream.sent) {
            struct pollfd ready = {.fd = stream.to, .events = POLLIN};
            assert_int_equal(poll(&ready, 1, HARNESS_WAIT_MS), 1);
            stream_receive(&stream, stream.sent - stream.got);
        }
        pass_read_to_end(stream.to, "");
        close(stream.to);
        stop(&fixture);
    }
}

static void test_reset(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct fixture fixture;
        struct passed passed;

        start(&fixture, 0);
        for (int i = 0; i < 200; i++) {
            open_one(&fixture, &passed);
            int first = way ? passed.visitor : passed.production;
            int last = way ? passed.production : passed.visitor;
            int unacknowledged = 1;
            harness_write(first, "last words", 10);
            /* What has not left by then does not with a reset. */
            while (unacknowledged > 0)
                assert_int_equal(ioctl(first, SIOCOUTQ, &unacknowledged), 0);
            pass_close_with_reset(first);
            pass_read_to_reset(last, "last words");
            close(last);
        }
        stop(&fixture);
    }
}

/* What was sent ahead of a reset arrives, also when the receiver is slow; meanwhile nothing spins.
 */
static void test_reset_behind_much(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct fixture fixture;
        struct passed passed;
        int unacknowledged = 1;

        start(&fixture, BUFFER);
        open_one(&fixture, &passed);
        struct stream stream = {.from = way ? passed.visitor : passed.production,
                                .to = way ? passed.production : passed.visitor};
        /* More than the receiver's buffers take, less than all on the way do. */
        while (stream.sent < 200000) {
            struct pollfd ready = {.fd = stream.from, .events = POLLOUT};
            assert_int_equal(poll(&ready, 1, HARNESS_WAIT_MS), 1);
            stream_send(&stream, 200000);
        }
        while (unacknowledged > 0)
            assert_int_equal(ioctl(stream.from, SIOCOUTQ, &unacknowledged), 0);
        pass_close_with_reset(stream.from);
        unsigned long before = harness_ticks(&fixture.harness);
        assert_int_equal(poll(NULL, 0, 300), 0); /* the time that is measured */
        assert_true(harness_ticks(&fixture.harness) - before <= 5);
        while (stream.got < stream.sent) {
            struct pollfd ready = {.fd = stream.to, .events = POLLIN};
            assert_int_equal(poll(&ready, 1, HARNESS_WAIT_MS), 1);
            stream_receive(&stream, stream.sent - stream.got);
        }
        pass_read_to_reset(stream.to, "");
        close(stream.to);
        stop(&fixture);
    }
}

/* Also where as much came right before that the next would not be copied. */
static void test_reset_after_much(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct fixture fixture;
        struct passed passed;

        start(&fixture, 0);
        for (int i = 0; i < 50; i++) {
            open_one(&fixture, &passed);
            struct stream stream = {.from = way ? passed.visitor : passed.production,
                                    .to = way ? passed.production : passed.visitor};
            const size_t much = sizeof(((struct flow_tools *)NULL)->buffer);
            int unacknowledged = 1;
            stream_send(&stream, much);
            while (unacknowledged > 0)
                assert_int_equal(ioctl(stream.from, SIOCOUTQ, &unacknowledged), 0);
            pass_close_with_reset(stream.from);
            while (stream.got < much) {
                struct pollfd ready = {.fd = stream.to, .events = POLLIN};
                assert_int_equal(poll(&ready, 1, HARNESS_WAIT_MS), 1);
                stream_receive(&stream, stream.sent - stream.got);
            }
            pass_read_to_reset(stream.to, "");
            close(stream.to);
        }
        stop(&fixture);
    }
}

/* Production says why, and resets what it does not want to read. */
static void test_answer_before_reset(void **state)
{
    struct fixture fixture;
    struct passed passed;

    (void)state;
    start(&fixture, 0);
    for (int i = 0; i < 200; i++) {
        open_one(&fixture, &passed);
        harness_write(passed.visitor, "body", 4);
        harness_write(passed.production, "413", 3);
        pass_read(passed.visitor, "413", 3);
        pass_read(passed.production, "b", 1);
        close(passed.production); /* with bytes unread, which is a reset */
        pass_read_to_reset(passed.visitor, "");
        close(passed.visitor);
    }
    stop(&fixture);
}

/* ---- the drain ---- */

static void test_drain_ends_the_idle(void **state)
{
    struct fixture fixture;
    struct passed idle, active;

    (void)state;
    start(&fixture, 0);
    open_one(&fixture, &idle);
    open_one(&fixture, &active);
    uint64_t start_ms = harness_now_ms();
    harness_drain(&fixture.harness, 5, 300);
    struct pollfd ended = {.fd = idle.visitor, .events = POLLIN};
    do {
        harness_write(active.production, "x", 1);
        pass_read(active.visitor, "x", 1);
    } while (poll(&ended, 1, 20) == 0);
    uint64_t took_ms = harness_now_ms() - start_ms;
    assert_true(took_ms >= 295 && took_ms < 5000);
    pass_read_to_end(idle.visitor, "");
    pass_read_to_end(idle.production, "");
    pass_close(&idle);
    for (int i = 0; i < 10; i++) {
        pass_read_nothing(active.visitor, 40);
        harness_write(active.visitor, "x", 1);
        pass_read(active.production, "x", 1);
    }
    assert_int_equal(harness_ping(&fixture.harness, NULL).passing, 1); /* and not LINK_DRAINED */
    pass_close(&active);
    harness_expect_drained(&fixture.harness, 5);
    stop(&fixture);
}

/* One whose receiver takes little, but something, is not idle. */
static void test_drain_spares_the_slow(void **state)
{
    struct fixture fixture;
    struct passed passed;

    (void)state;
    start(&fixture, BUFFER);
    open_one(&fixture, &passed);
    struct stream down = {.from = passed.production, .to = passed.visitor};
    stream_fill(&down);
    uint64_t start_ms = harness_now_ms();
    harness_drain(&fixture.harness, 1, 400);
    /* Never so much that all of what is on the way comes through. */
    while (harness_now_ms() - start_ms < 1500) {
        assert_int_equal(poll(NULL, 0, 50), 0); /* the receiver's pace */
        stream_receive(&down, 50000);
        stream_send(&down, SIZE_MAX);
        assert_int_equal(harness_ping(&fixture.harness, NULL).passing, 1);
    }
    pass_close(&passed);
    harness_expect_drained(&fixture.harness, 1);
    stop(&fixture);
}

static void test_drain_is_called_off(void **state)
{
    struct fixture fixture;
    struct passed passed;

    (void)state;
    start(&fixture, 0);
    open_one(&fixture, &passed);
    harness_drain(&fixture.harness, 1, 200);
    harness_drain(&fixture.harness, 0, 0);
    pass_read_nothing(passed.visitor, 400);
    /* Whoever asks again counts the idle time anew. */
    uint64_t start_ms = harness_now_ms();
    harness_drain(&fixture.harness, 2, 200);
    pass_read_to_end(passed.visitor, "");
    assert_true(harness_now_ms() - start_ms >= 195);
    pass_close(&passed);
    harness_expect_drained(&fixture.harness, 2);
    stop(&fixture);
}

/* It goes on after its answer, for late ones, until a window is open again. */
static void test_drain_outlives_its_answer(void **state)
{
    struct fixture fixture;
    struct passed passed;

    (void)state;
    start(&fixture, 0);
    harness_drain(&fixture.harness, 1, 100);
    harness_expect_drained(&fixture.harness, 1);
    open_one(&fixture, &passed);
    pass_read_to_end(passed.visitor, "");
    pass_close(&passed);
    harness_drain(&fixture.harness, 0, 0);
    open_one(&fixture, &passed);
    pass_read_nothing(passed.visitor, 300);
    pass_close(&passed);
    stop(&fixture);
}

/* It is over when the visitor has everything, which may be long after both sides have ended. */
static void test_drained_is_after_the_last_byte(void **state)
{
    struct fixture fixture;
    struct passed passed;

    (void)state;
    start(&fixture, BUFFER);
    open_one(&fixture, &passed);
    struct stream down = {.from = passed.production, .to = passed.visitor};
    while (down.sent < 200000) {
        struct pollfd ready = {.fd = down.from, .events = POLLOUT};
        assert_int_equal(poll(&ready, 1, HARNESS_WAIT_MS), 1);
        stream_send(&down, 200000);
    }
    shutdown(passed.visitor, SHUT_WR);
    pass_read_to_end(passed.production, "");
    close(passed.production);
    harness_drain(&fixture.harness, 3, 2000);
    /* Slower than it would take to be idle, had nothing arrived. */
    while (down.got < down.sent) {
        assert_int_equal(poll(NULL, 0, 100), 0); /* the receiver's pace */
        if (down.got < 50000)
            assert_int_equal(harness_ping(&fixture.harness, NULL).passing, 1);
        stream_receive(&down, 5000);
    }
    pass_read_to_end(passed.visitor, "");
    harness_expect_drained(&fixture.harness, 3);
    close(passed.visitor);
    stop(&fixture);
}

/* A part is not to be taken for the whole: who does not take the rest in time is reset. */
static void test_drain_cuts_with_a_reset(void **state)
{
    struct fixture fixture;
    struct passed passed;

    (void)state;
    start(&fixture, BUFFER);
    open_one(&fixture, &passed);
    struct stream down = {.from = passed.production, .to = passed.visitor};
    stream_fill(&down);
    harness_drain(&fixture.harness, 1, 200);
    harness_expect_drained(&fixture.harness, 1);
    for (;;) {
        char bytes[65536];
        struct pollfd ready = {.fd = passed.visitor, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, HARNESS_WAIT_MS), 1);
        ssize_t got = recv(passed.visitor, bytes, sizeof(bytes), 0);
        assert_int_not_equal(got, 0);
        if (got < 0)
            break;
    }
    assert_int_equal(errno, ECONNRESET);
    pass_close(&passed);
    stop(&fixture);
}

/* The death of the responder is no end in order either. */
static void test_death_is_a_reset(void **state)
{
    struct fixture fixture;
    struct passed passed;

    (void)state;
    start(&fixture, 0);
    open_one(&fixture, &passed);
    harness_write(passed.production, "half of an answer", 17);
    pass_read(passed.visitor, "half of an answer", 17);
    assert_int_equal(kill(fixture.harness.pid, SIGKILL), 0);
    pass_read_to_reset(passed.visitor, "");
    pass_read_to_reset(passed.production, "");
    assert_int_equal(harness_wait(&fixture.harness), SIGKILL);
    pass_close(&passed);
    production_stop(&fixture.production);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_large_both_ways),
        cmocka_unit_test(test_changing_sizes),
        cmocka_unit_test(test_slow_receiver),
        cmocka_unit_test(test_urgent),
        cmocka_unit_test(test_connecting),
        cmocka_unit_test(test_connecting_for_long),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_end_behind_much),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_reset_behind_much),
        cmocka_unit_test(test_reset_after_much),
        cmocka_unit_test(test_answer_before_reset),
        cmocka_unit_test(test_drain_ends_the_idle),
        cmocka_unit_test(test_drain_spares_the_slow),
        cmocka_unit_test(test_drain_is_called_off),
        cmocka_unit_test(test_drain_outlives_its_answer),
        cmocka_unit_test(test_drained_is_after_the_last_byte),
        cmocka_unit_test(test_drain_cuts_with_a_reset),
        cmocka_unit_test(test_death_is_a_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
