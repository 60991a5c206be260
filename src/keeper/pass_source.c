// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/pass_source.h"

#include <stdio.h>

#include "keeper/addresses.h"

#define PORT_RANGE "/proc/sys/net/ipv4/ip_local_port_range"

enum { OTHERS_MS = 5000, DISTRUST_MS = 10000 };
/* The attempts: from these addresses with the visitor's port, then again with any port. */
enum { FROM_LOOPBACK, FROM_DESTINATION, FROM_OTHERS, OTHERS_TRIED = 3 };
enum { FROM_LOOPBACK_AFTER_ALL = FROM_OTHERS + OTHERS_TRIED, ADDRESSES_TRIED };
/* The visitor's port, then so often a usual one, then any. */
enum { USUAL_ROUNDS = 6 };

void pass_sources_init(struct pass_sources *sources)
{
    unsigned int low = 0, high = 0;
    FILE *range = fopen(PORT_RANGE, "re");

    *sources = (struct pass_sources){
        .usual = {.low = 32768, .high = 60999, .next = 32768},
        .wide = {.low = 1024, .high = UINT16_MAX, .next = 1024},
        .quiet = {.low = 10240, .high = 32767, .next = 10240},
    };
    if (range != NULL && fscanf(range, "%u %u", &low, &high) == 2 && low >= 1024 && low < high &&
        high <= UINT16_MAX)
        sources->usual = (struct pass_ports){(uint16_t)low, (uint16_t)high, (uint16_t)low};
    if (range != NULL)
        fclose(range);
}

static enum redirect_family family_of(sa_family_t family)
{
    return family == AF_INET ? REDIRECT_IPV4 : REDIRECT_IPV6;
}

void pass_sources_note(struct pass_sources *sources, const struct redirect_counters *counters)
{
    for (size_t i = 0; i < REDIRECT_FAMILIES; i++) {
        sources->loopback[i].here = counters->family[i].here > 0;
        sources->loopback[i].elsewhere = counters->family[i].elsewhere > 0;
    }
}

void pass_sources_distrust(struct pass_sources *sources, sa_family_t family, uint64_t now_ms)
{
    sources->loopback[family_of(family)].distrusted_until_ms = now_ms + DISTRUST_MS;
}

/* Always the same for one visitor, so that production finds the sequence numbers and timestamps of
 * its connections in order; and never 127.0.0.1, which may be a visitor's own. */
static void set_loopback(union address *out, const struct pass_visitor *visitor)
{
    out->any.sa_family = visitor->from.any.sa_family;
    if (out->any.sa_family == AF_INET6) {
        out->v6.sin6_addr = in6addr_loopback;
        return;
    }
    uint32_t mixed = ntohl(visitor->from.v4.sin_addr.s_addr) * UINT32_C(2654435761);
    /* Half of 127.128.0.0/10. */
    out->v4.sin_addr.s_addr = htonl(UINT32_C(0x7f800001) | (mixed >> 8 & UINT32_C(0x3ffffe)));
}

static bool take_other(const struct host_address *found, void *context)
{
    struct pass_sources *sources = context;

    if (!found->loopback && !address_is_link_local(&found->address))
        sources->others[sources->other_count++] = found->address;
    return sources->other_count < PASS_SOURCE_ADDRESSES;
}

/* The `index`th of the visitor's family. */
static bool find_other(struct pass_sources *sources, const struct pass_visitor *visitor,
                       unsigned int index, uint64_t now_ms, union address *out)
{
    if (now_ms >= sources->others_until_ms) {
        sources->other_count = 0;
        addresses_list(take_other, sources); /* without it there are none, which is no harm */
        sources->others_until_ms = now_ms + OTHERS_MS;
    }
    for (size_t i = 0; i < sources->other_count; i++) {
        const union address *other = &sources->others[i];

        if (other->any.sa_family != visitor->to.any.sa_family ||
            address_is_same(other, &visitor->to))
            continue;
        if (index-- == 0) {
            *out = *other;
            return true;
        }
    }
    return false;
}

static bool is_proved(const struct pass_sources *sources, sa_family_t family)
{
    return sources->loopback[family_of(family)].here;
}

static bool loopback_may_work(const struct pass_sources *sources, sa_family_t family,
                              uint64_t now_ms)
{
    enum redirect_family index = family_of(family);

    return !sources->loopback[index].elsewhere &&
           now_ms >= sources->loopback[index].distrusted_until_ms;
}

static bool find_address(struct pass_sources *sources, const struct pass_visitor *visitor,
                         unsigned int from, uint64_t now_ms, union address *out)
{
    *out = (union address){0};
    /* Of one link: no other address leads to where it was meant to go. */
    if (address_is_link_local(&visitor->to) && from != FROM_DESTINATION)
        return false;
    switch (from) {
    case FROM_LOOPBACK:
    case FROM_LOOPBACK_AFTER_ALL:
        if (!loopback_may_work(sources, visitor->from.any.sa_family, now_ms) ||
            is_proved(sources, visitor->from.any.sa_family) != (from == FROM_LOOPBACK))
            return false;
        set_loopback(out, visitor);
        break;
    case FROM_DESTINATION:
        *out = visitor->to;
        break;
    default:
        if (!find_other(sources, visitor, from - FROM_OTHERS, now_ms, out))
            return false;
        break;
    }
    /* Only what is rewritten is let out of this host, and this would not be. */
    return !address_is_same(out, &visitor->from);
}

static uint16_t next_port(struct pass_ports *ports)
{
    uint16_t port = ports->next;

    ports->next = port >= ports->high ? ports->low : (uint16_t)(port + 1);
    return port;
}

static uint16_t find_port(struct pass_sources *sources, const struct pass_visitor *visitor,
                          unsigned int round)
{
    uint16_t own = address_port(&visitor->from), port;

    if (!visitor->port_is_taken)
        return round == 0              ? own
               : round <= USUAL_ROUNDS ? next_port(&sources->usual)
                                       : next_port(&sources->wide);
    do
        port = next_port(round <= USUAL_ROUNDS ? &sources->quiet : &sources->wide);
    while (port == own);
    return port;
}

bool pass_sources_find(struct pass_sources *sources, const struct pass_visitor *visitor,
                       unsigned int attempt, uint64_t now_ms, union address *out)
{
    unsigned int round = attempt / ADDRESSES_TRIED;

    if (!find_address(sources, visitor, attempt % ADDRESSES_TRIED, now_ms, out))
        return false;
    address_set_port(out, find_port(sources, visitor, round));
    return true;
}
