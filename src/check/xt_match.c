// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_connlimit.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_hashlimit.h>
#include <linux/netfilter/xt_iprange.h>
#include <linux/netfilter/xt_mac.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_recent.h>
#include <linux/netfilter/xt_rpfilter.h>
#include <linux/netfilter/xt_state.h>
#include <linux/netfilter/xt_tcpudp.h>

#include "check/xt.h"

/* The matches of iptables, as its kernel modules keep them. They come through the kernel, which has
 * checked their length; it is checked again all the same. */

static enum truth decided(bool holds)
{
    return holds ? TRUTH_YES : TRUTH_NO;
}

static uint16_t source_port(const struct packet *packet)
{
    uint16_t port;

    memcpy(&port, packet->transport.value, sizeof(port));
    return ntohs(port);
}

static enum truth match_tcp(const struct packet *packet, const void *info, size_t length)
{
    struct xt_tcp tcp;

    if (length < sizeof(tcp))
        return TRUTH_OPEN;
    memcpy(&tcp, info, sizeof(tcp));
    uint16_t source = source_port(packet);
    bool from = source >= tcp.spts[0] && source <= tcp.spts[1];
    bool to = packet->destination_port >= tcp.dpts[0] && packet->destination_port <= tcp.dpts[1];
    bool flags = (packet->transport.value[13] & tcp.flg_mask) == tcp.flg_cmp;
    if (from == !!(tcp.invflags & XT_TCP_INV_SRCPT) || to == !!(tcp.invflags & XT_TCP_INV_DSTPT) ||
        flags == !!(tcp.invflags & XT_TCP_INV_FLAGS))
        return TRUTH_NO;
    return tcp.option != 0 ? TRUTH_OPEN : TRUTH_YES;
}

static enum truth match_multiport(const struct packet *packet, const void *info, size_t length)
{
    struct xt_multiport_v1 multiport;
    uint16_t source = source_port(packet);
    bool found = false;

    if (length < sizeof(multiport))
        return TRUTH_OPEN;
    memcpy(&multiport, info, sizeof(multiport));
    for (size_t i = 0; i < multiport.count && i < XT_MULTI_PORTS; i++) {
        uint16_t first = multiport.ports[i], last = first;

        if (multiport.pflags[i] && i + 1 < XT_MULTI_PORTS)
            last = multiport.ports[++i];
        bool from = source >= first && source <= last;
        bool to = packet->destination_port >= first && packet->destination_port <= last;
        found |= multiport.flags == XT_MULTIPORT_SOURCE        ? from
                 : multiport.flags == XT_MULTIPORT_DESTINATION ? to
                                                               : from || to;
    }
    return decided(found != (multiport.invert != 0));
}

static uint32_t xt_states(const struct packet *packet)
{
    uint32_t states = packet->state & (XT_CONNTRACK_STATE_INVALID | NF_CT_STATE_BIT(IP_CT_NEW) |
                                       NF_CT_STATE_BIT(IP_CT_ESTABLISHED));

    if (packet->tracked && packet->status & IPS_DST_NAT)
        states |= XT_CONNTRACK_STATE_DNAT;
    if (packet->tracked && packet->status & IPS_SRC_NAT)
        states |= XT_CONNTRACK_STATE_SNAT;
    return states;
}

