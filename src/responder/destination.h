// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <netinet/in.h>
#include <stdbool.h>

/* SO_ORIGINAL_DST, and IP6T_SO_ORIGINAL_DST: linux/netfilter_ipv4.h and its like have these two,
 * but not beside netinet/in.h. */
enum { DESTINATION_ORIGINAL = 80 };

/* The port, in network order, that a socket is bound to. */
bool destination_port(in_port_t *out, int fd);

/*
 * Where a connection was going; IPv4 mapped. One that arrives at our own port has been rewritten on
 * its way, and the kernel remembers from what; any other has its destination still. What is asked
 * about a connection that was not rewritten may be answered with the peer's own address: the port
 * tells them apart. False: the kernel does not say.
 */
bool destination_find(struct in6_addr *out, int fd, in_port_t listen_port);
