// SPDX-License-Identifier: GPL-2.0-or-later
/* No descriptor of a client is ever taken, nor closed for the last time by this process. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "keeper/hang_up.h"

static void make_pair(int pair[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

/* Sends `length` bytes; with a descriptor unless it is -1. */
static int send_with(int socket, size_t length, int fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } buffer = {0};
    char byte = 'x';
    struct iovec part = {&byte, length};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};

    if (fd >= 0) {
        packet.msg_control = &buffer;
        packet.msg_controllen = sizeof(buffer);
        struct cmsghdr *control = CMSG_FIRSTHDR(&packet);
        control->cmsg_level = SOL_SOCKET;
        control->cmsg_type = SCM_RIGHTS;
        control->cmsg_len = CMSG_LEN(sizeof(fd));
        memcpy(CMSG_DATA(control), &fd, sizeof(fd));
    }
    return (int)sendmsg(socket, &packet, MSG_NOSIGNAL);
}

static void test_the_kernel_refuses(void **state)
{
    int pair[2];

    (void)state;
    make_pair(pair);
    if (!hang_up_refuse_descriptors(pair[0])) {
        assert_int_equal(errno, ENOPROTOOPT); /* older than that: the other tests say the rest */
        close(pair[0]);
        close(pair[1]);
        return;
    }
    assert_int_equal(send_with(pair[1], 1, pair[1]), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(send_with(pair[1], 1, -1), 1);
    assert_false(hang_up_is_due(pair[0]));
    hang_up(pair[0]);
    close(pair[1]);
}

static void test_an_older_kernel_tells(void **state)
{
    int pair[2];

    (void)state;
    make_pair(pair);
    assert_false(hang_up_is_due(pair[0]));
    assert_int_equal(send_with(pair[1], 1, -1), 1);
    assert_false(hang_up_is_due(pair[0]));
    assert_int_equal(send_with(pair[1], 1, pair[1]), 1);
    assert_false(hang_up_is_due(pair[0])); /* not yet its turn */
    char byte;
    assert_int_equal(recv(pair[0], &byte, 1, 0), 1);
    assert_true(hang_up_is_due(pair[0]));
    assert_true(hang_up_is_due(pair[0])); /* it stays */
    hang_up(pair[0]);
    close(pair[1]);
}

/* A TCP connection whose close waits ten seconds for a reader that reads nothing. */
static int lingering(int *reader)
{
    struct sockaddr_storage address = {.ss_family = AF_INET};
    socklen_t length = sizeof(address);
    const struct linger linger = {.l_onoff = 1, .l_linger = 10};
    static const char bytes[65536];
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, length), 0);
    *reader = accept(listener, NULL, NULL);
    assert_true(*reader >= 0);
    close(listener);
    while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        continue;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    return fd;
}

/* Behind an empty packet too, which looks like the end. */
static void test_another_waits(void **state)
{
    struct timespec before, after;
    int pair[2], reader;

    (void)state;
    make_pair(pair);
    int fd = lingering(&reader);
    assert_int_equal(send_with(pair[1], 0, -1), 0);
    assert_int_equal(send_with(pair[1], 1, fd), 1);
    close(fd); /* the packet has the last */

    clock_gettime(CLOCK_MONOTONIC, &before);
    hang_up(pair[0]);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(after.tv_sec - before.tv_sec < 5);
    assert_int_equal(send_with(pair[1], 1, -1), -1);
    assert_true(errno == EPIPE || errno == ECONNRESET); /* as far as that has come */
    close(reader);                                      /* and who waits is let go */
    struct pollfd gone = {.fd = pair[1], .events = POLLIN};
    assert_int_equal(poll(&gone, 1, 10000), 1);
    close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_kernel_refuses),
        cmocka_unit_test(test_an_older_kernel_tells),
        cmocka_unit_test(test_another_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
