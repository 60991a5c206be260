// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/pass_visitor.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>

/* linux/netfilter_ipv4.h and linux/netfilter_ipv6/ip6_tables.h have these two, but not beside
 * netinet/in.h. */
#define SO_ORIGINAL_DST      80
#define IP6T_SO_ORIGINAL_DST 80

/*
 * Where conntrack says the connection went before it was redirected. For one that was not, it may
 * say anything that matches, such as the peer's own address: what it says has to be what the table
 * redirects, and nothing else. For a socket that is not TCP's it says nothing.
 */
static int read_destination(struct pass_visitor *visitor, int fd, const struct config *config)
{
    socklen_t length = sizeof(visitor->to);
    sa_family_t family = visitor->from.any.sa_family;
    int failed = family == AF_INET
                     ? getsockopt(fd, IPPROTO_IP, SO_ORIGINAL_DST, &visitor->to, &length)
                     : getsockopt(fd, IPPROTO_IPV6, IP6T_SO_ORIGINAL_DST, &visitor->to, &length);

    if (failed)
        return errno;
    if (visitor->to.any.sa_family != family || address_port(&visitor->to) != config->redirect.port)
        return EPROTO;
    return 0;
}

/* The responder cannot make a socket so: that one is says that it came out of a listener which the
 * keeper made so. */
static bool is_transparent(int fd, sa_family_t family)
{
    int value = 0;
    socklen_t length = sizeof(value);
    int failed = family == AF_INET
                     ? getsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &value, &length)
                     : getsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &value, &length);

    return !failed && value != 0;
}

/* The kernel redirects this host's own connections, and no others, to the loopback address; and it
 * takes nobody from outside who has this host's own. */
static bool is_own(const struct pass_visitor *visitor, const union address *here)
{
    return address_is_loopback(here) || address_is_same(&visitor->from, here);
}

int pass_visitor_read(struct pass_visitor *out, int fd, const struct config *config)
{
    union address here = {0};
    socklen_t length = sizeof(here);

    *out = (struct pass_visitor){0};
    if (getsockname(fd, &here.any, &length) != 0)
        return errno;
    if (here.any.sa_family != AF_INET && here.any.sa_family != AF_INET6)
        return EPROTO;
    bool redirected = address_port(&here) == config->responder.port;
    bool taken =
        address_port(&here) == config->redirect.port && is_transparent(fd, here.any.sa_family);
    if (!redirected && !taken)
        return EPROTO;
    length = sizeof(out->from);
    if (getpeername(fd, &out->from.any, &length) != 0)
        return errno; /* ENOTCONN: the visitor is gone already */
    if (out->from.any.sa_family != here.any.sa_family)
        return EPROTO;
    /* With redirect.local this host's own are visitors; else it is a self-check that has nobody to
     * ask any more. */
    if (is_own(out, &here) && !config->redirect.local)
        return EPERM;
    if (redirected)
        return read_destination(out, fd, config);
    out->to = here;
    out->port_is_taken = true;
    return 0;
}
