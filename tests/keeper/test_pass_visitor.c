// SPDX-License-Identifier: GPL-2.0-or-later
/* What is no visitor who came through the window is told apart by its socket alone. Those who are
 * need a table: see the kernel's tests. */
#include "keeper/pass_visitor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static union address loopback_of(sa_family_t family)
{
    union address address = {.any.sa_family = family};

    if (family == AF_INET)
        address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        address.v6.sin6_addr = in6addr_loopback;
    return address;
}

static int bound_socket(sa_family_t family, int type, uint16_t *port)
{
    union address address = loopback_of(family);
    socklen_t length = sizeof(address);
    int fd = socket(family, type | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, &address.any, address_length(&address)), 0);
    assert_int_equal(getsockname(fd, &address.any, &length), 0);
    *port = address_port(&address);
    return fd;
}

static void connect_to(int fd, sa_family_t family, uint16_t port)
{
    union address address = loopback_of(family);

    address_set_port(&address, port);
    assert_int_equal(connect(fd, &address.any, address_length(&address)), 0);
}

struct connection {
    int listener, visitor, accepted;
    struct config config;
};

/* Straight to the responder's port, as no table lets anybody; on a host whose own connections are
 * visitors too, for all here are. */
static void connect_directly(struct connection *out, sa_family_t family)
{
    uint16_t port, visitor_port;

    config_init(&out->config);
    out->config.redirect.local = true;
    out->listener = bound_socket(family, SOCK_STREAM, &port);
    assert_int_equal(listen(out->listener, 8), 0);
    out->config.responder.port = port;
    out->visitor = bound_socket(family, SOCK_STREAM, &visitor_port);
    connect_to(out->visitor, family, port);
    out->accepted = accept4(out->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(out->accepted >= 0);
}

static void disconnect(struct connection *connection)
{
    close(connection->listener);
    close(connection->visitor);
    close(connection->accepted);
    config_deinit(&connection->config);
}

/* ENOENT and ENOPROTOOPT: nobody follows connections here, or not this one. */
static void assert_not_redirected(int fd, const struct config *config)
{
    struct pass_visitor visitor;
    int failure = pass_visitor_read(&visitor, fd, config);

    if (failure != EPROTO && failure != ENOENT && failure != ENOPROTOOPT)
        fail_msg("%s", strerror(failure));
}

static int read_visitor(int fd, const struct config *config)
{
    struct pass_visitor visitor;
    return pass_visitor_read(&visitor, fd, config);
}

static void one_that_was_not_redirected(void **state)
{
    const sa_family_t families[] = {AF_INET, AF_INET6};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct connection connection;
        union address visitor;
        socklen_t length = sizeof(visitor);

        connect_directly(&connection, families[i]);
        assert_not_redirected(connection.accepted, &connection.config);
        /* Also when what the kernel may name instead, such as the visitor's own address or the
         * responder's, has the port. */
        assert_int_equal(getpeername(connection.accepted, &visitor.any, &length), 0);
        connection.config.redirect.port = address_port(&visitor);
        assert_not_redirected(connection.accepted, &connection.config);
        disconnect(&connection);
    }
}

/* A self-check that has nobody to ask any more. */
static void this_hosts_own(void **state)
{
    struct connection connection;

    (void)state;
    connect_directly(&connection, AF_INET);
    connection.config.redirect.local = false;
    assert_int_equal(read_visitor(connection.accepted, &connection.config), EPERM);
    disconnect(&connection);
}

static void one_to_another_port(void **state)
{
    struct connection connection;

    (void)state;
    connect_directly(&connection, AF_INET);
    connection.config.responder.port++;
    assert_int_equal(read_visitor(connection.accepted, &connection.config), EPROTO);
    connection.config.responder.port--;
    assert_int_equal(read_visitor(connection.visitor, &connection.config), EPROTO);
    disconnect(&connection);
}

/* It has the port that tproxy leaves as it is, but no listener of the keeper's made it. */
static void one_of_productions(void **state)
{
    const sa_family_t families[] = {AF_INET, AF_INET6};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct connection connection;

        connect_directly(&connection, families[i]);
        connection.config.redirect.port = connection.config.responder.port;
        connection.config.responder.port++;
        assert_int_equal(read_visitor(connection.accepted, &connection.config), EPROTO);
        disconnect(&connection);
    }
}

static void one_that_is_gone(void **state)
{
    const struct linger reset = {.l_onoff = 1};
    struct connection connection;

    (void)state;
    connect_directly(&connection, AF_INET);
    assert_int_equal(read_visitor(connection.listener, &connection.config), ENOTCONN);
    assert_int_equal(setsockopt(connection.visitor, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)),
                     0);
    close(connection.visitor);
    struct pollfd ended = {.fd = connection.accepted};
    assert_int_equal(poll(&ended, 1, 20000), 1);
    assert_int_equal(read_visitor(connection.accepted, &connection.config), ENOTCONN);
    connection.visitor = -1;
    disconnect(&connection);
}

static void no_tcp_at_all(void **state)
{
    struct config config;
    const sa_family_t families[] = {AF_INET, AF_INET6};
    int pair[2], pipes[2];
    uint16_t port;

    (void)state;
    config_init(&config);
    config.redirect.local = true;
    for (size_t i = 0; i < 2; i++) {
        int udp = bound_socket(families[i], SOCK_DGRAM, &config.responder.port);
        int other = bound_socket(families[i], SOCK_DGRAM, &port);
        assert_int_equal(read_visitor(udp, &config), ENOTCONN);
        connect_to(udp, families[i], port);
        config.redirect.port = port;
        assert_not_redirected(udp, &config);
        close(udp);
        close(other);
    }
    static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        assert_int_equal(socketpair(AF_UNIX, types[i] | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(read_visitor(pair[0], &config), EPROTO);
        /* Its name is none, where a port would be 0. */
        config.responder.port = 0;
        assert_int_equal(read_visitor(pair[0], &config), EPROTO);
        close(pair[0]);
        close(pair[1]);
    }
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    assert_int_equal(read_visitor(pipes[0], &config), ENOTSOCK);
    close(pipes[0]);
    close(pipes[1]);
    assert_int_equal(read_visitor(-1, &config), EBADF);
    config_deinit(&config);
}

static void addresses(void **state)
{
    union address v4 = loopback_of(AF_INET), v6 = loopback_of(AF_INET6);
    size_t length;

    (void)state;
    assert_int_equal(address_length(&v4), sizeof(struct sockaddr_in));
    assert_int_equal(address_length(&v6), sizeof(struct sockaddr_in6));
    address_set_port(&v4, 8402);
    address_set_port(&v6, 65535);
    assert_int_equal(address_port(&v4), 8402);
    assert_int_equal(ntohs(v4.v4.sin_port), 8402);
    assert_int_equal(address_port(&v6), 65535);
    assert_memory_equal(address_bytes(&v4, &length), "\x7f\0\0\1", 4);
    assert_int_equal(length, 4);
    assert_memory_equal(address_bytes(&v6, &length), &in6addr_loopback, 16);
    assert_int_equal(length, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_was_not_redirected),
        cmocka_unit_test(this_hosts_own),
        cmocka_unit_test(one_to_another_port),
        cmocka_unit_test(one_of_productions),
        cmocka_unit_test(one_that_is_gone),
        cmocka_unit_test(no_tcp_at_all),
        cmocka_unit_test(addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
