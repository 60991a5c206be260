// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "wicket/control.h"
#include "wicket/duration.h"

/* Written once more, as a switch: the compiler asks for a line when a type is added. */
static size_t expected_length(enum control_type type)
{
    switch (type) {
    case CONTROL_HELLO:
        return sizeof(struct control_hello);
    case CONTROL_RESULT:
        return sizeof(struct control_result);
    case CONTROL_DOCUMENT:
        return sizeof(struct control_document);
    case CONTROL_SOCKET:
        return sizeof(struct control_socket);
    case CONTROL_REPORT:
        return sizeof(struct control_report);
    case CONTROL_ADD:
        return sizeof(struct control_add);
    case CONTROL_REMOVE:
        return sizeof(struct control_remove);
    case CONTROL_OPEN:
        return sizeof(struct control_open);
    case CONTROL_ARM:
        return sizeof(struct control_arm);
    case CONTROL_PROBE:
        return sizeof(struct control_probe);
    case CONTROL_PROBE_AT:
        return sizeof(struct control_probe_at);
    case CONTROL_CLOSE:
    case CONTROL_STATUS:
    case CONTROL_SETTLE:
    case CONTROL_ASK_REPORT:
        return sizeof(struct control_plain);
    }
    return 0;
}

/* A message of every type with as little in it as the rules allow. */
static size_t make_good(union control_message *message, enum control_type type)
{
    control_message_init(message, type);
    if (type == CONTROL_DOCUMENT) {
        message->document.total = 1;
        message->document.length = 1;
    }
    if (type == CONTROL_PROBE)
        message->probe.family = AF_INET;
    return control_message_length((uint16_t)type);
}

static void test_every_type(void **state)
{
    (void)state;
    size_t known = 0;
    for (uint32_t type = 0; type <= UINT16_MAX; type++) {
        size_t length = control_message_length((uint16_t)type);
        assert_int_equal(length, expected_length((enum control_type)type));
        if (length == 0)
            continue;
        known++;
        union control_message message;
        struct error error = {0};
        memset(&message, 0xff, sizeof(message));
        make_good(&message, (enum control_type)type);
        assert_int_equal(message.header.magic, CONTROL_MAGIC);
        assert_int_equal(message.header.version, CONTROL_VERSION);
        assert_int_equal(message.header.type, type);
        assert_int_equal(control_message_check(&message, length, &error), 0);
        assert_int_equal(control_message_check(&message, length - 1, &error), -1);
        assert_int_equal(control_message_check(&message, length + 1, &error), -1);
        assert_int_equal(error.exit_code, 65);
    }
    assert_int_equal(known, 15);
}

static void expect_bad(const union control_message *message, size_t length, const char *text)
{
    struct error error = {0};
    assert_int_equal(control_message_check(message, length, &error), -1);
    assert_int_equal(error.exit_code, 65);
    assert_string_equal(error.text, text);
}

static void test_header(void **state)
{
    (void)state;
    union control_message message;
    size_t length = make_good(&message, CONTROL_STATUS);
    expect_bad(&message, 0, "bad control message: 0 bytes are too short for a message");
    expect_bad(&message, 7, "bad control message: 7 bytes are too short for a message");
    expect_bad(&message, 9, "bad control message: status: 9 bytes instead of 8");

    message.header.magic++;
    expect_bad(&message, length, "bad control message: the peer does not speak this protocol");
    make_good(&message, CONTROL_STATUS);
    message.header.version = 9;
    expect_bad(
        &message, length,
        "bad control message: the peer speaks version 9, this program version 2: after an upgrade, "
        "restart what still runs");
    make_good(&message, CONTROL_STATUS);
    message.header.type = 6;
    expect_bad(&message, length, "bad control message: type 6 is unknown");
    message.header.type = UINT16_MAX;
    expect_bad(&message, length, "bad control message: type 65535 is unknown");
}

