// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "wicket/control.h"
#include "wicket/link.h"

#define THUMBPRINT "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"

/* Written once more, as a switch: the compiler asks for a line when a type is added. */
static size_t expected_length(enum link_type type)
{
    switch (type) {
    case LINK_SETUP:
        return sizeof(struct link_setup);
    case LINK_TOKEN:
        return sizeof(struct link_token);
    case LINK_FORGET:
        return sizeof(struct link_forget);
    case LINK_STATELESS:
        return sizeof(struct link_stateless);
    case LINK_PING:
        return sizeof(struct link_ping);
    case LINK_PONG:
        return sizeof(struct link_pong);
    case LINK_VALIDATION:
        return sizeof(struct link_validation);
    case LINK_DRAIN:
        return sizeof(struct link_drain);
    case LINK_DRAINED:
        return sizeof(struct link_drained);
    case LINK_PASS:
        return sizeof(struct link_pass);
    case LINK_PASSED:
        return sizeof(struct link_passed);
    case LINK_READY:
    case LINK_CROWDED:
        return sizeof(struct link_plain);
    }
    return 0;
}

static size_t make_good(union link_message *message, enum link_type type)
{
    link_message_init(message, type);
    if (type == LINK_SETUP) {
        message->setup.listeners = 2;
        message->setup.uid = 1;
        message->setup.gid = 1;
        message->setup.undecided = 1024;
        message->setup.undecided_per_address = 32;
        message->setup.first_byte_ms = 1000;
        message->setup.deadline_ms = 10000;
    } else if (type == LINK_TOKEN) {
        strcpy(message->token.key_authorization, "token." THUMBPRINT);
    } else if (type == LINK_FORGET) {
        strcpy(message->forget.token, "token");
    } else if (type == LINK_VALIDATION) {
        message->validation.family = AF_INET;
        message->validation.status = 200;
        strcpy(message->validation.token, "token");
    } else if (type == LINK_DRAINED) {
        message->drained.sequence = 1;
    } else if (type == LINK_PASS) {
        message->pass.id = 1;
    } else if (type == LINK_PASSED) {
        message->passed.id = 1;
    }
    return link_message_length((uint16_t)type);
}

static void expect(const union link_message *message, const char *text)
{
    struct error error = {0};
    size_t length = link_message_length(message->header.type);
    int result = link_message_check(message, length, &error);
    assert_string_equal(error.text, text);
    assert_int_equal(error.exit_code, text[0] ? 65 : 0);
    assert_int_equal(result, text[0] ? -1 : 0);
}

static void test_every_type(void **state)
{
    (void)state;
    size_t known = 0;
    for (uint32_t type = 0; type <= UINT16_MAX; type++) {
        size_t length = link_message_length((uint16_t)type);
        assert_int_equal(length, expected_length((enum link_type)type));
        if (length == 0)
            continue;
        known++;
        union link_message message;
        memset(&message, 0xff, sizeof(message));
        make_good(&message, (enum link_type)type);
        assert_int_equal(message.header.magic, LINK_MAGIC);
        assert_int_equal(message.header.version, LINK_VERSION);
        assert_int_equal(message.header.type, type);
        expect(&message, "");
        assert_int_equal(link_message_check(&message, length - 1, NULL), -1);
        assert_int_equal(link_message_check(&message, length + 1, NULL), -1);
    }
    assert_int_equal(known, 13);
}

/* A message of one protocol is none of the other. */
static void test_not_the_control_protocol(void **state)
{
    (void)state;
    union control_message control;
    union link_message message;
    struct error error = {0};
    control_message_init(&control, CONTROL_HELLO);
    memcpy(&message, &control, sizeof(message));
    assert_int_equal(link_message_check(&message, sizeof(struct link_plain), &error), -1);
    assert_string_equal(error.text, "bad link message: the peer does not speak this protocol");
}

