// SPDX-License-Identifier: GPL-2.0-or-later
#include "responder/destination.h"

#include <string.h>
#include <sys/socket.h>

union destination {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Port and mapped address; false for another family. */
static bool take(in_port_t *port, struct in6_addr *address, const union destination *from)
{
    if (from->any.sa_family == AF_INET6) {
        *port = from->v6.sin6_port;
        *address = from->v6.sin6_addr;
        return true;
    }
    *port = from->v4.sin_port;
    *address = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(&address->s6_addr[12], &from->v4.sin_addr, 4);
    return from->any.sa_family == AF_INET;
}

static bool find_local(in_port_t *port, struct in6_addr *address, int fd)
{
    union destination local = {.any.sa_family = AF_UNSPEC};
    socklen_t length = sizeof(local);

    return getsockname(fd, &local.any, &length) == 0 && take(port, address, &local);
}

bool destination_port(in_port_t *out, int fd)
{
    struct in6_addr ignored;

    return find_local(out, &ignored, fd);
}

bool destination_find(struct in6_addr *out, int fd, in_port_t listen_port)
{
    union destination original = {.any.sa_family = AF_UNSPEC};
    socklen_t length = sizeof(original);
    struct in6_addr address;
    in_port_t port;

    if (!find_local(&port, &address, fd))
        return false;
    if (port == listen_port) {
        bool is_v4 = IN6_IS_ADDR_V4MAPPED(&address);
        if (getsockopt(fd, is_v4 ? SOL_IP : SOL_IPV6, DESTINATION_ORIGINAL, &original, &length) !=
                0 ||
            !take(&port, &address, &original))
            return false;
    }
    *out = address;
    return true;
}