/* Every string: full to the last byte, followed by a forgotten byte, and for some unprintable. */
static void test_strings(void **state)
{
    (void)state;
#define STRING(type, structure, field, printable)                                                \
    {                                                                                            \
        type, offsetof(struct structure, field), sizeof(((struct structure *)0)->field), #field, \
            printable                                                                            \
    }
    static const struct {
        enum control_type type;
        size_t offset, size;
        const char *name;
        bool printable;
    } rows[] = {
        STRING(CONTROL_HELLO, control_hello, config_path, false),
        STRING(CONTROL_RESULT, control_result, text, false),
        STRING(CONTROL_SOCKET, control_socket, address, false),
        STRING(CONTROL_REPORT, control_report, text, false),
        STRING(CONTROL_ADD, control_add, key_authorization, false),
        STRING(CONTROL_ADD, control_add, purpose, true),
        STRING(CONTROL_REMOVE, control_remove, token, false),
        STRING(CONTROL_REMOVE, control_remove, purpose, true),
        STRING(CONTROL_OPEN, control_open, purpose, true),
        STRING(CONTROL_ARM, control_arm, purpose, true),
    };
#undef STRING
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        union control_message message;
        char *text = (char *)&message + rows[i].offset;
        size_t length = make_good(&message, rows[i].type);
        struct error error = {0};

        memset(text, 'a', rows[i].size - 1);
        assert_int_equal(control_message_check(&message, length, NULL), 0);
        text[rows[i].size - 1] = 'a';
        assert_int_equal(control_message_check(&message, length, &error), -1);
        assert_non_null(strstr(error.text, rows[i].name));
        assert_non_null(strstr(error.text, "is not terminated"));

        make_good(&message, rows[i].type);
        text[rows[i].size - 1] = 'a';
        assert_int_equal(control_message_check(&message, length, &error), -1);
        assert_non_null(strstr(error.text, rows[i].name));
        assert_non_null(strstr(error.text, "has bytes behind its end"));

        make_good(&message, rows[i].type);
        text[0] = '\n';
        assert_int_equal(control_message_check(&message, length, &error),
                         rows[i].printable ? -1 : 0);
        if (rows[i].printable)
            assert_non_null(strstr(error.text, "purpose is not printable"));
        text[0] = '\x7f';
        assert_int_equal(control_message_check(&message, length, NULL), rows[i].printable ? -1 : 0);
        text[0] = '\xe9';
        assert_int_equal(control_message_check(&message, length, NULL), rows[i].printable ? -1 : 0);
        text[0] = '~';
        assert_int_equal(control_message_check(&message, length, NULL), 0);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    union control_message message;
    size_t length = make_good(&message, CONTROL_HELLO);
    message.hello.reserved = 1;
    expect_bad(&message, length,
               "bad control message: hello: reserved is 1: it must be from 0 to 0");

    length = make_good(&message, CONTROL_RESULT);
    message.result.exit_code = 75;
    assert_int_equal(control_message_check(&message, length, NULL), 0);
    message.result.exit_code = 1;
    expect_bad(&message, length,
               "bad control message: result: exit_code is 1: no code of sysexits.h");
    message.result.exit_code = -1;
    expect_bad(&message, length,
               "bad control message: result: exit_code is -1: no code of sysexits.h");

    length = make_good(&message, CONTROL_SOCKET);
    message.socket.family = AF_INET6;
    assert_int_equal(control_message_check(&message, length, NULL), 0);
    message.socket.family = AF_UNIX;
    expect_bad(&message, length,
               "bad control message: socket: family is 1: no address family it may be");
    message.socket.family = AF_INET;
    message.socket.reserved[1] = 1;
    assert_int_equal(control_message_check(&message, length, NULL), -1);

    length = make_good(&message, CONTROL_OPEN);
    message.open.duration_ms = DURATION_MAX_MS;
    assert_int_equal(control_message_check(&message, length, NULL), 0);
    message.open.duration_ms = DURATION_MAX_MS + 1;
    assert_int_equal(control_message_check(&message, length, NULL), -1);

    length = make_good(&message, CONTROL_ARM);
    message.arm.open = 1;
    assert_int_equal(control_message_check(&message, length, NULL), 0);
    message.arm.open = 2;
    expect_bad(&message, length, "bad control message: arm: open is 2: it must be from 0 to 1");
    message.arm.open = 0;
    message.arm.reserved = 1;
    assert_int_equal(control_message_check(&message, length, NULL), -1);

    length = make_good(&message, CONTROL_PROBE);
    message.probe.family = AF_INET6;
    message.probe.loopback = 1;
    assert_int_equal(control_message_check(&message, length, NULL), 0);
    message.probe.loopback = 2;
    assert_int_equal(control_message_check(&message, length, NULL), -1);
    message.probe.loopback = 0;
    message.probe.family = 0;
    assert_int_equal(control_message_check(&message, length, NULL), -1);
}

static void test_document(void **state)
{
    (void)state;
    union control_message message;
    size_t length = make_good(&message, CONTROL_DOCUMENT);
    message.document.length = 0;
    expect_bad(&message, length,
               "bad control message: document: length is 0: it must be from 1 to 8192");
    message.document.length = CONTROL_CHUNK_MAX + 1;
    assert_int_equal(control_message_check(&message, length, NULL), -1);
    message.document.length = 2;
    expect_bad(&message, length,
               "bad control message: document: a piece of 2 bytes of a document of 1");
    message.document.total = 100000;
    message.document.bytes[1] = 'x';
    assert_int_equal(control_message_check(&message, length, NULL), 0);
    message.document.bytes[2] = 'x';
    expect_bad(&message, length, "bad control message: document: bytes has bytes behind its end");
    message.document.length = CONTROL_CHUNK_MAX;
    assert_int_equal(control_message_check(&message, length, NULL), 0);
}

static int count_fds(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) != -1;
    return count;
}

struct pair {
    int ours, theirs;
    int fds_before;
};

static struct pair pair_open(void)
{
    int before = count_fds();
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    return (struct pair){fds[0], fds[1], before};
}

static void pair_close(struct pair pair)
{
    close(pair.ours);
    close(pair.theirs);
    assert_int_equal(count_fds(), pair.fds_before);
}

