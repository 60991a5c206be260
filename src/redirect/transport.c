// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <linux/netlink.h>

#include "redirect/transport.h"

static int64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int socket_open(struct transport_socket *socket, struct error *error)
{
    int on = 1;

    socket->netlink = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (!socket->netlink) {
        bool missing = errno == EPROTONOSUPPORT || errno == EAFNOSUPPORT;

        return error_set_errno(error, missing ? EX_UNAVAILABLE : EX_OSERR,
                               missing ? "this kernel has no netfilter netlink (module nfnetlink)"
                                       : "netlink socket");
    }
    if (mnl_socket_bind(socket->netlink, 0, MNL_SOCKET_AUTOPID) < 0)
        return error_set_errno(error, EX_OSERR, "netlink socket: bind");
    socket->port = mnl_socket_get_portid(socket->netlink);
    /* The reasons in words, and not our own messages back: they are up to 64 KiB. Kernels before
     * 4.12 and 4.3 do without. */
    mnl_socket_setsockopt(socket->netlink, NETLINK_EXT_ACK, &on, sizeof(on));
    mnl_socket_setsockopt(socket->netlink, NETLINK_CAP_ACK, &on, sizeof(on));
    return 0;
}

int transport_init(struct transport *transport, struct error *error)
{
    *transport = (struct transport){.sequence = (uint32_t)time(NULL)};
    transport->buffer = malloc(TRANSPORT_BUFFER);
    if (!transport->buffer)
        return error_set_errno(error, EX_TEMPFAIL, "netlink buffer");
    if (socket_open(&transport->changes, error) == 0 &&
        socket_open(&transport->queries, error) == 0)
        return 0;
    transport_deinit(transport);
    return -1;
}

void transport_deinit(struct transport *transport)
{
    if (transport->changes.netlink)
        mnl_socket_close(transport->changes.netlink);
    if (transport->queries.netlink)
        mnl_socket_close(transport->queries.netlink);
    free(transport->buffer);
    *transport = (struct transport){0};
}

void transport_start_clock(struct transport *transport)
{
    transport->deadline_ns = clock_ns() + (int64_t)TRANSPORT_DEADLINE_MS * 1000000;
}

/* A netlink message must fit into the send buffer whole. */
static void socket_make_room(struct transport_socket *socket, size_t length)
{
    int fd = mnl_socket_get_fd(socket->netlink);
    int have = 0;
    int want = (int)length + 4096;
    socklen_t size = sizeof(have);

    if (socket->room >= (size_t)want)
        return;
    if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &have, &size) == 0 && have >= want) {
        socket->room = (size_t)have;
        return;
    }
    /* What does not work here is told by the send. */
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &want, sizeof(want)) < 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &want, sizeof(want));
}

static int failure_from_system(struct failure *failure, const char *call)
{
    *failure = (struct failure){.kind = FAILURE_SYSTEM, .number = errno, .call = call};
    return -1;
}

static int socket_send(struct transport_socket *socket, const struct batch *batch,
                       struct failure *failure)
{
    ssize_t sent;

    socket_make_room(socket, batch->length);
    do
        sent = mnl_socket_sendto(socket->netlink, batch->bytes, batch->length);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? failure_from_system(failure, "send") : 0;
}

/* One datagram from the kernel. Returns its length; 0 when there is none or it is not the kernel's;
 * -1 with errno, ENOBUFS when answers were dropped. Whether it waits is not left to the socket:
 * others hold copies of it. */
static ssize_t transport_receive(struct transport *transport, const struct transport_socket *socket)
{
    struct sockaddr_nl sender = {0};
    struct iovec part = {.iov_base = transport->buffer, .iov_len = TRANSPORT_BUFFER};
    struct msghdr message = {
        .msg_name = &sender, .msg_namelen = sizeof(sender), .msg_iov = &part, .msg_iovlen = 1};
    ssize_t length = recvmsg(mnl_socket_get_fd(socket->netlink), &message, MSG_DONTWAIT);

    if (length < 0)
        return errno == EINTR ? 0 : -1;
    if (message.msg_namelen != sizeof(sender) || sender.nl_pid != 0)
        return 0; /* any process may send to our port */
    if (message.msg_flags & MSG_TRUNC) {
        errno = ENOBUFS;
        return -1;
    }
    return length;
}

static int64_t transport_time_left(const struct transport *transport)
{
    return transport->deadline_ns - clock_ns();
}

bool transport_is_late(const struct transport *transport)
{
    return transport_time_left(transport) <= 0;
}

