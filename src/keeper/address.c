// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/address.h"

#include <string.h>

socklen_t address_length(const union address *address)
{
    return address->any.sa_family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
}

uint16_t address_port(const union address *address)
{
    return ntohs(address->any.sa_family == AF_INET ? address->v4.sin_port : address->v6.sin6_port);
}

void address_set_port(union address *address, uint16_t port)
{
    if (address->any.sa_family == AF_INET)
        address->v4.sin_port = htons(port);
    else
        address->v6.sin6_port = htons(port);
}

const void *address_bytes(const union address *address, size_t *length)
{
    bool v4 = address->any.sa_family == AF_INET;

    *length = v4 ? sizeof(address->v4.sin_addr) : sizeof(address->v6.sin6_addr);
    return v4 ? (const void *)&address->v4.sin_addr : &address->v6.sin6_addr;
}

bool address_is_same(const union address *one, const union address *other)
{
    size_t length;
    const void *bytes = address_bytes(one, &length);

    return one->any.sa_family == other->any.sa_family &&
           memcmp(bytes, address_bytes(other, &length), length) == 0;
}

bool address_is_loopback(const union address *address)
{
    return address->any.sa_family == AF_INET ? ntohl(address->v4.sin_addr.s_addr) >> 24 == 127
                                             : IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
}

bool address_is_link_local(const union address *address)
{
    return address->any.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&address->v6.sin6_addr);
}