/* The three revisions begin alike; only the first has its masks in bytes. */
static enum truth match_conntrack(const struct packet *packet, uint32_t revision, const void *info,
                                  size_t length)
{
    struct xt_conntrack_mtinfo2 conntrack;
    uint32_t state_mask, status_mask;

    if (revision < 1 || revision > 3 ||
        length < (revision == 1 ? sizeof(struct xt_conntrack_mtinfo1) : sizeof(conntrack)))
        return TRUTH_OPEN;
    memset(&conntrack, 0, sizeof(conntrack));
    memcpy(&conntrack, info, length < sizeof(conntrack) ? length : sizeof(conntrack));
    state_mask = conntrack.state_mask;
    status_mask = conntrack.status_mask;
    if (revision == 1) {
        struct xt_conntrack_mtinfo1 first;

        memcpy(&first, info, sizeof(first));
        state_mask = first.state_mask;
        status_mask = first.status_mask;
    }
    uint32_t wanted = conntrack.match_flags, inverted = conntrack.invert_flags;
    enum truth holds = TRUTH_YES;
    if (wanted & (XT_CONNTRACK_STATE | XT_CONNTRACK_STATE_ALIAS)) {
        bool any = xt_states(packet) & state_mask;

        holds = decided(any != !!(inverted & XT_CONNTRACK_STATE));
    }
    if (wanted & ~(uint32_t)(XT_CONNTRACK_STATE | XT_CONNTRACK_STATE_ALIAS) && !packet->tracked)
        return TRUTH_NO;
    if (wanted & XT_CONNTRACK_STATUS)
        holds = truth_and(holds, decided((packet->status & status_mask ||
                                          (status_mask == 0 && packet->status == 0)) !=
                                         !!(inverted & XT_CONNTRACK_STATUS)));
    if (wanted & XT_CONNTRACK_DIRECTION)
        holds = truth_and(holds, decided(packet->reply == !!(inverted & XT_CONNTRACK_DIRECTION)));
    if (wanted & XT_CONNTRACK_ORIGDST_PORT && revision == 3) {
        struct xt_conntrack_mtinfo3 third;

        if (length < sizeof(third))
            return TRUTH_OPEN;
        memcpy(&third, info, sizeof(third));
        bool in = packet->original_port >= third.origdst_port &&
                  packet->original_port <= third.origdst_port_high;
        holds = truth_and(holds, decided(in != !!(inverted & XT_CONNTRACK_ORIGDST_PORT)));
        wanted &= ~(uint32_t)XT_CONNTRACK_ORIGDST_PORT;
    }
    wanted &= ~(uint32_t)(XT_CONNTRACK_STATE | XT_CONNTRACK_STATE_ALIAS | XT_CONNTRACK_STATUS |
                          XT_CONNTRACK_DIRECTION);
    return wanted != 0 ? truth_and(holds, TRUTH_OPEN) : holds;
}

static enum truth match_state(const struct packet *packet, const void *info, size_t length)
{
    struct xt_state_info state;

    if (length < sizeof(state))
        return TRUTH_OPEN;
    memcpy(&state, info, sizeof(state));
    return decided(xt_states(packet) & state.statemask);
}

/* Bit n is the type n of rtnetlink. */
static enum truth match_addrtype(const struct packet *packet, uint32_t revision, const void *info,
                                 size_t length)
{
    uint32_t here = XT_ADDRTYPE_LOCAL, there = XT_ADDRTYPE_UNICAST;
    uint32_t source = packet->reply ? here : there, destination = packet->reply ? there : here;
    struct xt_addrtype_info old;
    struct xt_addrtype_info_v1 info1;
    bool source_inverted, destination_inverted;

    if (revision == 0 && length >= sizeof(old)) {
        memcpy(&old, info, sizeof(old));
        info1 = (struct xt_addrtype_info_v1){.source = old.source, .dest = old.dest};
        source_inverted = old.invert_source;
        destination_inverted = old.invert_dest;
    } else if (revision == 1 && length >= sizeof(info1)) {
        memcpy(&info1, info, sizeof(info1));
        source_inverted = info1.flags & XT_ADDRTYPE_INVERT_SOURCE;
        destination_inverted = info1.flags & XT_ADDRTYPE_INVERT_DEST;
    } else {
        return TRUTH_OPEN;
    }
    if (info1.source != 0 && !(info1.source & source) != source_inverted)
        return TRUTH_NO;
    if (info1.dest != 0 && !(info1.dest & destination) != destination_inverted)
        return TRUTH_NO;
    return TRUTH_YES;
}

static enum truth match_mark(const struct packet *packet, size_t which, const void *info,
                             size_t length)
{
    struct xt_mark_mtinfo1 mark;
    uint32_t value, known;

    if (length < sizeof(mark))
        return TRUTH_OPEN;
    memcpy(&mark, info, sizeof(mark));
    memcpy(&value, packet->marks.value + which, sizeof(value));
    memcpy(&known, packet->marks.known + which, sizeof(known));
    enum truth holds = TRUTH_YES;
    if (((value & mark.mask) ^ mark.mark) & (known | ~mark.mask))
        holds = TRUTH_NO;
    else if (mark.mask & ~known)
        holds = TRUTH_UNLIKELY;
    return mark.invert ? truth_not(holds) : holds;
}

/* The number at an offset of what a match keeps; 0 behind its end. */
static uint32_t number_at(const void *info, size_t length, size_t offset, size_t width)
{
    uint32_t value = 0;
    uint8_t byte = 0;

    if (offset + width > length)
        return 0;
    if (width == sizeof(byte)) {
        memcpy(&byte, (const uint8_t *)info + offset, sizeof(byte));
        return byte;
    }
    memcpy(&value, (const uint8_t *)info + offset, sizeof(value));
    return value;
}

