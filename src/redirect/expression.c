// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>

#include "redirect/expression.h"

/* In every network namespace. */
#define LOOPBACK_INDEX 1

#define OFFSET_TCP_FLAGS 13
#define TCP_FIN          0x01
#define TCP_SYN          0x02
#define TCP_RST          0x04
#define TCP_ACK          0x10

struct builder {
    struct nftnl_rule *rule;
    bool tcp_matched; /* nft says "meta l4proto tcp" once a rule */
    int family_matched;
    bool failed; /* sticky */
};

static struct nftnl_expr *expression_add(struct builder *builder, const char *name)
{
    struct nftnl_expr *expression = nftnl_expr_alloc(name);

    if (expression)
        nftnl_rule_add_expr(builder->rule, expression);
    else
        builder->failed = true;
    return expression;
}

/* [ meta load KEY => reg 1 ] */
static void add_meta(struct builder *builder, uint32_t key)
{
    struct nftnl_expr *e = expression_add(builder, "meta");

    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
    nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, NFT_REG_1);
}

/* [ cmp OP reg 1 DATA ] */
static void add_compare(struct builder *builder, uint32_t operation, const void *data,
                        uint32_t length)
{
    struct nftnl_expr *e = expression_add(builder, "cmp");

    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
    nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, operation);
    nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, data, length);
}

/* [ payload load LENGTHb @ BASE header + OFFSET => reg 1 ] */
static void add_payload(struct builder *builder, uint32_t base, size_t offset, size_t length)
{
    struct nftnl_expr *e = expression_add(builder, "payload");

    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, (uint32_t)offset);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, (uint32_t)length);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
}

/* [ lookup reg 1 set NAME ] */
static void add_lookup(struct builder *builder, const char *set)
{
    struct nftnl_expr *e = expression_add(builder, "lookup");

    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
    nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, set);
}

/* [ bitwise reg 1 = ( reg 1 & MASK ) ^ 0 ] */
static void add_mask(struct builder *builder, const void *mask, uint32_t length)
{
    static const uint8_t zero[4];
    struct nftnl_expr *e = expression_add(builder, "bitwise");

    assert(length <= sizeof(zero));
    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
    nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
    nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, length);
    nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, mask, length);
    nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, zero, length);
}

/* [ immediate reg 0 VERDICT ] */
static void add_verdict(struct builder *builder, uint32_t verdict)
{
    struct nftnl_expr *e = expression_add(builder, "immediate");

    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, verdict);
}

/* meta nfproto FAMILY */
static void match_family(struct builder *builder, uint8_t family)
{
    if (builder->family_matched == family)
        return;
    builder->family_matched = family;
    add_meta(builder, NFT_META_NFPROTO);
    add_compare(builder, NFT_CMP_EQ, &family, sizeof(family));
}

/* meta l4proto tcp */
static void match_tcp(struct builder *builder)
{
    static const uint8_t protocol = IPPROTO_TCP;

    if (builder->tcp_matched)
        return;
    builder->tcp_matched = true;
    add_meta(builder, NFT_META_L4PROTO);
    add_compare(builder, NFT_CMP_EQ, &protocol, sizeof(protocol));
}

/* iifname @SET */
static void add_iifname_in(struct builder *builder, const char *set)
{
    add_meta(builder, NFT_META_IIFNAME);
    add_lookup(builder, set);
}

/* iif != lo */
static void add_not_loopback(struct builder *builder)
{
    static const uint32_t loopback = LOOPBACK_INDEX;

    add_meta(builder, NFT_META_IIF);
    add_compare(builder, NFT_CMP_NEQ, &loopback, sizeof(loopback));
}

static void add_source(struct builder *builder, uint8_t family)
{
    match_family(builder, family);
    if (family == NFPROTO_IPV4)
        add_payload(builder, NFT_PAYLOAD_NETWORK_HEADER, offsetof(struct iphdr, saddr), 4);
    else
        add_payload(builder, NFT_PAYLOAD_NETWORK_HEADER, offsetof(struct ip6_hdr, ip6_src), 16);
}

/* ip daddr @SET, ip6 daddr @SET */
static void add_destination_in(struct builder *builder, uint8_t family, const char *set)
{
    match_family(builder, family);
    if (family == NFPROTO_IPV4)
        add_payload(builder, NFT_PAYLOAD_NETWORK_HEADER, offsetof(struct iphdr, daddr), 4);
    else
        add_payload(builder, NFT_PAYLOAD_NETWORK_HEADER, offsetof(struct ip6_hdr, ip6_dst), 16);
    add_lookup(builder, set);
}

/* ip saddr @SET, ip6 saddr @SET */
static void add_source_in(struct builder *builder, uint8_t family, const char *set)
{
    add_source(builder, family);
    add_lookup(builder, set);
}

/* fib daddr type local, fib saddr type unicast */
static void add_fib_type(struct builder *builder, uint32_t flags, uint32_t type)
{
    struct nftnl_expr *e = expression_add(builder, "fib");

    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_FLAGS, flags);
    nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
    nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_DREG, NFT_REG_1);
    add_compare(builder, NFT_CMP_EQ, &type, sizeof(type));
}

/* tcp sport @SET, tcp dport @SET */
static void add_port_in(struct builder *builder, size_t offset, const char *set)
{
    match_tcp(builder);
    add_payload(builder, NFT_PAYLOAD_TRANSPORT_HEADER, offset, sizeof(uint16_t));
    add_lookup(builder, set);
}

