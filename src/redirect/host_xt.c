// SPDX-License-Identifier: GPL-2.0-or-later
#include "redirect/host_xt.h"

#include <stdio.h>
#include <string.h>

#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_tcpudp.h>

static enum host_match certain(bool matches)
{
    return matches ? HOST_ALWAYS : HOST_NEVER;
}

/* -m conntrack --ctstate, of whose revisions the last is what any iptables of today writes. */
static enum host_match match_conntrack(const void *data, uint32_t length,
                                       const struct host_subject *subject)
{
    static const unsigned int sources =
        XT_CONNTRACK_ORIGSRC | XT_CONNTRACK_REPLDST | XT_CONNTRACK_ORIGSRC_PORT;
    struct xt_conntrack_mtinfo3 info;
    unsigned int states = XT_CONNTRACK_STATE_BIT(IP_CT_NEW);

    if (length < sizeof(info))
        return HOST_PERHAPS;
    memcpy(&info, data, sizeof(info));
    unsigned int flags = info.match_flags & ~(unsigned int)XT_CONNTRACK_STATE_ALIAS;
    if (flags & sources)
        return HOST_BY_SOURCE;
    if (flags != XT_CONNTRACK_STATE)
        return HOST_PERHAPS;
    if (subject->redirected)
        states |= XT_CONNTRACK_STATE_DNAT;
    bool inverted = (info.invert_flags & XT_CONNTRACK_STATE) != 0;
    return certain(((info.state_mask & states) != 0) != inverted);
}

/* -m state --state, the old form of it: struct xt_state_info is one number. */
static enum host_match match_state(const void *data, uint32_t length)
{
    unsigned int mask;

    if (length < sizeof(mask))
        return HOST_PERHAPS;
    memcpy(&mask, data, sizeof(mask));
    return certain((mask & XT_CONNTRACK_STATE_BIT(IP_CT_NEW)) != 0);
}

/* -p tcp, with what it may say of ports and flags. */
static enum host_match match_tcp(const void *data, uint32_t length,
                                 const struct host_subject *subject)
{
    static const unsigned char syn = 0x02;
    struct xt_tcp info;

    if (length < sizeof(info))
        return HOST_PERHAPS;
    memcpy(&info, data, sizeof(info));
    bool port = subject->port >= info.dpts[0] && subject->port <= info.dpts[1];
    if (port == ((info.invflags & XT_TCP_INV_DSTPT) != 0))
        return HOST_NEVER;
    bool flags = (syn & info.flg_mask) == info.flg_cmp;
    if (flags == ((info.invflags & XT_TCP_INV_FLAGS) != 0))
        return HOST_NEVER;
    return info.spts[0] == 0 && info.spts[1] == UINT16_MAX && info.option == 0 ? HOST_ALWAYS
                                                                               : HOST_PERHAPS;
}

static enum host_match match_multiport(const void *data, uint32_t length,
                                       const struct host_subject *subject)
{
    struct xt_multiport_v1 info;
    bool found = false;

    if (length < sizeof(info))
        return HOST_PERHAPS;
    memcpy(&info, data, sizeof(info));
    if (info.flags != XT_MULTIPORT_DESTINATION || info.count > XT_MULTI_PORTS)
        return HOST_PERHAPS;
    for (unsigned int i = 0; i < info.count; i++) {
        uint16_t first = info.ports[i];

        if (info.pflags[i] && i + 1 < info.count)
            i++;
        found |= subject->port >= first && subject->port <= info.ports[i];
    }
    return certain(found != (info.invert != 0));
}

/* -m addrtype: the destination is this host's own. */
static enum host_match match_addrtype(const void *data, uint32_t length)
{
    struct xt_addrtype_info_v1 info;

    if (length < sizeof(info))
        return HOST_PERHAPS;
    memcpy(&info, data, sizeof(info));
    if (info.source != 0)
        return HOST_BY_SOURCE;
    if (info.dest == 0 || (info.flags & (XT_ADDRTYPE_LIMIT_IFACE_IN | XT_ADDRTYPE_LIMIT_IFACE_OUT)))
        return HOST_PERHAPS;
    bool inverted = (info.flags & XT_ADDRTYPE_INVERT_DEST) != 0;
    return certain(((info.dest & XT_ADDRTYPE_LOCAL) != 0) != inverted);
}

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

enum host_match host_xt_match(const struct nftnl_expr *match, const struct host_subject *subject)
{
    static const char *const by_source[] = {"geoip", "iprange", "mac", "recent", "rpfilter", "set"};
    /* Of extension headers of IPv6, which no connection of the usual kind has. */
    static const char *const extensions[] = {"dst", "frag", "hbh", "mh", "rt"};
    const char *name = nftnl_expr_get_str(match, NFTNL_EXPR_MT_NAME);
    uint32_t length = 0;
    const void *data = nftnl_expr_get(match, NFTNL_EXPR_MT_INFO, &length);

    if (!name || !data)
        return HOST_PERHAPS;
    if (strcmp(name, "comment") == 0)
        return HOST_ALWAYS;
    if (strcmp(name, "conntrack") == 0)
        return nftnl_expr_get_u32(match, NFTNL_EXPR_MT_REV) == 3
                   ? match_conntrack(data, length, subject)
                   : HOST_PERHAPS;
    if (strcmp(name, "state") == 0)
        return match_state(data, length);
    if (strcmp(name, "tcp") == 0)
        return match_tcp(data, length, subject);
    if (strcmp(name, "multiport") == 0)
        return match_multiport(data, length, subject);
    if (strcmp(name, "addrtype") == 0)
        return nftnl_expr_get_u32(match, NFTNL_EXPR_MT_REV) == 1 ? match_addrtype(data, length)
                                                                 : HOST_PERHAPS;
    if (is_one_of(name, by_source, sizeof(by_source) / sizeof(by_source[0])))
        return HOST_BY_SOURCE;
    if (is_one_of(name, extensions, sizeof(extensions) / sizeof(extensions[0])))
        return HOST_NEVER;
    return HOST_PERHAPS;
}

enum host_act host_xt_target(const struct nftnl_expr *target)
{
    static const char *const passing[] = {"AUDIT",   "CLASSIFY", "CONNMARK", "CONNSECMARK",
                                          "CT",      "LOG",      "MARK",     "NFLOG",
                                          "SECMARK", "SET",      "TCPMSS",   "TRACE"};
    const char *name = nftnl_expr_get_str(target, NFTNL_EXPR_TG_NAME);

    if (name && is_one_of(name, passing, sizeof(passing) / sizeof(passing[0])))
        return HOST_CONTINUES;
    return name && strcmp(name, "REJECT") == 0 ? HOST_DROPS : HOST_OTHER;
}