static void test_setup(void **state)
{
    (void)state;
    union link_message message;
    make_good(&message, LINK_SETUP);
    message.setup.listeners = 3;
    expect(&message, "bad link message: setup: listeners is 3: it must be from 1 to 2");
    make_good(&message, LINK_SETUP);
    message.setup.sidecar = 2;
    expect(&message, "bad link message: setup: sidecar is 2: it must be from 0 to 1");
    make_good(&message, LINK_SETUP);
    message.setup.uid = 0;
    expect(&message, "bad link message: setup: full mode, but uid 0 and gid 1 to become");
    message.setup.sidecar = 1;
    expect(&message, "");
    make_good(&message, LINK_SETUP);
    message.setup.gid = 0;
    expect(&message, "bad link message: setup: full mode, but uid 1 and gid 0 to become");
    make_good(&message, LINK_SETUP);
    message.setup.undecided = 0;
    expect(&message, "bad link message: setup: undecided is 0: it must be from 1 to 65536");
    make_good(&message, LINK_SETUP);
    message.setup.undecided_per_address = 0;
    expect(&message,
           "bad link message: setup: undecided_per_address is 0: it must be from 1 to 65536");
    message.setup.undecided_per_address = 1025;
    expect(&message,
           "bad link message: setup: undecided_per_address is 1025, over undecided, 1024");
    make_good(&message, LINK_SETUP);
    message.setup.deadline_ms = 0;
    expect(&message, "bad link message: setup: deadline_ms is 0: it must be from 1 to 31622400000");
    make_good(&message, LINK_SETUP);
    message.setup.other_requests = LINK_OTHER_HTTPS;
    expect(&message, "");
    message.setup.other_requests = 3;
    expect(&message, "bad link message: setup: other_requests is 3: it must be from 0 to 2");
    make_good(&message, LINK_SETUP);
    message.setup.first_byte_ms = 0;
    expect(&message,
           "bad link message: setup: first_byte_ms is 0: it must be from 1 to 31622400000");
    make_good(&message, LINK_SETUP);
    message.setup.reserved = 1;
    expect(&message, "bad link message: setup: reserved is 1: it must be from 0 to 0");
}

static void test_token(void **state)
{
    (void)state;
    union link_message message;
    link_message_init(&message, LINK_TOKEN);
    strcpy(message.token.key_authorization, "token");
    expect(&message, "bad link message: token: key authorization \"token\" has no dot: it is a "
                     "token, a dot and the account key's thumbprint");
    make_good(&message, LINK_TOKEN);
    memset(message.token.key_authorization, 'a', sizeof(message.token.key_authorization));
    expect(&message, "bad link message: token: key_authorization is not terminated");
    make_good(&message, LINK_TOKEN);
    message.token.key_authorization[303] = 'a';
    message.token.key_authorization[302] = 'a';
    expect(&message, "bad link message: token: key_authorization has bytes behind its end");

    link_message_init(&message, LINK_FORGET);
    strcpy(message.forget.token, "a/b");
    expect(&message, "bad link message: forget: token \"a/b\": character 2 is \"/\" (this is plain "
                     "base64, not base64url); only A-Z a-z 0-9 - _ are allowed");
    make_good(&message, LINK_FORGET);
    memset(message.forget.token, 'a', 257);
    message.forget.token[257] = '\0';
    struct error error = {0};
    assert_int_equal(link_message_check(&message, sizeof(struct link_forget), &error), -1);
    assert_non_null(strstr(error.text, "has 257 characters"));
    make_good(&message, LINK_FORGET);
    memset(message.forget.token, 0, sizeof(message.forget.token));
    expect(&message, "bad link message: forget: the token is empty: it has 1 to 256 characters");
}

static void test_stateless(void **state)
{
    (void)state;
    union link_message message;
    make_good(&message, LINK_STATELESS);
    strcpy(message.stateless.thumbprint, THUMBPRINT);
    expect(&message, "");
    message.stateless.thumbprint[42] = '\0';
    expect(&message, "bad link message: stateless: thumbprint "
                     "\"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9X\" has 42 characters: the "
                     "thumbprint of an account key has 43");
    memset(message.stateless.thumbprint, 'a', sizeof(message.stateless.thumbprint));
    assert_int_equal(link_message_check(&message, sizeof(struct link_stateless), NULL), -1);
    make_good(&message, LINK_STATELESS);
    message.stateless.thumbprint[47] = 'a';
    assert_int_equal(link_message_check(&message, sizeof(struct link_stateless), NULL), -1);
}

