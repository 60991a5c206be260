// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The transport against a kernel played by this file: the socket, the clock and poll are replaced
 * with the linker's --wrap, so that deadlines pass without waiting.
 */
#include <errno.h>
#include <poll.h>
#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>

#include "redirect/transport.h"
#include "unit.h"

#define PORT 4711
#define LAST 2 /* of the two commands of every batch, behind BEGIN */

enum act {
    ACT_ACK,          /* the last command */
    ACT_ACK_FIRST,    /* the first, which has not asked for it */
    ACT_ACK_STRANGER, /* the last, from another process */
    ACT_ACK_OLD,      /* an ack with a number of the past */
    ACT_REFUSE,       /* EPERM for the batch */
    ACT_INTERRUPT,    /* EINTR */
    ACT_LOSE,         /* ENOBUFS */
    ACT_TRUNCATE,
    ACT_NOTHING, /* EAGAIN: poll is next, and its time passes */
    ACT_FAIL,    /* EIO */
    ACT_EMPTY,   /* EAGAIN, and the script goes on */
};

/* What the kernel does, a recvmsg each; state of this file since --wrap leaves no other way. */
static struct {
    const enum act *script;
    size_t length, next;
    uint32_t begin; /* sequence number of the last BEGIN received */
    int sent;
    int send_error; /* errno of the next send, once */
    int poll_error;
    int64_t now_ns;
} kernel;

ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *socket, const void *bytes, size_t length);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);
int __wrap_poll(struct pollfd *items, nfds_t count, int timeout_ms);
int __wrap_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_mnl_socket_get_fd(const struct mnl_socket *socket);

static void assert_only_last_asks(const void *bytes, size_t length)
{
    const struct nlmsghdr *header = bytes;
    int left = (int)length;

    for (uint32_t i = 0; mnl_nlmsg_ok(header, left); i++) {
        assert_int_equal(header->nlmsg_seq, kernel.begin + i);
        assert_true(!(header->nlmsg_flags & NLM_F_ACK) == (i != LAST));
        header = mnl_nlmsg_next(header, &left);
    }
}

ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *socket, const void *bytes, size_t length)
{
    (void)socket;
    if (kernel.send_error) {
        errno = kernel.send_error;
        kernel.send_error = 0;
        return -1;
    }
    kernel.sent++;
    kernel.begin = ((const struct nlmsghdr *)bytes)->nlmsg_seq;
    assert_only_last_asks(bytes, length);
    return (ssize_t)length;
}

int __wrap_mnl_socket_get_fd(const struct mnl_socket *socket)
{
    (void)socket;
    return -1;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
    assert_int_equal(clock, CLOCK_MONOTONIC);
    *out = (struct timespec){kernel.now_ns / 1000000000, kernel.now_ns % 1000000000};
    return 0;
}

int __wrap_poll(struct pollfd *items, nfds_t count, int timeout_ms)
{
    (void)items;
    assert_int_equal(count, 1);
    assert_in_range(timeout_ms, 1, TRANSPORT_DEADLINE_MS);
    if (kernel.poll_error) {
        errno = kernel.poll_error;
        kernel.poll_error = 0;
        kernel.now_ns += 1000000; /* a signal that comes again and again does not stop the clock */
        return -1;
    }
    if (kernel.next < kernel.length && kernel.script[kernel.next] != ACT_NOTHING)
        return 1;
    kernel.now_ns += (int64_t)timeout_ms * 1000000;
    return 0;
}

static ssize_t answer(struct msghdr *message, uint32_t sequence, int number, uint32_t sender)
{
    struct nlmsghdr *header = mnl_nlmsg_put_header(message->msg_iov[0].iov_base);
    struct nlmsgerr *report;
    struct sockaddr_nl *address = message->msg_name;

    header->nlmsg_type = NLMSG_ERROR;
    header->nlmsg_seq = sequence;
    header->nlmsg_pid = PORT;
    report = mnl_nlmsg_put_extra_header(header, sizeof(*report));
    report->error = -number;
    *address = (struct sockaddr_nl){.nl_family = AF_NETLINK, .nl_pid = sender};
    message->msg_namelen = sizeof(*address);
    message->msg_flags = 0;
    return (ssize_t)header->nlmsg_len;
}