static void send_raw(int socket, size_t length, const int *fds, size_t fd_count)
{
    static char bytes[65536];
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(8 * sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = bytes, .iov_len = length};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd_count > 0) {
        packet.msg_control = &control;
        packet.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
    }
    assert_int_equal(sendmsg(socket, &packet, 0), length);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct pair pair = pair_open();
    for (uint16_t type = 0; type < 128; type++) {
        size_t length = control_message_length(type);
        if (length == 0)
            continue;
        union control_message sent;
        union control_message received;
        int fd = 99;
        make_good(&sent, (enum control_type)type);
        memset(&received, 0xff, sizeof(received));
        assert_int_equal(control_send(pair.ours, &sent, -1), length);
        assert_int_equal(control_receive(pair.theirs, &received, &fd), length);
        assert_int_equal(fd, -1);
        assert_memory_equal(&received, &sent, sizeof(sent));
    }
    pair_close(pair);
}

static void test_descriptor(void **state)
{
    (void)state;
    struct pair pair = pair_open();
    union control_message message;
    int fds[2];
    int fd = -1;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    size_t length = make_good(&message, CONTROL_SOCKET);
    assert_int_equal(control_send(pair.ours, &message, fds[0]), length);
    assert_int_equal(control_receive(pair.theirs, &message, &fd), length);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    char byte = 0;
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(read(fd, &byte, 1), 1);
    assert_int_equal(byte, 'x');
    close(fd);
    close(fds[0]);
    close(fds[1]);
    pair_close(pair);
}

static void expect_refused(int socket, int error_number)
{
    union control_message message;
    int fd = 99;
    assert_int_equal(control_receive(socket, &message, &fd), -1);
    assert_int_equal(errno, error_number);
    assert_int_equal(fd, -1);
}

static void test_stray_descriptors_are_closed(void **state)
{
    (void)state;
    struct pair pair = pair_open();
    static const int fds[] = {0, 1, 2, 0, 1, 2, 0, 1};
    union control_message message;
    int fd = 99;
    for (size_t count = 2; count <= 8; count++) {
        send_raw(pair.ours, sizeof(struct control_plain), fds, count);
        expect_refused(pair.theirs, EBADMSG);
    }
    /* With a packet that is too long, and with an empty one. */
    send_raw(pair.ours, sizeof(message) + 1, fds, 1);
    expect_refused(pair.theirs, EBADMSG);
    send_raw(pair.ours, 0, fds, 1);
    assert_int_equal(control_receive(pair.theirs, &message, &fd), 0);
    assert_int_equal(fd, -1);
    pair_close(pair);
}

static void test_long_packet(void **state)
{
    (void)state;
    struct pair pair = pair_open();
    union control_message message;
    int fd;
    send_raw(pair.ours, sizeof(message) + 1, NULL, 0);
    expect_refused(pair.theirs, EBADMSG);
    send_raw(pair.ours, 65536, NULL, 0);
    expect_refused(pair.theirs, EBADMSG);
    /* The next packet is whole. */
    send_raw(pair.ours, sizeof(message), NULL, 0);
    assert_int_equal(control_receive(pair.theirs, &message, &fd), sizeof(message));
    pair_close(pair);
}

static void test_end_and_emptiness(void **state)
{
    (void)state;
    struct pair pair = pair_open();
    union control_message message;
    int fd = 99;
    assert_int_equal(fcntl(pair.theirs, F_SETFL, O_NONBLOCK), 0);
    expect_refused(pair.theirs, EAGAIN);
    close(pair.ours);
    assert_int_equal(control_receive(pair.theirs, &message, &fd), 0);
    assert_int_equal(fd, -1);
    /* EPIPE, and no SIGPIPE. */
    make_good(&message, CONTROL_STATUS);
    assert_int_equal(control_send(pair.theirs, &message, -1), -1);
    assert_int_equal(errno, EPIPE);
    pair_close(pair);
}

static void test_unknown_type_is_not_sent(void **state)
{
    (void)state;
    struct pair pair = pair_open();
    union control_message message;
    make_good(&message, CONTROL_STATUS);
    message.header.type = 63;
    assert_int_equal(control_send(pair.ours, &message, -1), -1);
    assert_int_equal(errno, EINVAL);
    pair_close(pair);
}

static int signal_socket;

/* The packet comes from the handler itself: recvmsg was interrupted, or it comes first. */
static void on_alarm(int number)
{
    (void)number;
    union control_message message;
    control_message_init(&message, CONTROL_STATUS);
    (void)control_send(signal_socket, &message, -1);
}

static void test_interrupted(void **state)
{
    (void)state;
    struct pair pair = pair_open();
    struct sigaction action = {.sa_handler = on_alarm};
    struct sigaction before;
    struct itimerval soon = {.it_value = {.tv_usec = 20000}};
    union control_message message;
    int fd;
    signal_socket = pair.ours;
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    assert_int_equal(control_receive(pair.theirs, &message, &fd), sizeof(struct control_plain));
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    pair_close(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_document),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_descriptor),
        cmocka_unit_test(test_stray_descriptors_are_closed),
        cmocka_unit_test(test_long_packet),
        cmocka_unit_test(test_end_and_emptiness),
        cmocka_unit_test(test_unknown_type_is_not_sent),
        cmocka_unit_test(test_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
