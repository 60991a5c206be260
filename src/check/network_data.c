// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "check/network.h"

void network_deinit(struct network *network)
{
    free(network->interfaces);
    free(network->addresses);
    *network = (struct network){0};
}

struct network_interface *network_find(const struct network *network, uint32_t index)
{
    for (size_t i = 0; i < network->interface_count; i++)
        if (network->interfaces[i].index == index)
            return &network->interfaces[i];
    return NULL;
}

struct network_interface *network_add_interface(struct network *network, uint32_t index,
                                                const char *name)
{
    struct network_interface *larger =
        reallocarray(network->interfaces, network->interface_count + 1, sizeof(*larger));

    if (!larger) {
        network->out_of_memory = true;
        return NULL;
    }
    network->interfaces = larger;
    struct network_interface *interface = &larger[network->interface_count++];
    *interface = (struct network_interface){.index = index};
    strncat(interface->name, name, sizeof(interface->name) - 1);
    return interface;
}

static bool is_global4(uint32_t address)
{
    return address != 0 && address >> 24 != 127 && address >> 16 != 0xa9fe;
}

/* RFC 1918, RFC 6598, the networks for documentation and tests. */
static bool is_reserved4(uint32_t address)
{
    static const struct {
        uint32_t network;
        unsigned int prefix;
    } reserved[] = {{0x0a000000, 8},  {0xac100000, 12}, {0xc0a80000, 16}, {0x64400000, 10},
                    {0xc0000200, 24}, {0xc6336400, 24}, {0xcb007100, 24}, {0xc6120000, 15}};

    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
        if ((address ^ reserved[i].network) >> (32 - reserved[i].prefix) == 0)
            return true;
    return false;
}

static bool is_global6(const struct in6_addr *address)
{
    return !IN6_IS_ADDR_LOOPBACK(address) && !IN6_IS_ADDR_LINKLOCAL(address) &&
           !IN6_IS_ADDR_UNSPECIFIED(address) && !IN6_IS_ADDR_MULTICAST(address);
}

/* Unique local addresses, and those for documentation. */
static bool is_reserved6(const struct in6_addr *address)
{
    static const uint8_t documentation[] = {0x20, 0x01, 0x0d, 0xb8};

    return (address->s6_addr[0] & 0xfe) == 0xfc ||
           memcmp(address->s6_addr, documentation, sizeof(documentation)) == 0;
}

void network_add_address(struct network *network, enum network_family family, const void *bytes,
                         uint32_t index)
{
    struct network_address *larger =
        reallocarray(network->addresses, network->address_count + 1, sizeof(*larger));
    struct network_interface *interface = network_find(network, index);
    struct in6_addr v6;
    uint32_t v4;

    if (!larger) {
        network->out_of_memory = true;
        return;
    }
    network->addresses = larger;
    struct network_address *address = &larger[network->address_count++];
    *address = (struct network_address){.family = family, .interface = index};
    if (family == NETWORK_IPV4) {
        memcpy(address->bytes, bytes, 4);
        memcpy(&v4, bytes, 4);
        address->global = is_global4(ntohl(v4));
        address->reserved = is_reserved4(ntohl(v4));
        inet_ntop(AF_INET, bytes, address->text, sizeof(address->text));
    } else {
        memcpy(address->bytes, bytes, 16);
        memcpy(&v6, bytes, 16);
        address->global = is_global6(&v6);
        address->reserved = is_reserved6(&v6);
        inet_ntop(AF_INET6, bytes, address->text, sizeof(address->text));
    }
    if (interface)
        interface->numbered[family] = true;
}

bool network_is_external(const struct network *network, const struct network_interface *interface)
{
    bool uplinks = false;

    if (!interface->up || interface->loopback || interface->enslaved)
        return false;
    for (size_t i = 0; i < network->interface_count; i++)
        uplinks |= network->interfaces[i].up &&
                   (network->interfaces[i].uplink[0] || network->interfaces[i].uplink[1]);
    return !uplinks || interface->uplink[0] || interface->uplink[1];
}

bool network_has(const struct network *network, enum network_family family, const void *bytes)
{
    for (size_t i = 0; i < network->address_count; i++)
        if (network->addresses[i].family == family &&
            memcmp(network->addresses[i].bytes, bytes, family == NETWORK_IPV4 ? 4 : 16) == 0)
            return true;
    return false;
}

bool network_has_global(const struct network *network, enum network_family family)
{
    for (size_t i = 0; i < network->address_count; i++)
        if (network->addresses[i].family == family && network->addresses[i].global)
            return true;
    return false;
}

const char *network_family_name(enum network_family family)
{
    return family == NETWORK_IPV4 ? "IPv4" : "IPv6";
}