static void test_validation_and_pong(void **state)
{
    (void)state;
    union link_message message;
    make_good(&message, LINK_VALIDATION);
    message.validation.family = AF_UNIX;
    expect(&message, "bad link message: validation: family is 1: no address family it may be");
    make_good(&message, LINK_VALIDATION);
    message.validation.address[3] = 1;
    message.validation.loopback = 1;
    expect(&message, "");
    message.validation.address[15] = 1;
    expect(&message, "bad link message: validation: an IPv4 address has bytes behind its end");
    message.validation.family = AF_INET6;
    expect(&message, "");
    message.validation.loopback = 2;
    expect(&message, "bad link message: validation: loopback is 2: it must be from 0 to 1");
    message.validation.loopback = 0;
    message.validation.status = 7;
    expect(&message, "bad link message: validation: status is 7: it must be from 200 to 599");
    message.validation.status = 200;
    message.validation.local[0] = 1;
    expect(&message, "bad link message: validation: no address has bytes behind its end");
    message.validation.local_known = 1;
    expect(&message, "");
    message.validation.family = AF_INET;
    message.validation.address[15] = 0;
    message.validation.local[4] = 1;
    expect(&message, "bad link message: validation: an IPv4 address has bytes behind its end");
    message.validation.local[4] = 0;
    expect(&message, "");
    message.validation.host[0] = '\t';
    expect(&message, "bad link message: validation: host is not printable");
    message.validation.host[0] = 'h';
    memset(message.validation.user_agent, 'a', sizeof(message.validation.user_agent));
    expect(&message, "bad link message: validation: user_agent is not terminated");
    message.validation.user_agent[sizeof(message.validation.user_agent) - 1] = '\0';
    expect(&message, "");
    message.validation.user_agent[0] = '\x7f';
    expect(&message, "bad link message: validation: user_agent is not printable");
    message.validation.user_agent[0] = 'a';
    message.validation.token[0] = '\n';
    struct error error = {0};
    assert_int_equal(link_message_check(&message, sizeof(struct link_validation), &error), -1);

    make_good(&message, LINK_PONG);
    message.pong.exhausted = LINK_EXHAUSTED_FDS | LINK_EXHAUSTED_MEMORY;
    expect(&message, "");
    message.pong.reserved = 1;
    expect(&message, "bad link message: pong: reserved is 1: it must be from 0 to 0");
    make_good(&message, LINK_PONG);
    message.pong.exhausted = 8;
    expect(&message, "bad link message: pong: exhausted is 8: it must be from 0 to 7");
    make_good(&message, LINK_PONG);
    message.pong.connections = 2;
    message.pong.passing = 2;
    expect(&message, "");
    message.pong.passing = 3;
    expect(&message, "bad link message: pong: passing is 3, over connections, 2");
    message.pong.passing = 2;
    message.pong.unknown = 1;
    expect(&message, "bad link message: pong: unknown and unknown_family do not agree");
    message.pong.unknown_family = AF_INET;
    message.pong.unknown_address[3] = 1;
    expect(&message, "");
    message.pong.unknown_address[4] = 1;
    expect(&message, "bad link message: pong: an IPv4 address has bytes behind its end");
    message.pong.unknown_family = AF_INET6;
    expect(&message, "");
    message.pong.unknown_family = AF_UNIX;
    expect(&message, "bad link message: pong: unknown_family is 1: no address family it may be");
}

static void test_passing(void **state)
{
    union link_message message;

    (void)state;
    make_good(&message, LINK_PASS);
    expect(&message, "");
    assert_true(link_message_carries(&message));
    message.pass.id = 0;
    expect(&message, "bad link message: pass: id is 0: it must be from 1 to 18446744073709551615");

    make_good(&message, LINK_PASSED);
    message.passed.connected = 1;
    expect(&message, "");
    assert_true(link_message_carries(&message));
    message.passed.failure = ECONNREFUSED;
    expect(&message, "bad link message: passed: connected and failed at once");
    message.passed.connected = 0;
    expect(&message, "");
    assert_false(link_message_carries(&message));
    message.passed.failure = 4096;
    expect(&message, "bad link message: passed: failure is 4096: it must be from 0 to 4095");

    make_good(&message, LINK_DRAIN);
    message.drain.sequence = 7;
    message.drain.idle_ms = 300000;
    expect(&message, "");
    assert_false(link_message_carries(&message));
    make_good(&message, LINK_DRAINED);
    message.drained.sequence = 0;
    expect(&message,
           "bad link message: drained: sequence is 0: it must be from 1 to 18446744073709551615");
}

static void test_round_trip(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    for (uint16_t type = 0; type < 128; type++) {
        size_t length = link_message_length(type);
        if (length == 0)
            continue;
        union link_message sent;
        union link_message received;
        make_good(&sent, (enum link_type)type);
        memset(&received, 0xff, sizeof(received));
        assert_int_equal(link_send(fds[0], &sent, -1), length);
        assert_int_equal(link_receive(fds[1], &received, NULL), length);
        assert_memory_equal(&received, &sent, sizeof(sent));
    }
    close(fds[0]);
    union link_message message;
    assert_int_equal(link_receive(fds[1], &message, NULL), 0);
    close(fds[1]);
}