static ssize_t failed(int number)
{
    errno = number;
    return -1;
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
    ssize_t length;

    (void)fd;
    (void)flags;
    if (kernel.next == kernel.length)
        return failed(EAGAIN);
    switch (kernel.script[kernel.next++]) {
    case ACT_ACK:
        return answer(message, kernel.begin + LAST, 0, 0);
    case ACT_ACK_FIRST:
        return answer(message, kernel.begin + 1, 0, 0);
    case ACT_ACK_STRANGER:
        kernel.now_ns += 1000000;
        return answer(message, kernel.begin + LAST, 0, 99);
    case ACT_ACK_OLD:
        return answer(message, kernel.begin - 3, EPERM, 0);
    case ACT_REFUSE:
        return answer(message, kernel.begin, EPERM, 0);
    case ACT_INTERRUPT:
        kernel.now_ns += 1000000;
        return failed(EINTR);
    case ACT_LOSE:
        return failed(ENOBUFS);
    case ACT_TRUNCATE:
        length = answer(message, kernel.begin + LAST, 0, 0);
        message->msg_flags = MSG_TRUNC;
        return length;
    case ACT_FAIL:
        return failed(EIO);
    case ACT_NOTHING:
    case ACT_EMPTY:
        break;
    }
    return failed(EAGAIN);
}

static void add_command(struct batch *batch)
{
    struct nlmsghdr *header =
        batch_begin_message(batch, NFT_MSG_NEWTABLE, 0, BATCH_ROOM,
                            (struct batch_object){.kind = "set", .name = "ports"});

    if (header)
        batch_end_message(batch);
}

/* Runs a batch of two commands against the script. */
static int run(const enum act *script, size_t length, struct failure *failure)
{
    alignas(struct nlmsghdr) uint8_t buffer[TRANSPORT_BUFFER];
    struct transport transport = {
        .changes.port = PORT, .queries.port = PORT, .sequence = 1000, .buffer = buffer};
    struct batch batch;
    int outcome;

    kernel.script = script;
    kernel.length = length;
    transport_start_clock(&transport);
    batch_init(&batch, BATCH_ATOMIC);
    add_command(&batch);
    add_command(&batch);
    assert_true(batch_finish(&batch));
    outcome = transport_run(&transport, &batch, failure);
    batch_deinit(&batch);
    return outcome;
}

#define RUN(failure, ...)                \
    run((const enum act[]){__VA_ARGS__}, \
        sizeof((const enum act[]){__VA_ARGS__}) / sizeof(enum act), failure)

static int reset(void **state)
{
    (void)state;
    memset(&kernel, 0, sizeof(kernel));
    kernel.now_ns = 5000000000;
    return 0;
}

static void test_acked(void **state)
{
    struct failure failure;

    (void)state;
    assert_int_equal(RUN(&failure, ACT_ACK), 0);
    assert_int_equal(failure.kind, FAILURE_NONE);
    assert_int_equal(kernel.sent, 1);
}

static void test_interrupted(void **state)
{
    struct failure failure;

    (void)state;
    kernel.send_error = EINTR;
    kernel.poll_error = EINTR;
    assert_int_equal(RUN(&failure, ACT_INTERRUPT, ACT_ACK_FIRST, ACT_EMPTY, ACT_INTERRUPT, ACT_ACK),
                     0);
    assert_int_equal(kernel.sent, 1);
}

static void test_stranger_and_past_are_ignored(void **state)
{
    struct failure failure;

    (void)state;
    assert_int_equal(RUN(&failure, ACT_ACK_STRANGER, ACT_ACK_OLD, ACT_ACK_FIRST, ACT_ACK_STRANGER,
                         ACT_EMPTY, ACT_ACK),
                     0);
}

