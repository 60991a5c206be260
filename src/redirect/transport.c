// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
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

int transport_init(struct transport *transport, struct error *error)
{
    int on = 1;

    *transport = (struct transport){.sequence = (uint32_t)time(NULL)};
    transport->buffer = malloc(TRANSPORT_BUFFER);
    if (!transport->buffer)
        return error_set_errno(error, EX_TEMPFAIL, "netlink buffer");
    transport->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (!transport->socket) {
        bool missing = errno == EPROTONOSUPPORT || errno == EAFNOSUPPORT;

        error_set_errno(error, missing ? EX_UNAVAILABLE : EX_OSERR,
                        missing ? "this kernel has no netfilter netlink (module nfnetlink)"
                                : "netlink socket");
        goto failed;
    }
    if (mnl_socket_bind(transport->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        error_set_errno(error, EX_OSERR, "netlink socket: bind");
        goto failed;
    }
    transport->port = mnl_socket_get_portid(transport->socket);
    /* The reasons in words, and not our own messages back: they are up to 64 KiB. Kernels before
     * 4.12 and 4.3 do without. */
    mnl_socket_setsockopt(transport->socket, NETLINK_EXT_ACK, &on, sizeof(on));
    mnl_socket_setsockopt(transport->socket, NETLINK_CAP_ACK, &on, sizeof(on));
    return 0;
failed:
    transport_deinit(transport);
    return -1;
}

void transport_deinit(struct transport *transport)
{
    if (transport->socket)
        mnl_socket_close(transport->socket);
    free(transport->buffer);
    *transport = (struct transport){0};
}

void transport_start_clock(struct transport *transport)
{
    transport->deadline_ns = clock_ns() + (int64_t)TRANSPORT_DEADLINE_MS * 1000000;
}

/* A netlink message must fit into the send buffer whole. */
static void transport_make_room(struct transport *transport, size_t length)
{
    int fd = mnl_socket_get_fd(transport->socket);
    int have = 0;
    int want = (int)length + 4096;
    socklen_t size = sizeof(have);

    if (transport->room >= (size_t)want)
        return;
    if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &have, &size) == 0 && have >= want) {
        transport->room = (size_t)have;
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

static int transport_send(struct transport *transport, const struct batch *batch,
                          struct failure *failure)
{
    ssize_t sent;

    transport_make_room(transport, batch->length);
    do
        sent = mnl_socket_sendto(transport->socket, batch->bytes, batch->length);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? failure_from_system(failure, "send") : 0;
}

/* One datagram from the kernel. Returns its length; 0 when there is none or it is not the kernel's;
 * -1 with errno, ENOBUFS when answers were dropped. */
static ssize_t transport_receive(struct transport *transport)
{
    struct sockaddr_nl sender = {0};
    struct iovec part = {.iov_base = transport->buffer, .iov_len = TRANSPORT_BUFFER};
    struct msghdr message = {
        .msg_name = &sender, .msg_namelen = sizeof(sender), .msg_iov = &part, .msg_iovlen = 1};
    ssize_t length = recvmsg(mnl_socket_get_fd(transport->socket), &message, 0);

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

/* Waits for something to read. Returns 1, 0 when the deadline has passed, or -1 with errno. */
static int transport_wait(const struct transport *transport)
{
    struct pollfd item = {.fd = mnl_socket_get_fd(transport->socket), .events = POLLIN};

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

static void transport_drain(struct transport *transport)
{
    /* Each ENOBUFS is reported once; what is not of this batch is ignored by number anyway. */
    for (int i = 0; i < 1000; i++)
        if (transport_receive(transport) < 0 && errno == EAGAIN)
            return;
}

/* Reads until the reply is complete. The kernel has answered by the time send returns, so that the
 * first read is tried without waiting. */
static int transport_collect(struct transport *transport, struct reply *reply,
                             struct failure *failure)
{
    while (!reply_is_complete(reply) && !reply->lost) {
        ssize_t length = transport_receive(transport);
        int ready = 1;

        if (length > 0)
            reply_consume(reply, transport->buffer, (size_t)length);
        else if (length == 0) /* strangers and signals must not keep us beyond the deadline */
            ready = transport_time_left(transport) > 0;
        else if (errno == EAGAIN)
            ready = transport_wait(transport);
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
static int transport_exchange(struct transport *transport, struct batch *batch, struct reply *reply,
                              struct failure *failure)
{
    batch_number(batch, reply->first);
    transport->sequence += (uint32_t)batch->count;
    if (transport_send(transport, batch, failure) < 0)
        return failure->number == ENOBUFS ? 1 : -1;
    if (transport_collect(transport, reply, failure) < 0)
        return -1;
    if (reply->error_number != 0) {
        failure_from_reply(failure, reply, batch);
        return -1;
    }
    return reply->lost || reply->interrupted;
}

static int transport_run_once(struct transport *transport, struct batch *batch,
                              transport_data *data, void *context, struct failure *failure)
{
    struct reply reply;
    int outcome;

    *failure = (struct failure){.kind = FAILURE_MEMORY};
    if (batch->out_of_memory)
        return -1;
    if (!reply_init(&reply, transport->port, transport->sequence, batch->count,
                    batch->kind == BATCH_ATOMIC))
        return -1;
    *failure = (struct failure){.kind = FAILURE_NONE};
    reply.data = data;
    reply.context = context;
    outcome = transport_exchange(transport, batch, &reply, failure);
    reply_deinit(&reply);
    if (outcome == 1) {
        transport_drain(transport);
        *failure = (struct failure){.kind = FAILURE_LOST};
    }
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