/* A visitor's socket goes with its question, and another with the answer. */
static void test_descriptors_go_along(void **state)
{
    static const enum link_type types[] = {LINK_PASS, LINK_PASSED};
    int fds[2], pipes[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    for (size_t i = 0; i < 2; i++) {
        union link_message sent, received;
        int fd = -1;
        char byte;

        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        make_good(&sent, types[i]);
        assert_int_equal(link_send(fds[0], &sent, pipes[1]),
                         link_message_length((uint16_t)types[i]));
        close(pipes[1]);
        assert_int_equal(link_receive(fds[1], &received, &fd),
                         link_message_length((uint16_t)types[i]));
        assert_memory_equal(&received, &sent, sizeof(sent));
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(write(fd, "x", 1), 1);
        close(fd);
        assert_int_equal(read(pipes[0], &byte, 1), 1);
        assert_int_equal(read(pipes[0], &byte, 1), 0);
        close(pipes[0]);
    }
    close(fds[0]);
    close(fds[1]);
}

/* Whoever wants none is handed none. */
static void test_no_descriptor_is_taken(void **state)
{
    (void)state;
    int fds[2];
    union control_message control;
    union link_message message;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    control_message_init(&control, CONTROL_STATUS);
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(next >= 0);
    assert_int_equal(control_send(fds[0], &control, next), sizeof(struct control_plain));
    assert_int_equal(link_receive(fds[1], &message, NULL), -1);
    assert_int_equal(errno, EBADMSG);
    assert_int_equal(fcntl(next + 1, F_GETFD), -1);
    close(next);
    close(fds[0]);
    close(fds[1]);
}

/* Two TCP connections in one packet, told to wait for their last bytes when they are closed. */
static void test_lingering_descriptors(void **state)
{
    (void)state;
    const struct linger linger = {.l_onoff = 1, .l_linger = 600};
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    static char bytes[65536];
    int pair[2], visitors[2], accepted[2], few = 2048;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 2), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    for (size_t i = 0; i < 2; i++) {
        visitors[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(setsockopt(visitors[i], SOL_SOCKET, SO_RCVBUF, &few, sizeof(few)), 0);
        assert_int_equal(connect(visitors[i], (struct sockaddr *)&address, size), 0);
        accepted[i] = accept(listener, NULL, NULL);
        assert_true(accepted[i] >= 0);
        while (send(accepted[i], bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
            continue;
    }

    union link_message message;
    struct iovec part = {&message, make_good(&message, LINK_PASS)};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } buffer = {0};
    struct msghdr packet = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = &buffer,
                            .msg_controllen = sizeof(buffer)};
    buffer.header.cmsg_level = SOL_SOCKET;
    buffer.header.cmsg_type = SCM_RIGHTS;
    buffer.header.cmsg_len = CMSG_LEN(sizeof(accepted));
    memcpy(CMSG_DATA(&buffer.header), accepted, sizeof(accepted));
    assert_true(sendmsg(pair[0], &packet, 0) > 0);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(setsockopt(accepted[i], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)),
                         0);
        close(accepted[i]); /* not the last of its copies */
    }
    int fd = -1;
    assert_int_equal(link_receive(pair[1], &message, &fd), -1);
    assert_int_equal(errno, EBADMSG);
    for (size_t i = 0; i < 2; i++) {
        int reason = 0;
        socklen_t length = sizeof(reason);
        struct pollfd ready = {.fd = visitors[i]};
        assert_int_equal(poll(&ready, 1, 5000), 1);
        assert_int_equal(getsockopt(visitors[i], SOL_SOCKET, SO_ERROR, &reason, &length), 0);
        assert_int_equal(reason, ECONNRESET);
        close(visitors[i]);
    }
    close(listener);
    close(pair[0]);
    close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type),
        cmocka_unit_test(test_not_the_control_protocol),
        cmocka_unit_test(test_setup),
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_stateless),
        cmocka_unit_test(test_validation_and_pong),
        cmocka_unit_test(test_passing),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_descriptors_go_along),
        cmocka_unit_test(test_lingering_descriptors),
        cmocka_unit_test(test_no_descriptor_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