/* Those that single somebody out, by his address, how often he comes or what he sends: whom nothing
 * singles out they do not match, unless they are inverted. Others are left open. */
static enum truth match_single(const char *name, uint32_t revision, const void *info, size_t length)
{
    static const struct {
        const char *name;
        size_t offset, width;
        uint32_t revision; /* at least */
        uint32_t inverts;  /* the bits that turn it round */
    } singles[] = {
        {"set", 3, 1, 1, IPSET_INV_MATCH},
        {"iprange", offsetof(struct xt_iprange_mtinfo, flags), 1, 1,
         IPRANGE_SRC_INV | IPRANGE_DST_INV},
        {"mac", offsetof(struct xt_mac_info, invert), 4, 0, UINT32_MAX},
        {"connlimit", offsetof(struct xt_connlimit_info, flags), 4, 0, XT_CONNLIMIT_INVERT},
        {"recent", offsetof(struct xt_recent_mtinfo, invert), 1, 0, UINT32_MAX},
        {"icmp", 0, 1, 0, 0},
        {"icmp6", 0, 1, 0, 0},
        {"string", 0, 1, 0, 0},
        /* Other protocols, and headers between IPv6 and TCP. */
        {"udp", 0, 1, 0, 0},
        {"udplite", 0, 1, 0, 0},
        {"sctp", 0, 1, 0, 0},
        {"dccp", 0, 1, 0, 0},
        {"esp", 0, 1, 0, 0},
        {"ah", 0, 1, 0, 0},
        {"rt", 0, 1, 0, 0},
        {"frag", 0, 1, 0, 0},
        {"hbh", 0, 1, 0, 0},
        {"dst", 0, 1, 0, 0},
        {"mh", 0, 1, 0, 0},
    };

    for (size_t i = 0; i < sizeof(singles) / sizeof(singles[0]); i++)
        if (strcmp(name, singles[i].name) == 0 && revision >= singles[i].revision)
            return number_at(info, length, singles[i].offset, singles[i].width) & singles[i].inverts
                       ? TRUTH_LIKELY
                       : TRUTH_UNLIKELY;
    return TRUTH_OPEN;
}

static enum truth match_other(const char *name, uint32_t revision, const void *info, size_t length)
{
    if (strcmp(name, "comment") == 0)
        return TRUTH_YES;
    if (strcmp(name, "limit") == 0)
        return TRUTH_LIKELY;
    if (strcmp(name, "hashlimit") == 0) {
        size_t at = revision < 2 ? offsetof(struct xt_hashlimit_mtinfo1, cfg)
                                 : offsetof(struct xt_hashlimit_mtinfo2, cfg);

        return number_at(info, length, at, 4) & XT_HASHLIMIT_INVERT ? TRUTH_UNLIKELY : TRUTH_LIKELY;
    }
    if (strcmp(name, "recent") == 0 &&
        number_at(info, length, offsetof(struct xt_recent_mtinfo, check_set), 1) & XT_RECENT_SET)
        return TRUTH_YES;
    if (strcmp(name, "rpfilter") == 0)
        return number_at(info, length, 0, 1) & XT_RPFILTER_INVERT ? TRUTH_UNLIKELY : TRUTH_LIKELY;
    if (strcmp(name, "pkttype") == 0)
        return decided((number_at(info, length, 0, 4) == 0) ==
                       (number_at(info, length, 4, 4) == 0));
    return match_single(name, revision, info, length);
}

enum truth xt_match(const struct packet *packet, const char *name, uint32_t revision,
                    const void *info, size_t length)
{
    if (strcmp(name, "tcp") == 0)
        return match_tcp(packet, info, length);
    if (strcmp(name, "multiport") == 0 && revision == 1)
        return match_multiport(packet, info, length);
    if (strcmp(name, "conntrack") == 0)
        return match_conntrack(packet, revision, info, length);
    if (strcmp(name, "state") == 0)
        return match_state(packet, info, length);
    if (strcmp(name, "addrtype") == 0)
        return match_addrtype(packet, revision, info, length);
    if (strcmp(name, "mark") == 0 && revision == 1)
        return match_mark(packet, 0, info, length);
    if (strcmp(name, "connmark") == 0 && revision == 1)
        return packet->tracked ? match_mark(packet, 4, info, length) : TRUTH_NO;
    return match_other(name, revision, info, length);
}
