// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The TCP sockets of this network namespace, as /proc/net/tcp and tcp6 list them. */

struct socket_entry {
    bool ipv6; /* as listed; an address of IPv4 in an IPv6 socket is told as IPv4 */
    uint8_t local[16], remote[16]; /* network order; IPv4 in the first four */
    uint16_t local_port, remote_port;
    unsigned int state; /* TCP_ESTABLISHED, TCP_LISTEN */
    unsigned long inode;
};

/* False when the line is none of such a list, as its first. */
bool socket_parse(struct socket_entry *out, const char *line, bool ipv6);

/* Who has the socket, by /proc; false when nobody can be seen to. */
bool socket_owner(unsigned long inode, char *name, size_t capacity);
