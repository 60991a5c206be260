// SPDX-License-Identifier: GPL-2.0-or-later
/* Asks the running kernel; connections of this process to itself are as good as any. */
#include "keeper/pass_tuple.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct connection {
    int listener, client, server;
    union address here, peer; /* as the server sees them */
};

static void connection_init(struct connection *out, sa_family_t family)
{
    union address address = {.any.sa_family = family};
    socklen_t length = address_length(&address);

    if (family == AF_INET)
        address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        address.v6.sin6_addr = in6addr_loopback;
    *out = (struct connection){.listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0),
                               .client = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_int_equal(bind(out->listener, &address.any, length), 0);
    assert_int_equal(listen(out->listener, 8), 0);
    length = sizeof(out->here);
    assert_int_equal(getsockname(out->listener, &out->here.any, &length), 0);
    assert_int_equal(connect(out->client, &out->here.any, length), 0);
    length = sizeof(out->peer);
    out->server = accept4(out->listener, &out->peer.any, &length, SOCK_CLOEXEC);
    assert_true(out->server >= 0);
}

static void connection_close(struct connection *connection)
{
    close(connection->client);
    close(connection->server);
    close(connection->listener);
}

static void what_exists(void **state)
{
    const sa_family_t families[] = {AF_INET, AF_INET6};
    int fd = pass_tuple_open();

    (void)state;
    assert_true(fd >= 0);
    for (size_t i = 0; i < 2; i++) {
        struct connection connection;

        connection_init(&connection, families[i]);
        union address other = connection.peer;
        for (unsigned int round = 0; round < 3; round++) {
            assert_true(pass_tuple_exists(fd, &connection.here, &connection.peer));
            assert_true(pass_tuple_exists(fd, &connection.peer, &connection.here));
            /* Only a listener, or nobody at all. */
            address_set_port(&other, 1);
            assert_false(pass_tuple_exists(fd, &connection.here, &other));
            assert_false(pass_tuple_exists(fd, &other, &other));
        }
        connection_close(&connection);
        /* One that has ended, but is remembered, is in the way as well. */
        assert_true(pass_tuple_exists(fd, &connection.peer, &connection.here));
    }
    close(fd);
}

static void without_an_answer(void **state)
{
    struct connection connection;

    (void)state;
    connection_init(&connection, AF_INET);
    assert_false(pass_tuple_exists(-1, &connection.here, &connection.peer));
    connection_close(&connection);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_exists),
        cmocka_unit_test(without_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