/* tcp dport PORT */
static void add_dport(struct builder *builder, uint16_t port)
{
    uint16_t network = htons(port);

    match_tcp(builder);
    add_payload(builder, NFT_PAYLOAD_TRANSPORT_HEADER, offsetof(struct tcphdr, dest),
                sizeof(network));
    add_compare(builder, NFT_CMP_EQ, &network, sizeof(network));
}

/* tcp flags & (fin | syn | rst | ack) == syn */
static void add_syn(struct builder *builder)
{
    static const uint8_t mask = TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK;
    static const uint8_t syn = TCP_SYN;

    match_tcp(builder);
    add_payload(builder, NFT_PAYLOAD_TRANSPORT_HEADER, OFFSET_TCP_FLAGS, sizeof(mask));
    add_mask(builder, &mask, sizeof(mask));
    add_compare(builder, NFT_CMP_EQ, &syn, sizeof(syn));
}

/* ct status & MASK OP VALUE */
static void add_ct_status(struct builder *builder, uint32_t mask, uint32_t operation,
                          uint32_t value)
{
    struct nftnl_expr *e = expression_add(builder, "ct");

    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, NFT_CT_STATUS);
    nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, NFT_REG_1);
    add_mask(builder, &mask, sizeof(mask));
    add_compare(builder, operation, &value, sizeof(value));
}

/* add @SET { ip saddr }, delete @SET { ip6 saddr } */
static void add_source_change(struct builder *builder, uint8_t family, uint32_t operation,
                              const char *set)
{
    struct nftnl_expr *e;

    add_source(builder, family);
    e = expression_add(builder, "dynset");
    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_OP, operation);
    nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SREG_KEY, NFT_REG_1);
    nftnl_expr_set_str(e, NFTNL_EXPR_DYNSET_SET_NAME, set);
}

/* redirect to :PORT */
static void add_redirect(struct builder *builder, uint16_t port)
{
    uint16_t network = htons(port);
    struct nftnl_expr *e = expression_add(builder, "immediate");

    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
    nftnl_expr_set(e, NFTNL_EXPR_IMM_DATA, &network, sizeof(network));
    e = expression_add(builder, "redir");
    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_REDIR_REG_PROTO_MIN, NFT_REG_1);
    nftnl_expr_set_u32(e, NFTNL_EXPR_REDIR_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
}

static void add_statement(struct builder *builder, const struct ruleset_statement *statement)
{
    switch (statement->type) {
    case RULESET_FAMILY4:
        match_family(builder, NFPROTO_IPV4);
        break;
    case RULESET_FAMILY6:
        match_family(builder, NFPROTO_IPV6);
        break;
    case RULESET_IIFNAME_IN:
        add_iifname_in(builder, statement->set);
        break;
    case RULESET_NOT_LOOPBACK:
        add_not_loopback(builder);
        break;
    case RULESET_SADDR4_IN:
        add_source_in(builder, NFPROTO_IPV4, statement->set);
        break;
    case RULESET_SADDR6_IN:
        add_source_in(builder, NFPROTO_IPV6, statement->set);
        break;
    case RULESET_DADDR4_IN:
        add_destination_in(builder, NFPROTO_IPV4, statement->set);
        break;
    case RULESET_DADDR6_IN:
        add_destination_in(builder, NFPROTO_IPV6, statement->set);
        break;
    case RULESET_DADDR_LOCAL:
        add_fib_type(builder, NFTA_FIB_F_DADDR, RTN_LOCAL);
        break;
    case RULESET_SADDR_REAL:
        add_fib_type(builder, NFTA_FIB_F_SADDR, RTN_UNICAST);
        break;
    case RULESET_SPORT_IN:
        add_port_in(builder, offsetof(struct tcphdr, source), statement->set);
        break;
    case RULESET_DPORT_IN:
        add_port_in(builder, offsetof(struct tcphdr, dest), statement->set);
        break;
    case RULESET_DPORT:
        add_dport(builder, statement->port);
        break;
    case RULESET_SYN:
        add_syn(builder);
        break;
    case RULESET_CT_DNAT:
        add_ct_status(builder, IPS_DST_NAT, NFT_CMP_NEQ, 0);
        break;
    case RULESET_CT_DNAT_NEW:
        add_ct_status(builder, IPS_DST_NAT | IPS_CONFIRMED, NFT_CMP_EQ, IPS_DST_NAT);
        break;
    case RULESET_ADD_SADDR4:
        add_source_change(builder, NFPROTO_IPV4, NFT_DYNSET_OP_ADD, statement->set);
        break;
    case RULESET_ADD_SADDR6:
        add_source_change(builder, NFPROTO_IPV6, NFT_DYNSET_OP_ADD, statement->set);
        break;
    case RULESET_DELETE_SADDR4:
        add_source_change(builder, NFPROTO_IPV4, NFT_DYNSET_OP_DELETE, statement->set);
        break;
    case RULESET_DELETE_SADDR6:
        add_source_change(builder, NFPROTO_IPV6, NFT_DYNSET_OP_DELETE, statement->set);
        break;
    case RULESET_COUNTER:
        expression_add(builder, "counter");
        break;
    case RULESET_REDIRECT:
        add_redirect(builder, statement->port);
        break;
    case RULESET_ACCEPT:
        add_verdict(builder, NF_ACCEPT);
        break;
    case RULESET_DROP:
        add_verdict(builder, NF_DROP);
        break;
    case RULESET_STATEMENTS:
        assert(false);
    }
}

bool expression_add_all(struct nftnl_rule *out, const struct ruleset_rule *rule)
{
    struct builder builder = {.rule = out, .family_matched = NFPROTO_UNSPEC};

    for (size_t i = 0; i < rule->statement_count; i++)
        add_statement(&builder, &rule->statements[i]);
    return !builder.failed;
}
