// SPDX-License-Identifier: GPL-2.0-or-later
#include "responder/descriptors.h"

#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wicket/link.h"

static bool socket_is(int fd, int option, int value)
{
    int got = -1;
    socklen_t length = sizeof(got);
    return getsockopt(fd, SOL_SOCKET, option, &got, &length) == 0 && got == value;
}

bool descriptors_have_link(void)
{
    return socket_is(LINK_FD_LINK, SO_DOMAIN, AF_UNIX) &&
           socket_is(LINK_FD_LINK, SO_TYPE, SOCK_SEQPACKET);
}

static bool is_listener(int fd, int family)
{
    return socket_is(fd, SO_DOMAIN, family) && socket_is(fd, SO_TYPE, SOCK_STREAM) &&
           socket_is(fd, SO_PROTOCOL, IPPROTO_TCP) && socket_is(fd, SO_ACCEPTCONN, 1);
}

int descriptors_check(size_t count, struct error *error)
{
    /* A single listener may be of either family; of two, IPv4 comes first. */
    if (!is_listener(LINK_FD_LISTEN, AF_INET) &&
        (count > 1 || !is_listener(LINK_FD_LISTEN, AF_INET6)))
        return error_set(error, 70, "descriptor %d is no listening TCP socket", LINK_FD_LISTEN);
    if (count > 1 && !is_listener(LINK_FD_LISTEN + 1, AF_INET6))
        return error_set(error, 70, "descriptor %d is no listening IPv6 TCP socket",
                         LINK_FD_LISTEN + 1);
    for (size_t i = 0; i < count; i++) {
        int fd = LINK_FD_LISTEN + (int)i;
        int flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
            return error_set_errno(error, 70, "descriptor %d: O_NONBLOCK", fd);
    }
    if (close_range(LINK_FD_LISTEN + (unsigned)count, UINT_MAX, 0) < 0)
        return error_set_errno(error, 70, "close_range");
    return 0;
}
