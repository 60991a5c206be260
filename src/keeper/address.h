// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* Where a connection comes from or goes to; the system calls take &address.any. */
union address {
    struct sockaddr any; /* AF_INET or AF_INET6 */
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

socklen_t address_length(const union address *address);
uint16_t address_port(const union address *address); /* host order */
void address_set_port(union address *address, uint16_t port);
/* The address itself, 4 or 16 bytes in network order. */
const void *address_bytes(const union address *address, size_t *length);
/* Whatever their ports. */
bool address_is_same(const union address *one, const union address *other);
bool address_is_loopback(const union address *address);
/* IPv6 only: of one link, which its scope_id names. */
bool address_is_link_local(const union address *address);
