// SPDX-License-Identifier: GPL-2.0-or-later
#include "responder/connections.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "wicket/link.h"

int connections_init(struct connections *connections, int epoll, size_t max, size_t undecided,
                     size_t undecided_per_address)
{
    *connections = (struct connections){.epoll = epoll, .max = max};
    return undecided_init(&connections->undecided, undecided, undecided_per_address);
}

void connections_deinit(struct connections *connections)
{
    while (connections->all)
        connections_close(connections, connections->all);
    connections_reap(connections);
    undecided_deinit(&connections->undecided);
}

static void connection_set_peer(struct connection *connection, const struct sockaddr_storage *peer)
{
    if (peer->ss_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, peer, sizeof(v6));
        connection->address = v6.sin6_addr;
        connection->port = ntohs(v6.sin6_port);
    } else {
        struct sockaddr_in v4;
        memcpy(&v4, peer, sizeof(v4));
        connection->address.s6_addr[10] = connection->address.s6_addr[11] = 0xff;
        memcpy(&connection->address.s6_addr[12], &v4.sin_addr, 4);
        connection->port = ntohs(v4.sin_port);
    }
}

/* This host's own, and nobody else's, are redirected to the loopback address, or come from the very
 * address that they go to. */
static bool connection_is_own(const struct connection *connection)
{
    struct sockaddr_storage local = {0};
    struct connection here = {0};
    socklen_t length = sizeof(local);

    if (getsockname(connection->fd, (struct sockaddr *)&local, &length) < 0)
        return false;
    connection_set_peer(&here, &local);
    if (IN6_ARE_ADDR_EQUAL(&here.address, &connection->address))
        return true;
    if (IN6_IS_ADDR_V4MAPPED(&here.address))
        return here.address.s6_addr[12] == 127;
    return IN6_IS_ADDR_LOOPBACK(&here.address);
}

struct connection *connections_add(struct connections *connections, int fd,
                                   const struct sockaddr_storage *peer, uint64_t deadline_ms)
{
    struct connection *connection = calloc(1, sizeof(*connection));

    if (!connection) {
        close(fd);
        return NULL;
    }
    connection->source = SOURCE_CONNECTION;
    connection->fd = fd;
    connection->deadline_ms = deadline_ms;
    connection_set_peer(connection, peer);
    connection->loopback = connection_is_own(connection);
    DL_APPEND(connections->all, connection);
    connections->count++;
    return connection;
}

static bool connections_watch(struct connections *connections, struct connection *connection,
                              uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    int operation = connection->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    if (epoll_ctl(connections->epoll, operation, connection->fd, &event) < 0)
        return false;
    connection->registered = true;
    return true;
}

void connections_unwatch(struct connections *connections, struct connection *connection)
{
    if (connection->registered)
        (void)epoll_ctl(connections->epoll, EPOLL_CTL_DEL, connection->fd, NULL);
    connection->registered = false;
}

bool connections_wait(struct connections *connections, struct connection *connection)
{
    if (undecided_join(&connections->undecided, connection) &&
        connections_watch(connections, connection, EPOLLIN | EPOLLRDHUP | EPOLLET))
        return true;
    connections->exhausted |= LINK_EXHAUSTED_MEMORY;
    connections_close(connections, connection);
    return false;
}

void connections_be_silent(struct connections *connections, struct connection *connection,
                           uint64_t silent_ms)
{
    connection->silent = true;
    connection->silent_ms = silent_ms;
    DL_APPEND2(connections->silent, connection, silent_prev, silent_next);
}

void connections_speak(struct connections *connections, struct connection *connection)
{
    if (connection->silent)
        DL_DELETE2(connections->silent, connection, silent_prev, silent_next);
    connection->silent = false;
}

void connections_decide(struct connections *connections, struct connection *connection)
{
    undecided_leave(&connections->undecided, connection);
    connections_speak(connections, connection);
    connection->state = CONNECTION_ANSWERED;
}

void connections_linger(struct connections *connections, struct connection *connection,
                        uint64_t now_ms)
{
    undecided_leave(&connections->undecided, connection);
    connections_speak(connections, connection);
    connection->state = CONNECTION_LINGERING;
    connection->linger_ms = now_ms + CONNECTIONS_LINGER_MS;
    DL_APPEND2(connections->lingering, connection, linger_prev, linger_next);
    (void)shutdown(connection->fd, SHUT_WR);
    if (!connections_watch(connections, connection, EPOLLIN | EPOLLRDHUP))
        connections_close(connections, connection);
}

/* Nothing but `closed` knows it afterwards. */
static void connections_drop(struct connections *connections, struct connection *connection)
{
    undecided_leave(&connections->undecided, connection);
    connections_speak(connections, connection);
    if (connection->state == CONNECTION_LINGERING)
        DL_DELETE2(connections->lingering, connection, linger_prev, linger_next);
    if (connection->fd >= 0)
        connections_unwatch(connections, connection);
    DL_DELETE(connections->all, connection);
    connections->count--;
    connection->state = CONNECTION_CLOSED;
    LL_PREPEND(connections->closed, connection);
}

int connections_let_go(struct connections *connections, struct connection *connection)
{
    int fd = connection->fd;

    connections_drop(connections, connection);
    connection->fd = -1;
    return fd;
}

void connections_close(struct connections *connections, struct connection *connection)
{
    if (connection->state == CONNECTION_CLOSED)
        return;
    connections_drop(connections, connection);
    if (connection->fd >= 0)
        close(connection->fd);
    connection->fd = -1;
    if (!connection->token_served && !connection->loopback)
        connections->counters.turned_away++;
}

void connections_reap(struct connections *connections)
{
    while (connections->closed) {
        struct connection *connection = connections->closed;
        connections->closed = connection->next;
        free(connection);
    }
}
