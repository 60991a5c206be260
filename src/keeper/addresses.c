// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/addresses.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

/* The longest datagram of a dump. */
#define DATAGRAM ((size_t)32 * 1024)
/* Lists of which one is to be of one moment. */
#define ATTEMPTS 3

struct interface {
    struct interface *next;
    unsigned int index;
    bool loopback;
    char name[IF_NAMESIZE];
};

struct node {
    struct node *next;
    struct host_address found;
};

struct listing {
    int fd;
    uint32_t port; /* the kernel's name for our socket */
    int64_t deadline_ns;
    uint8_t *buffer;
    bool interrupted;             /* they have changed while they were read */
    struct interface *interfaces; /* those that are up */
    struct node *first, **end;
};

static int64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* What nobody asked for is as good as nothing: any process may send to our port. */
static ssize_t receive(const struct listing *listing)
{
    struct sockaddr_nl sender = {0};
    socklen_t length = sizeof(sender);
    ssize_t got = recvfrom(listing->fd, listing->buffer, DATAGRAM, MSG_DONTWAIT | MSG_TRUNC,
                           (struct sockaddr *)&sender, &length);

    if (got < 0)
        return errno == EINTR ? 0 : -1;
    if (length != sizeof(sender) || sender.nl_pid != 0)
        return 0;
    if ((size_t)got > DATAGRAM) {
        errno = ENOBUFS;
        return -1;
    }
    return got;
}

static int wait_for_more(const struct listing *listing)
{
    struct pollfd item = {.fd = listing->fd, .events = POLLIN};
    int64_t left_ns = listing->deadline_ns - clock_ns();

    if (left_ns > 0 && poll(&item, 1, (int)(left_ns / 1000000 + 1)) < 0 && errno != EINTR)
        return -1;
    if (left_ns > 0)
        return 0;
    errno = ETIMEDOUT;
    return -1;
}

enum dump { DUMP_GOES_ON, DUMP_IS_OVER, DUMP_FAILED };

/* One datagram: each object that belongs to this dump to `take`. */
static enum dump take_datagram(struct listing *listing, size_t length, uint32_t sequence,
                               mnl_cb_t take)
{
    const struct nlmsghdr *header = (const void *)listing->buffer;
    int left = (int)length;

    for (; mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
        if (header->nlmsg_seq != sequence || header->nlmsg_pid != listing->port)
            continue;
        listing->interrupted |= (header->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
        if (header->nlmsg_type == NLMSG_DONE)
            return DUMP_IS_OVER;
        if (header->nlmsg_type == NLMSG_ERROR) {
            const struct nlmsgerr *refusal = mnl_nlmsg_get_payload(header);

            errno = header->nlmsg_len >= NLMSG_LENGTH(sizeof(*refusal)) ? -refusal->error : EPROTO;
            return DUMP_FAILED;
        }
        if (header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifinfomsg)) &&
            take(header, listing) == MNL_CB_ERROR)
            return DUMP_FAILED;
    }
    return DUMP_GOES_ON;
}

/* Every object of `type`, of every family, to `take`. */
static int dump(struct listing *listing, uint16_t type, uint32_t sequence, mnl_cb_t take)
{
    /* Zeros are the rest of either question: every family, every interface. */
    _Alignas(struct nlmsghdr) uint8_t bytes[64] = {0};
    struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);
    enum dump state = DUMP_GOES_ON;

    header->nlmsg_type = type;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    header->nlmsg_seq = sequence;
    mnl_nlmsg_put_extra_header(header, type == RTM_GETLINK ? sizeof(struct ifinfomsg)
                                                           : sizeof(struct ifaddrmsg));
    if (send(listing->fd, header, header->nlmsg_len, 0) < 0)
        return -1;
    for (;;) {
        ssize_t length = receive(listing);

        if (length > 0)
            state = take_datagram(listing, (size_t)length, sequence, take);
        else if (length < 0 && errno != EAGAIN)
            return -1;
        if (state != DUMP_GOES_ON)
            return state == DUMP_IS_OVER ? 0 : -1;
        if (wait_for_more(listing) < 0)
            return -1;
    }
}

static int take_name(const struct nlattr *attribute, void *context)
{
    struct interface *interface = context;

    if (mnl_attr_get_type(attribute) == IFLA_IFNAME &&
        mnl_attr_get_payload_len(attribute) <= sizeof(interface->name))
        memcpy(interface->name, mnl_attr_get_payload(attribute),
               mnl_attr_get_payload_len(attribute));
    return MNL_CB_OK;
}

