// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "check/bits.h"

/*
 * A packet as far as it is known, at one hook: the first of a connection that somebody unknown
 * makes to this host, unless packet_init()'s caller says otherwise. Numbers in host order.
 */

#define PACKET_NETWORK_BYTES   40
#define PACKET_TRANSPORT_BYTES 20

struct packet_interface {
    uint32_t index;
    char name[16];
};

struct packet {
    uint8_t family;                  /* NFPROTO_IPV4, NFPROTO_IPV6 */
    uint8_t hook_family;             /* of the chain that sees it; netdev's is another */
    uint32_t hook;                   /* NF_INET_*, or NF_NETDEV_* */
    struct packet_interface in, out; /* "": none */
    uint16_t destination_port;
    struct bits network, transport; /* headers; the options and what follows is unknown */

    /* Connection tracking; before it has seen the packet, or when it does not look, !tracked. */
    bool tracked;
    uint32_t state, status; /* NF_CT_STATE_BIT, IPS_* */
    uint16_t original_port; /* that the connection was made to */
    bool reply;             /* goes back to who began the connection */

    struct bits marks; /* of the packet, and at 4 of the connection */
};

struct packet_address {
    bool known;
    uint8_t bytes[16]; /* network order; IPv4 in the first four */
};

/* TCP's first packet from `source` port 50000 to `destination` and `port`; an address may be
 * unknown. Without interfaces, hook or connection tracking. */
void packet_init(struct packet *packet, uint8_t family, const struct packet_address *source,
                 const struct packet_address *destination, uint16_t port);

/* What becomes of the above on its way. */
void packet_set_destination_port(struct packet *packet, uint16_t port);
/* The second packet of the connection instead, from `port` of this host. */
void packet_make_reply(struct packet *packet, uint16_t port);
