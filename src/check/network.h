// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wicket/error.h"

/* The interfaces, addresses and routes of this network namespace, as far as they decide where
 * visitors come in and where the redirect can send them. */

enum network_family { NETWORK_IPV4, NETWORK_IPV6, NETWORK_FAMILIES };

struct network_interface {
    uint32_t index;
    char name[16];
    bool up, loopback;
    bool enslaved;                   /* belongs to a bridge or the like, which packets come in by */
    bool numbered[NETWORK_FAMILIES]; /* has an address, link-local ones of IPv6 included */
    bool routed[NETWORK_FAMILIES];   /* a route leads out by it, but for link-local ones */
    bool uplink[NETWORK_FAMILIES];   /* a default route does */
};

struct network_address {
    enum network_family family;
    uint8_t bytes[16]; /* network order; IPv4 in the first four */
    uint32_t interface;
    bool global;   /* a host elsewhere could connect to it: not of this host or of one link only */
    bool reserved; /* of those, one that is not routed on the internet */
    char text[48];
};

struct network {
    struct network_interface *interfaces;
    size_t interface_count;
    struct network_address *addresses;
    size_t address_count;
    bool out_of_memory;
};

int network_read(struct network *network, struct error *error);
void network_deinit(struct network *network);

struct network_interface *network_find(const struct network *network, uint32_t index);

/* For tests and network_read: one more, with what follows from its bytes filled in. */
void network_add_address(struct network *network, enum network_family family, const void *bytes,
                         uint32_t interface);
struct network_interface *network_add_interface(struct network *network, uint32_t index,
                                                const char *name);

/* Whether somebody elsewhere may come in by it: where a default route leads, or any where none
 * does. */
bool network_is_external(const struct network *network, const struct network_interface *interface);

/* Whether the bytes are an address of this host. */
bool network_has(const struct network *network, enum network_family family, const void *bytes);
bool network_has_global(const struct network *network, enum network_family family);

const char *network_family_name(enum network_family family);
