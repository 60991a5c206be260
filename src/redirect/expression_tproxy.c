// SPDX-License-Identifier: GPL-2.0-or-later
#include "redirect/expression_tproxy.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>

#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

void add_tproxy(struct builder *builder, uint8_t family, uint16_t port)
{
    uint16_t network = htons(port);
    struct nftnl_expr *e;

    match_tcp(builder);
    e = expression_add(builder, "immediate");
    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
    nftnl_expr_set(e, NFTNL_EXPR_IMM_DATA, &network, sizeof(network));
    e = expression_add(builder, "tproxy");
    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_TPROXY_FAMILY, family);
    nftnl_expr_set_u32(e, NFTNL_EXPR_TPROXY_REG_PORT, NFT_REG_1);
}

void add_dnat_same(struct builder *builder, uint8_t family)
{
    struct nftnl_expr *e;

    add_destination(builder, family);
    e = expression_add(builder, "nat");
    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
    nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY, family);
    nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
}

void add_dport_update(struct builder *builder, const char *set)
{
    match_tcp(builder);
    add_payload(builder, NFT_PAYLOAD_TRANSPORT_HEADER, offsetof(struct tcphdr, dest),
                sizeof(uint16_t));
    add_set_change(builder, NFT_DYNSET_OP_UPDATE, set);
}

void add_socket_in(struct builder *builder, uint8_t family, const char *set)
{
    add_socket(builder, family);
    add_lookup(builder, set);
}

void add_socket_update(struct builder *builder, uint8_t family, const char *set)
{
    add_socket(builder, family);
    add_set_change(builder, NFT_DYNSET_OP_UPDATE, set);
}
