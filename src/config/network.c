// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/network.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "wicket/quote.h"

static uint8_t full_prefix(int family)
{
    return family == AF_INET ? 32 : 128;
}

/* The address bytes of either family, in network order. */
static const uint8_t *network_bytes(const struct config_network *network)
{
    return (const uint8_t *)&network->address;
}

static int refuse(const char *text, const char *wanted, struct error *error)
{
    return error_set(error, EX_CONFIG, "%s is no %s", QUOTE(text, strlen(text)), wanted);
}

static int parse_literal(struct config_network *out, const char *text)
{
    *out = (struct config_network){0};
    if (inet_pton(AF_INET, text, &out->address.v4) == 1)
        out->family = AF_INET;
    else if (inet_pton(AF_INET6, text, &out->address.v6) == 1)
        out->family = AF_INET6;
    else
        return -1;
    out->prefix = full_prefix(out->family);
    return 0;
}

/* The kernel shows an IPv4 packet to IPv4 rules only. */
static int refuse_mapped(const struct config_network *network, const char *text,
                         struct error *error)
{
    if (network->family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&network->address.v6))
        return error_set(error, EX_CONFIG, "%s is an IPv4 address in IPv6 form: write it as IPv4",
                         QUOTE(text, strlen(text)));
    return 0;
}

int network_parse_address(struct config_network *out, const char *text, struct error *error)
{
    static const uint8_t zero[16];
    if (strchr(text, '/'))
        return error_set(error, EX_CONFIG, "%s has a prefix: single addresses only",
                         QUOTE(text, strlen(text)));
    if (parse_literal(out, text) != 0)
        return refuse(text, "IPv4 or IPv6 address", error);
    if (refuse_mapped(out, text, error) != 0)
        return -1;

    size_t length = full_prefix(out->family) / 8;
    uint8_t first = network_bytes(out)[0];
    bool multicast = out->family == AF_INET ? first >= 224 : first == 0xff;
    if (memcmp(network_bytes(out), zero, length) == 0)
        return error_set(error, EX_CONFIG,
                         "%s is not the address of a host: leave the list empty for all addresses",
                         QUOTE(text, strlen(text)));
    if (multicast)
        return error_set(error, EX_CONFIG, "%s is not the address of a host",
                         QUOTE(text, strlen(text)));
    return 0;
}

/* Clears the host bits of `network`; returns whether there were any. */
static bool mask_host_bits(struct config_network *network)
{
    uint8_t *bytes = (uint8_t *)&network->address;
    bool found = false;
    for (size_t bit = network->prefix; bit < full_prefix(network->family); bit++) {
        uint8_t mask = (uint8_t)(0x80 >> (bit % 8));
        found = found || (bytes[bit / 8] & mask) != 0;
        bytes[bit / 8] = (uint8_t)(bytes[bit / 8] & ~mask);
    }
    return found;
}

/* Decimal without a leading zero, at most `most`. */
static int parse_prefix(const char *text, unsigned most)
{
    unsigned prefix = 0;
    size_t length = strlen(text);
    if (length == 0 || length > 3 || (text[0] == '0' && length > 1))
        return -1;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -1;
        prefix = prefix * 10 + (unsigned)(*text - '0');
    }
    return prefix <= most ? (int)prefix : -1;
}

int network_parse(struct config_network *out, const char *text, struct error *error)
{
    char address[INET6_ADDRSTRLEN] = "";
    const char *slash = strchr(text, '/');
    size_t address_length = slash ? (size_t)(slash - text) : strlen(text);
    if (address_length < sizeof(address))
        memcpy(address, text, address_length);
    if (parse_literal(out, address) != 0)
        return refuse(text, "IPv4 or IPv6 address or network", error);
    if (refuse_mapped(out, text, error) != 0)
        return -1;
    if (!slash)
        return 0;

    int prefix = parse_prefix(slash + 1, full_prefix(out->family));
    if (prefix < 0)
        return error_set(error, EX_CONFIG, "%s: the prefix must be a number from 0 to %u",
                         QUOTE(text, strlen(text)), full_prefix(out->family));
    out->prefix = (uint8_t)prefix;
    if (mask_host_bits(out)) {
        char meant[NETWORK_TEXT];
        return error_set(error, EX_CONFIG,
                         "%s is not a network, since bits behind the prefix are set: %s is",
                         QUOTE(text, strlen(text)), network_format(meant, sizeof(meant), out));
    }
    return 0;
}

bool network_contains(const struct config_network *outer, const struct config_network *inner)
{
    if (outer->family != inner->family || outer->prefix > inner->prefix)
        return false;
    struct config_network masked = *inner;
    masked.prefix = outer->prefix;
    mask_host_bits(&masked);
    return memcmp(network_bytes(&masked), network_bytes(outer), full_prefix(outer->family) / 8) ==
           0;
}

char *network_format(char *out, size_t capacity, const struct config_network *network)
{
    char address[INET6_ADDRSTRLEN] = "";
    inet_ntop(network->family, &network->address, address, sizeof(address));
    if (network->prefix == full_prefix(network->family))
        snprintf(out, capacity, "%s", address);
    else
        snprintf(out, capacity, "%s/%u", address, network->prefix);
    return out;
}