/* Waits for something to read. Returns 1, 0 when the deadline has passed, or -1 with errno. */
static int transport_wait(const struct transport *transport, const struct transport_socket *socket)
{
    struct pollfd item = {.fd = mnl_socket_get_fd(socket->netlink), .events = POLLIN};

    for (;;) {
        int64_t left_ns = transport_time_left(transport);

        if (left_ns <= 0)
            return 0;
        int ready = poll(&item, 1, (int)((left_ns + 999999) / 1000000));
        if (ready > 0)
            return 1;
        if (ready < 0 && errno != EINTR)
            return -1;
    }
}

static void transport_drain(struct transport *transport, const struct transport_socket *socket)
{
    /* Each ENOBUFS is reported once; what is not of this batch is ignored by number anyway. */
    for (int i = 0; i < 1000; i++)
        if (transport_receive(transport, socket) < 0 && errno == EAGAIN)
            return;
}

/* Reads until the reply is complete. The kernel has answered by the time send returns, so that the
 * first read is tried without waiting. */
static int transport_collect(struct transport *transport, const struct transport_socket *socket,
                             struct reply *reply, struct failure *failure)
{
    while (!reply_is_complete(reply) && !reply->lost) {
        ssize_t length = transport_receive(transport, socket);
        int ready = 1;

        if (length > 0)
            reply_consume(reply, transport->buffer, (size_t)length);
        if (length >= 0) /* strangers and signals must not keep us beyond the deadline */
            ready = reply_is_complete(reply) || transport_time_left(transport) > 0;
        else if (errno == EAGAIN)
            ready = transport_wait(transport, socket);
        else if (errno == ENOBUFS)
            reply->lost = true;
        else
            return failure_from_system(failure, "receive");
        if (ready < 0)
            return failure_from_system(failure, "poll");
        if (ready == 0) {
            *failure = (struct failure){.kind = FAILURE_TIMEOUT};
            return -1;
        }
    }
    return 0;
}

static void failure_from_reply(struct failure *failure, const struct reply *reply,
                               const struct batch *batch)
{
    *failure = (struct failure){
        .kind = FAILURE_KERNEL,
        .number = reply->error_number,
        .refused = reply->refused,
        .query = batch->kind == BATCH_QUERY,
        .object = batch->objects[reply->error_message],
    };
    memcpy(failure->text, reply->error_text, sizeof(failure->text));
}

/* Returns 0, -1 with the failure, or 1 when answers were lost. */
static int transport_exchange(struct transport *transport, struct transport_socket *socket,
                              struct batch *batch, struct reply *reply, struct failure *failure)
{
    batch_number(batch, reply->first);
    if (socket_send(socket, batch, failure) < 0)
        return failure->number == ENOBUFS ? 1 : -1;
    if (transport_collect(transport, socket, reply, failure) < 0)
        return -1;
    if (reply->error_number != 0) {
        failure_from_reply(failure, reply, batch);
        return -1;
    }
    return reply->lost || reply->interrupted;
}

/* Of the first message. Who holds a copy of the socket may have the kernel refuse what it sends,
 * and that is an answer to us if it has known the number. */
static uint32_t choose_sequence(struct transport *transport)
{
    uint32_t chosen;

    if (getrandom(&chosen, sizeof(chosen), GRND_NONBLOCK) != sizeof(chosen))
        chosen = ++transport->sequence << 16; /* an early boot */
    return chosen;
}

static int transport_run_once(struct transport *transport, struct batch *batch,
                              transport_data *data, void *context, struct failure *failure)
{
    bool changes = batch->kind == BATCH_ATOMIC;
    struct transport_socket *socket = changes ? &transport->changes : &transport->queries;
    struct reply reply;
    int outcome;

    *failure = (struct failure){.kind = FAILURE_MEMORY};
    if (batch->out_of_memory)
        return -1;
    if (!reply_init(&reply, socket->port, choose_sequence(transport), batch->count, changes))
        return -1;
    *failure = (struct failure){.kind = FAILURE_NONE};
    reply.data = data;
    reply.context = context;
    outcome = transport_exchange(transport, socket, batch, &reply, failure);
    reply_deinit(&reply);
    /* As long as there is something left of a dump, the kernel begins no other. */
    if (outcome == 1 || (outcome < 0 && failure->kind == FAILURE_TIMEOUT && !changes))
        transport_drain(transport, socket);
    if (outcome == 1)
        *failure = (struct failure){.kind = FAILURE_LOST};
    return outcome;
}

int transport_run(struct transport *transport, struct batch *batch, struct failure *failure)
{
    int outcome = transport_run_once(transport, batch, NULL, NULL, failure);

    if (outcome == 1)
        outcome = transport_run_once(transport, batch, NULL, NULL, failure);
    return outcome == 0 ? 0 : -1;
}

int transport_query(struct transport *transport, struct batch *batch, transport_data *data,
                    void *context, struct failure *failure)
{
    return transport_run_once(transport, batch, data, context, failure) == 0 ? 0 : -1;
}