static void test_silence(void **state)
{
    struct failure failure;
    int64_t begin_ns = kernel.now_ns;

    (void)state;
    assert_int_equal(RUN(&failure, ACT_ACK_FIRST, ACT_ACK_STRANGER, ACT_NOTHING), -1);
    assert_int_equal(failure.kind, FAILURE_TIMEOUT);
    assert_in_range(kernel.now_ns - begin_ns, 1000000000, 1001000000);
    assert_int_equal(kernel.sent, 1);
}

/* Neither strangers nor signals that never stop keep it beyond the deadline. */
static void test_deadline_is_one_for_all(void **state)
{
    static const enum act nuisances[] = {ACT_ACK_STRANGER, ACT_INTERRUPT};
    enum act script[1500];

    (void)state;
    for (size_t n = 0; n < 2; n++) {
        struct failure failure;
        int64_t begin_ns = kernel.now_ns;

        for (size_t i = 0; i < 1500; i++)
            script[i] = nuisances[n];
        kernel.next = 0;
        assert_int_equal(run(script, 1500, &failure), -1);
        assert_int_equal(failure.kind, FAILURE_TIMEOUT);
        assert_in_range(kernel.now_ns - begin_ns, 1000000000, 1001000000);
    }
}

static void test_refused(void **state)
{
    struct failure failure;

    (void)state;
    assert_int_equal(RUN(&failure, ACT_REFUSE), -1);
    assert_int_equal(failure.kind, FAILURE_KERNEL);
    assert_int_equal(failure.number, EPERM);
    assert_true(failure.refused);
}

static void test_lost_once(void **state)
{
    struct failure failure;

    (void)state;
    /* What is still queued of the first run is drained, and its numbers would not fit the second
     * anyway. */
    assert_int_equal(RUN(&failure, ACT_ACK_FIRST, ACT_LOSE, ACT_ACK, ACT_EMPTY, ACT_ACK), 0);
    assert_int_equal(kernel.sent, 2);
}

static void test_lost_twice(void **state)
{
    struct failure failure;
    struct error error;

    (void)state;
    assert_int_equal(RUN(&failure, ACT_LOSE, ACT_EMPTY, ACT_TRUNCATE), -1);
    assert_int_equal(failure.kind, FAILURE_LOST);
    assert_int_equal(kernel.sent, 2);
    assert_int_equal(failure_explain(&failure, &error), -1);
    assert_int_equal(error.exit_code, EX_TEMPFAIL);
}

static void test_send_without_memory(void **state)
{
    struct failure failure;

    (void)state;
    kernel.send_error = ENOBUFS;
    assert_int_equal(RUN(&failure, ACT_EMPTY, ACT_ACK), 0);
    assert_int_equal(kernel.sent, 1);
}

static void test_system_calls_fail(void **state)
{
    struct failure failure;

    (void)state;
    kernel.send_error = EMSGSIZE;
    assert_int_equal(RUN(&failure, ACT_ACK), -1);
    assert_int_equal(failure.kind, FAILURE_SYSTEM);
    assert_string_equal(failure.call, "send");
    assert_int_equal(failure.number, EMSGSIZE);
    kernel.next = 0;
    assert_int_equal(RUN(&failure, ACT_FAIL), -1);
    assert_string_equal(failure.call, "receive");
    kernel.next = 0;
    kernel.poll_error = ENOMEM;
    assert_int_equal(RUN(&failure, ACT_EMPTY), -1);
    assert_string_equal(failure.call, "poll");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_acked, reset),
        cmocka_unit_test_setup(test_interrupted, reset),
        cmocka_unit_test_setup(test_stranger_and_past_are_ignored, reset),
        cmocka_unit_test_setup(test_silence, reset),
        cmocka_unit_test_setup(test_deadline_is_one_for_all, reset),
        cmocka_unit_test_setup(test_refused, reset),
        cmocka_unit_test_setup(test_lost_once, reset),
        cmocka_unit_test_setup(test_lost_twice, reset),
        cmocka_unit_test_setup(test_send_without_memory, reset),
        cmocka_unit_test_setup(test_system_calls_fail, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
