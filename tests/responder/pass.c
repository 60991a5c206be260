// SPDX-License-Identifier: GPL-2.0-or-later
#include "pass.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void limit_buffers(int fd, int bytes)
{
    if (bytes == 0)
        return;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), 0);
}

void production_start(struct production *production, int buffer)
{
    socklen_t length = sizeof(production->address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *production = (struct production){.listener = fd, .buffer = buffer};
    production->address.sin_family = AF_INET;
    production->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    limit_buffers(fd, buffer);
    assert_int_equal(bind(fd, (struct sockaddr *)&production->address, length), 0);
    assert_int_equal(listen(fd, 1024), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&production->address, &length), 0);
}

void production_stop(struct production *production)
{
    close(production->listener);
}

int production_dial(const struct production *production)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    limit_buffers(fd, production->buffer);
    if (connect(fd, (const struct sockaddr *)&production->address, sizeof(production->address)) < 0)
        assert_int_equal(errno, EINPROGRESS);
    return fd;
}

int production_accept(const struct production *production)
{
    struct pollfd ready = {.fd = production->listener, .events = POLLIN};

    assert_int_equal(poll(&ready, 1, HARNESS_WAIT_MS), 1);
    int fd = accept4(production->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

uint64_t pass_expect(struct harness *harness, int *fd)
{
    union link_message message;

    harness_receive(harness, &message, fd);
    assert_int_equal(message.header.type, LINK_PASS);
    return message.pass.id;
}

void pass_answer(struct harness *harness, uint64_t id, int fd, int failure, bool connected)
{
    union link_message message;

    link_message_init(&message, LINK_PASSED);
    message.passed.id = id;
    message.passed.failure = (uint32_t)failure;
    message.passed.connected = connected;
    assert_true(link_send(harness->link, &message, fd) > 0);
    if (fd >= 0)
        close(fd);
}

void pass_open(struct harness *harness, const struct production *production, const char *first,
               struct passed *out)
{
    pass_open_to(harness, production, "127.0.0.1", first, out);
}

void pass_open_to(struct harness *harness, const struct production *production, const char *address,
                  const char *first, struct passed *out)
{
    int copy = -1;

    out->visitor = harness_connect_to(harness, address);
    limit_buffers(out->visitor, production->buffer);
    harness_write(out->visitor, first, strlen(first));
    uint64_t id = pass_expect(harness, &copy);
    /* It is the responder's own socket. */
    limit_buffers(copy, production->buffer);
    close(copy);
    int upstream = production_dial(production);
    out->production = production_accept(production);
    pass_answer(harness, id, upstream, 0, true);
    pass_read(out->production, first, strlen(first));
}

void pass_close(struct passed *passed)
{
    close(passed->visitor);
    close(passed->production);
}

/* -1 with errno when it was reset. */
static ssize_t read_some(int fd, void *out, size_t capacity)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};

    assert_int_equal(poll(&ready, 1, HARNESS_WAIT_MS), 1);
    return recv(fd, out, capacity, 0);
}

void pass_read(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;
    char got[4096];

    while (length > 0) {
        ssize_t count = read_some(fd, got, length < sizeof(got) ? length : sizeof(got));
        if (count <= 0)
            fail_msg("the end %zu bytes too early: %s", length, count < 0 ? strerror(errno) : "");
        assert_memory_equal(got, at, (size_t)count);
        at += count;
        length -= (size_t)count;
    }
}

void pass_read_to_end(int fd, const char *bytes)
{
    char byte;

    pass_read(fd, bytes, strlen(bytes));
    assert_int_equal(read_some(fd, &byte, 1), 0);
}

void pass_read_to_reset(int fd, const char *bytes)
{
    char byte;

    pass_read(fd, bytes, strlen(bytes));
    ssize_t got = read_some(fd, &byte, 1);
    if (got >= 0)
        fail_msg("%s, and no reset", got == 0 ? "an end" : "a byte");
    assert_int_equal(errno, ECONNRESET);
}

void pass_read_nothing(int fd, int for_ms)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, for_ms), 0);
}

void pass_close_with_reset(int fd)
{
    const struct linger linger = {.l_onoff = 1};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    close(fd);
}
