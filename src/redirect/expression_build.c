// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "redirect/expression_build.h"

struct nftnl_expr *expression_add(struct builder *builder, const char *name)
{
    struct nftnl_expr *expression = nftnl_expr_alloc(name);

    if (expression)
        nftnl_rule_add_expr(builder->rule, expression);
    else
        builder->failed = true;
    return expression;
}

void add_meta(struct builder *builder, uint32_t key)
{
    struct nftnl_expr *e = expression_add(builder, "meta");

    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
    nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, NFT_REG_1);
}

void add_compare(struct builder *builder, uint32_t operation, const void *data, uint32_t length)
{
    struct nftnl_expr *e = expression_add(builder, "cmp");

    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
    nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, operation);
    nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, data, length);
}

void add_payload_to(struct builder *builder, uint32_t base, size_t offset, size_t length,
                    uint32_t to)
{
    struct nftnl_expr *e = expression_add(builder, "payload");

    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, (uint32_t)offset);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, (uint32_t)length);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, to);
}

void add_payload(struct builder *builder, uint32_t base, size_t offset, size_t length)
{
    add_payload_to(builder, base, offset, length, NFT_REG_1);
}

void add_lookup(struct builder *builder, const char *set)
{
    struct nftnl_expr *e = expression_add(builder, "lookup");

    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
    nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, set);
}

void add_map_lookup(struct builder *builder, const char *map)
{
    struct nftnl_expr *e = expression_add(builder, "lookup");

    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
    nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, map);
    nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_1);
}

void add_mask(struct builder *builder, const void *mask, uint32_t length)
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

void add_verdict(struct builder *builder, uint32_t verdict)
{
    struct nftnl_expr *e = expression_add(builder, "immediate");

    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, verdict);
}

void match_family(struct builder *builder, uint8_t family)
{
    if (builder->family_matched == family)
        return;
    builder->family_matched = family;
    add_meta(builder, NFT_META_NFPROTO);
    add_compare(builder, NFT_CMP_EQ, &family, sizeof(family));
}

void match_tcp(struct builder *builder)
{
    static const uint8_t protocol = IPPROTO_TCP;

    if (builder->tcp_matched)
        return;
    builder->tcp_matched = true;
    add_meta(builder, NFT_META_L4PROTO);
    add_compare(builder, NFT_CMP_EQ, &protocol, sizeof(protocol));
}

void add_source(struct builder *builder, uint8_t family)
{
    match_family(builder, family);
    if (family == NFPROTO_IPV4)
        add_payload(builder, NFT_PAYLOAD_NETWORK_HEADER, offsetof(struct iphdr, saddr), 4);
    else
        add_payload(builder, NFT_PAYLOAD_NETWORK_HEADER, offsetof(struct ip6_hdr, ip6_src), 16);
}

void add_destination(struct builder *builder, uint8_t family)
{
    match_family(builder, family);
    if (family == NFPROTO_IPV4)
        add_payload(builder, NFT_PAYLOAD_NETWORK_HEADER, offsetof(struct iphdr, daddr), 4);
    else
        add_payload(builder, NFT_PAYLOAD_NETWORK_HEADER, offsetof(struct ip6_hdr, ip6_dst), 16);
}

void add_socket(struct builder *builder, uint8_t family)
{
    match_family(builder, family);
    match_tcp(builder);
    add_source(builder, family);
    add_payload_to(builder, NFT_PAYLOAD_TRANSPORT_HEADER, offsetof(struct tcphdr, source),
                   sizeof(uint16_t), family == NFPROTO_IPV4 ? NFT_REG32_01 : NFT_REG_2);
}

void add_set_change(struct builder *builder, uint32_t operation, const char *set)
{
    struct nftnl_expr *e = expression_add(builder, "dynset");

    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_OP, operation);
    nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SREG_KEY, NFT_REG_1);
    nftnl_expr_set_str(e, NFTNL_EXPR_DYNSET_SET_NAME, set);
}
