// SPDX-License-Identifier: GPL-2.0-or-later
#include "check/network.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sysexits.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#define BUFFER_BYTES ((size_t)64 * 1024)
#define ATTEMPTS     10

struct attributes {
    const struct nlattr *list[RTA_MAX + 1]; /* the longest of those below */
};

static int collect(const struct nlattr *attribute, void *context)
{
    struct attributes *out = context;
    uint16_t type = mnl_attr_get_type(attribute);

    if (type <= RTA_MAX)
        out->list[type] = attribute;
    return MNL_CB_OK;
}

static bool number(const struct nlattr *attribute, uint32_t *out)
{
    if (!attribute || mnl_attr_get_payload_len(attribute) < sizeof(*out))
        return false;
    *out = mnl_attr_get_u32(attribute);
    return true;
}

static int take_link(const struct nlmsghdr *header, void *context)
{
    const struct ifinfomsg *link = mnl_nlmsg_get_payload(header);
    struct attributes attributes = {0};
    char name[IFNAMSIZ] = "";
    uint32_t master;

    mnl_attr_parse(header, sizeof(*link), collect, &attributes);
    if (attributes.list[IFLA_IFNAME])
        snprintf(name, sizeof(name), "%s", mnl_attr_get_str(attributes.list[IFLA_IFNAME]));
    struct network_interface *interface =
        network_add_interface(context, (uint32_t)link->ifi_index, name);
    if (interface) {
        interface->up = link->ifi_flags & IFF_UP;
        interface->loopback = link->ifi_flags & IFF_LOOPBACK;
        interface->enslaved = number(attributes.list[IFLA_MASTER], &master);
    }
    return MNL_CB_OK;
}

static int take_address(const struct nlmsghdr *header, void *context)
{
    const struct ifaddrmsg *message = mnl_nlmsg_get_payload(header);
    struct attributes attributes = {0};

    mnl_attr_parse(header, sizeof(*message), collect, &attributes);
    /* Of a point-to-point interface IFA_ADDRESS is the other end's. */
    const struct nlattr *address =
        attributes.list[IFA_LOCAL] ? attributes.list[IFA_LOCAL] : attributes.list[IFA_ADDRESS];
    if (address && message->ifa_family == AF_INET && mnl_attr_get_payload_len(address) == 4)
        network_add_address(context, NETWORK_IPV4, mnl_attr_get_payload(address),
                            message->ifa_index);
    else if (address && message->ifa_family == AF_INET6 && mnl_attr_get_payload_len(address) == 16)
        network_add_address(context, NETWORK_IPV6, mnl_attr_get_payload(address),
                            message->ifa_index);
    return MNL_CB_OK;
}

static void take_way(struct network *network, enum network_family family, uint32_t index,
                     bool by_default)
{
    struct network_interface *interface = network_find(network, index);

    if (!interface)
        return;
    interface->routed[family] = true;
    interface->uplink[family] |= by_default;
}

/* Every interface with IPv6 has routes for what is of its link. */
static bool is_of_link(const struct rtmsg *route, const struct nlattr *destination)
{
    if (route->rtm_family != AF_INET6 || !destination)
        return false;
    const uint8_t *bytes = mnl_attr_get_payload(destination);
    return bytes[0] == 0xff || (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80);
}

static int take_route(const struct nlmsghdr *header, void *context)
{
    const struct rtmsg *route = mnl_nlmsg_get_payload(header);
    enum network_family family = route->rtm_family == AF_INET ? NETWORK_IPV4 : NETWORK_IPV6;
    struct attributes attributes = {0};
    uint32_t index;

    if ((route->rtm_family != AF_INET && route->rtm_family != AF_INET6) ||
        route->rtm_type != RTN_UNICAST || route->rtm_flags & RTM_F_CLONED)
        return MNL_CB_OK;
    mnl_attr_parse(header, sizeof(*route), collect, &attributes);
    if (is_of_link(route, attributes.list[RTA_DST]))
        return MNL_CB_OK;
    if (number(attributes.list[RTA_OIF], &index))
        take_way(context, family, index, route->rtm_dst_len == 0);
    const struct nlattr *several = attributes.list[RTA_MULTIPATH];
    if (!several)
        return MNL_CB_OK;
    const uint8_t *at = mnl_attr_get_payload(several);
    for (size_t left = mnl_attr_get_payload_len(several); left >= sizeof(struct rtnexthop);) {
        struct rtnexthop hop;

        memcpy(&hop, at, sizeof(hop));
        size_t length = ((size_t)hop.rtnh_len + RTNH_ALIGNTO - 1) & ~(size_t)(RTNH_ALIGNTO - 1);
        if (hop.rtnh_len < sizeof(hop) || length > left)
            break;
        take_way(context, family, (uint32_t)hop.rtnh_ifindex, route->rtm_dst_len == 0);
        at += length;
        left -= length;
    }
    return MNL_CB_OK;
}

static int ask(struct mnl_socket *socket, uint16_t type, mnl_cb_t take, struct network *network)
{
    static char bytes[BUFFER_BYTES];
    static unsigned int sequence;
    struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);

    header->nlmsg_type = type;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    header->nlmsg_seq = ++sequence;
    mnl_nlmsg_put_extra_header(header, sizeof(struct rtmsg) > sizeof(struct ifinfomsg)
                                           ? sizeof(struct rtmsg)
                                           : sizeof(struct ifinfomsg));
    if (mnl_socket_sendto(socket, header, header->nlmsg_len) < 0)
        return -1;
    for (int more = MNL_CB_OK; more == MNL_CB_OK;) {
        ssize_t length = mnl_socket_recvfrom(socket, bytes, sizeof(bytes));

        if (length < 0)
            return -1;
        more = mnl_cb_run(bytes, (size_t)length, sequence, mnl_socket_get_portid(socket), take,
                          network);
        if (more < 0)
            return -1;
    }
    return 0;
}

static int attempt(struct network *network)
{
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    struct timeval patience = {.tv_sec = 10};
    int result = -1;

    if (!socket)
        return -1;
    if (setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &patience,
                   sizeof(patience)) == 0 &&
        mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0 &&
        ask(socket, RTM_GETLINK, take_link, network) == 0 &&
        ask(socket, RTM_GETADDR, take_address, network) == 0 &&
        ask(socket, RTM_GETROUTE, take_route, network) == 0)
        result = 0;
    if (result == 0 && network->out_of_memory) {
        errno = ENOMEM;
        result = -1;
    }
    int saved = errno;
    mnl_socket_close(socket);
    errno = saved;
    return result;
}

int network_read(struct network *network, struct error *error)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        *network = (struct network){0};
        if (attempt(network) == 0)
            return 0;
        network_deinit(network);
        if (errno != EINTR && errno != ENOBUFS)
            break;
    }
    return error_set_errno(error, EX_OSERR, "this host's interfaces cannot be listed");
}