static int take_interface(const struct nlmsghdr *header, void *context)
{
    struct listing *listing = context;
    const struct ifinfomsg *message = mnl_nlmsg_get_payload(header);

    if (header->nlmsg_type != RTM_NEWLINK || (message->ifi_flags & IFF_UP) == 0)
        return MNL_CB_OK;
    struct interface *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return MNL_CB_ERROR;
    made->index = (unsigned int)message->ifi_index;
    made->loopback = (message->ifi_flags & IFF_LOOPBACK) != 0;
    made->next = listing->interfaces;
    listing->interfaces = made;
    mnl_attr_parse(header, sizeof(*message), take_name, made);
    made->name[sizeof(made->name) - 1] = '\0';
    return MNL_CB_OK;
}

static const struct interface *find_interface(const struct listing *listing, unsigned int index)
{
    const struct interface *one = listing->interfaces;

    while (one != NULL && one->index != index)
        one = one->next;
    return one;
}

/* Of a point-to-point interface IFA_ADDRESS is the other end's, and comes first. */
static int take_own(const struct nlattr *attribute, void *context)
{
    const struct nlattr **own = context;
    uint16_t type = mnl_attr_get_type(attribute);

    if (type == IFA_LOCAL || (type == IFA_ADDRESS && *own == NULL))
        *own = attribute;
    return MNL_CB_OK;
}

static bool read_address(union address *out, const struct nlmsghdr *header)
{
    const struct ifaddrmsg *message = mnl_nlmsg_get_payload(header);
    const struct nlattr *own = NULL;
    size_t length;

    *out = (union address){.any.sa_family = message->ifa_family};
    if (message->ifa_family != AF_INET && message->ifa_family != AF_INET6)
        return false;
    mnl_attr_parse(header, sizeof(*message), take_own, &own);
    address_bytes(out, &length);
    if (own == NULL || mnl_attr_get_payload_len(own) != length)
        return false;
    if (message->ifa_family == AF_INET)
        memcpy(&out->v4.sin_addr, mnl_attr_get_payload(own), length);
    else
        memcpy(&out->v6.sin6_addr, mnl_attr_get_payload(own), length);
    if (address_is_link_local(out))
        out->v6.sin6_scope_id = message->ifa_index;
    return true;
}

static int take_address(const struct nlmsghdr *header, void *context)
{
    struct listing *listing = context;
    const struct ifaddrmsg *message = mnl_nlmsg_get_payload(header);
    union address address;

    if (header->nlmsg_type != RTM_NEWADDR)
        return MNL_CB_OK;
    const struct interface *interface = find_interface(listing, message->ifa_index);
    if (interface == NULL || !read_address(&address, header))
        return MNL_CB_OK;
    struct node *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return MNL_CB_ERROR;
    made->found = (struct host_address){address, interface->name, interface->loopback};
    *listing->end = made;
    listing->end = &made->next;
    return MNL_CB_OK;
}

static int open_socket(struct listing *listing)
{
    struct sockaddr_nl own = {.nl_family = AF_NETLINK};
    socklen_t length = sizeof(own);

    listing->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (listing->fd < 0 || bind(listing->fd, (struct sockaddr *)&own, sizeof(own)) != 0 ||
        getsockname(listing->fd, (struct sockaddr *)&own, &length) != 0)
        return -1;
    listing->port = own.nl_pid;
    return 0;
}

static int collect(struct listing *listing)
{
    listing->end = &listing->first;
    listing->interrupted = false;
    if (open_socket(listing) != 0 || dump(listing, RTM_GETLINK, 1, take_interface) != 0)
        return -1;
    return dump(listing, RTM_GETADDR, 2, take_address);
}

/* errno stays. */
static void forget(struct listing *listing)
{
    int number = errno;

    if (listing->fd >= 0)
        close(listing->fd);
    listing->fd = -1;
    while (listing->interfaces != NULL) {
        struct interface *next = listing->interfaces->next;

        free(listing->interfaces);
        listing->interfaces = next;
    }
    while (listing->first != NULL) {
        struct node *next = listing->first->next;

        free(listing->first);
        listing->first = next;
    }
    errno = number;
}

int addresses_list(addresses_found *found, void *context)
{
    struct listing listing = {
        .fd = -1,
        .deadline_ns = clock_ns() + (int64_t)ADDRESSES_DEADLINE_MS * 1000000,
        .buffer = malloc(DATAGRAM),
    };
    int result = listing.buffer != NULL ? collect(&listing) : -1;

    /* Where they change all the time, the last list is as good as the next. */
    for (int again = 1; result == 0 && listing.interrupted && again < ATTEMPTS; again++) {
        forget(&listing);
        result = collect(&listing);
    }
    if (result == 0)
        for (const struct node *one = listing.first; one != NULL; one = one->next)
            if (!found(&one->found, context))
                break;
    forget(&listing);
    free(listing.buffer);
    return result;
}
