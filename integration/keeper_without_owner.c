// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A keeper on a kernel that knows no owned tables, for the lab: wicket-keeper, but that its netlink
 * socket sends another flag in place of the owner's, one that no kernel knows. What this kernel
 * says to that is what a kernel before 5.12 says to an owner.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#define TABLE_FLAG_OWNER   0x2u
#define TABLE_FLAG_UNKNOWN 0x80000000u

ssize_t __real_mnl_socket_sendto(const struct mnl_socket *socket, const void *bytes, size_t length);
ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *socket, const void *bytes, size_t length);

static int find_flags(const struct nlattr *attribute, void *found)
{
    if (mnl_attr_get_type(attribute) == NFTA_TABLE_FLAGS)
        *(void **)found = mnl_attr_get_payload(attribute);
    return MNL_CB_OK;
}

static void disown(struct nlmsghdr *message)
{
    void *place = NULL;
    uint32_t flags;

    if (mnl_attr_parse(message, sizeof(struct nfgenmsg), find_flags, &place) < 0 || place == NULL)
        return;
    memcpy(&flags, place, sizeof(flags));
    if ((flags & htonl(TABLE_FLAG_OWNER)) != 0)
        flags ^= htonl(TABLE_FLAG_OWNER | TABLE_FLAG_UNKNOWN);
    memcpy(place, &flags, sizeof(flags));
}

ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *socket, const void *bytes, size_t length)
{
    void *copy = malloc(length);
    int left = (int)length;

    if (copy == NULL)
        return -1;
    memcpy(copy, bytes, length);
    for (struct nlmsghdr *message = copy; mnl_nlmsg_ok(message, left);
         message = mnl_nlmsg_next(message, &left))
        if (message->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE))
            disown(message);
    ssize_t sent = __real_mnl_socket_sendto(socket, copy, length);
    free(copy);
    return sent;
}
