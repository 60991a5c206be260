// SPDX-License-Identifier: GPL-2.0-or-later
#include "redirect/watch.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sysexits.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

/* The kernel packs announcements into datagrams of up to a page or two. */
#define BUFFER_BYTES ((size_t)16 * 1024)
/* In one go: a flood of changes must not keep us from everything else. */
#define DATAGRAMS_MAX 64

int watch_init(struct watch *watch, uint32_t own, struct error *error)
{
    *watch = (struct watch){.own = own};
    watch->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (!watch->socket)
        return error_set_errno(error, EX_OSERR, "netlink socket for changes of the firewall");
    if (mnl_socket_bind(watch->socket, 1U << (NFNLGRP_NFTABLES - 1), MNL_SOCKET_AUTOPID) == 0)
        return 0;
    error_set_errno(error, EX_OSERR, "netlink socket for changes of the firewall: bind");
    watch_deinit(watch);
    return -1;
}

void watch_deinit(struct watch *watch)
{
    if (watch->socket)
        mnl_socket_close(watch->socket);
    *watch = (struct watch){0};
}

int watch_fd(const struct watch *watch)
{
    return watch->socket ? mnl_socket_get_fd(watch->socket) : -1;
}

/* Elements of sets come and go on a busy host, and are not what an admission depends on. */
static bool matters(const struct watch *watch, const struct nlmsghdr *header)
{
    if (header->nlmsg_pid == watch->own || header->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
        return false;
    switch (header->nlmsg_type & 0xff) {
    case NFT_MSG_NEWTABLE:
    case NFT_MSG_DELTABLE:
    case NFT_MSG_NEWCHAIN:
    case NFT_MSG_DELCHAIN:
    case NFT_MSG_NEWRULE:
    case NFT_MSG_DELRULE:
        return true;
    default:
        return false;
    }
}

static bool look_through(const struct watch *watch, const char *bytes, size_t length)
{
    size_t offset = 0;

    while (length - offset >= sizeof(struct nlmsghdr)) {
        const struct nlmsghdr *header = (const void *)(bytes + offset);

        if (header->nlmsg_len < sizeof(*header) || header->nlmsg_len > length - offset)
            return false;
        if (matters(watch, header))
            return true;
        offset += (header->nlmsg_len + MNL_ALIGNTO - 1) & ~(size_t)(MNL_ALIGNTO - 1);
        if (offset > length)
            return false;
    }
    return false;
}

bool watch_take(struct watch *watch)
{
    static _Alignas(struct nlmsghdr) char bytes[BUFFER_BYTES];
    bool changed = false;

    for (int i = 0; i < DATAGRAMS_MAX; i++) {
        struct sockaddr_nl sender = {0};
        struct iovec part = {.iov_base = bytes, .iov_len = sizeof(bytes)};
        struct msghdr message = {
            .msg_name = &sender, .msg_namelen = sizeof(sender), .msg_iov = &part, .msg_iovlen = 1};
        ssize_t length = recvmsg(watch_fd(watch), &message, 0);

        if (length < 0 && errno == ENOBUFS)
            changed = true;
        else if (length < 0)
            return changed;
        else if (message.msg_namelen == sizeof(sender) && sender.nl_pid == 0)
            changed |=
                (message.msg_flags & MSG_TRUNC) != 0 || look_through(watch, bytes, (size_t)length);
    }
    return changed;
}
