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
#include "redirect/expression_build.h"
#include "redirect/expression_tproxy.h"
#include "redirect/redirect.h"

/* In every network namespace. */
#define LOOPBACK_INDEX 1

#define OFFSET_TCP_FLAGS 13
#define TCP_FIN          0x01
#define TCP_SYN          0x02
#define TCP_RST          0x04
#define TCP_ACK          0x10

/* iifname @SET */
static void add_iifname_in(struct builder *builder, const char *set)
{
    add_meta(builder, NFT_META_IIFNAME);
    add_lookup(builder, set);
}

/* iif lo, iif != lo, oif lo, oif != lo */
static void add_loopback(struct builder *builder, uint32_t key, uint32_t operation)
{
    static const uint32_t loopback = LOOPBACK_INDEX;

    add_meta(builder, key);
    add_compare(builder, operation, &loopback, sizeof(loopback));
}

/* ip daddr @SET, ip6 daddr @SET */
static void add_destination_in(struct builder *builder, uint8_t family, const char *set)
{
    add_destination(builder, family);
    add_lookup(builder, set);
}

/* ip saddr @SET, ip6 saddr @SET */
static void add_source_in(struct builder *builder, uint8_t family, const char *set)
{
    add_source(builder, family);
    add_lookup(builder, set);
}

/* meta priority REDIRECT_PRIORITY, meta priority != … */
static void add_upstream(struct builder *builder, uint32_t operation)
{
    static const uint32_t priority = REDIRECT_PRIORITY;

    add_meta(builder, NFT_META_PRIORITY);
    add_compare(builder, operation, &priority, sizeof(priority));
}

/* fib daddr type local, fib saddr type local, fib saddr type unicast */
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

/* tcp dport PORT, tcp dport != PORT */
static void add_dport(struct builder *builder, uint32_t operation, uint16_t port)
{
    uint16_t network = htons(port);

    match_tcp(builder);
    add_payload(builder, NFT_PAYLOAD_TRANSPORT_HEADER, offsetof(struct tcphdr, dest),
                sizeof(network));
    add_compare(builder, operation, &network, sizeof(network));
}

/* tcp flags & (fin | syn | rst | ack) == FLAG, … != FLAG */
static void add_flag(struct builder *builder, uint32_t operation, uint8_t flag)
{
    static const uint8_t mask = TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK;

    match_tcp(builder);
    add_payload(builder, NFT_PAYLOAD_TRANSPORT_HEADER, OFFSET_TCP_FLAGS, sizeof(mask));
    add_mask(builder, &mask, sizeof(mask));
    add_compare(builder, operation, &flag, sizeof(flag));
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

/* ct original proto-dst PORT: nft wants to know before that it is TCP's */
static void add_ct_dport(struct builder *builder, uint16_t port)
{
    uint16_t network = htons(port);
    struct nftnl_expr *e;

    match_tcp(builder);
    e = expression_add(builder, "ct");
    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, NFT_CT_PROTO_DST);
    nftnl_expr_set_u8(e, NFTNL_EXPR_CT_DIR, IP_CT_DIR_ORIGINAL);
    nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, NFT_REG_1);
    add_compare(builder, NFT_CMP_EQ, &network, sizeof(network));
}

/* add @SET { ip saddr }, delete @SET { ip6 saddr } */
static void add_source_change(struct builder *builder, uint8_t family, uint32_t operation,
                              const char *set)
{
    add_source(builder, family);
    add_set_change(builder, operation, set);
}

/* ct timeout set "NAME" */
static void add_ct_timeout(struct builder *builder, const char *timeout)
{
    struct nftnl_expr *e = expression_add(builder, "objref");

    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_CT_TIMEOUT);
    nftnl_expr_set_str(e, NFTNL_EXPR_OBJREF_IMM_NAME, timeout);
}

/* snat ip to ip saddr . tcp sport map @MAP, snat ip6 to ip6 saddr . tcp sport map @MAP */
static void add_snat(struct builder *builder, uint8_t family, const char *map)
{
    struct nftnl_expr *e;

    add_socket(builder, family);
    add_map_lookup(builder, map);
    e = expression_add(builder, "nat");
    if (!e)
        return;
    nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, NFT_NAT_SNAT);
    nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY, family);
    nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
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
    case RULESET_LOOPBACK:
        add_loopback(builder, NFT_META_IIF, NFT_CMP_EQ);
        break;
    case RULESET_NOT_LOOPBACK:
        add_loopback(builder, NFT_META_IIF, NFT_CMP_NEQ);
        break;
    case RULESET_OUT_LOOPBACK:
        add_loopback(builder, NFT_META_OIF, NFT_CMP_EQ);
        break;
    case RULESET_OUT_NOT_LOOPBACK:
        add_loopback(builder, NFT_META_OIF, NFT_CMP_NEQ);
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
    case RULESET_SADDR_LOCAL:
        add_fib_type(builder, NFTA_FIB_F_SADDR, RTN_LOCAL);
        break;
    case RULESET_SADDR_REAL:
        add_fib_type(builder, NFTA_FIB_F_SADDR, RTN_UNICAST);
        break;
    case RULESET_SOCKET4_IN:
        add_socket_in(builder, NFPROTO_IPV4, statement->set);
        break;
    case RULESET_SOCKET6_IN:
        add_socket_in(builder, NFPROTO_IPV6, statement->set);
        break;
    case RULESET_SPORT_IN:
        add_port_in(builder, offsetof(struct tcphdr, source), statement->set);
        break;
    case RULESET_DPORT_IN:
        add_port_in(builder, offsetof(struct tcphdr, dest), statement->set);
        break;
    case RULESET_DPORT:
        add_dport(builder, NFT_CMP_EQ, statement->port);
        break;
    case RULESET_NOT_DPORT:
        add_dport(builder, NFT_CMP_NEQ, statement->port);
        break;
    case RULESET_SYN:
        add_flag(builder, NFT_CMP_EQ, TCP_SYN);
        break;
    case RULESET_NOT_SYN:
        add_flag(builder, NFT_CMP_NEQ, TCP_SYN);
        break;
    case RULESET_ACK:
        add_flag(builder, NFT_CMP_EQ, TCP_ACK);
        break;
    case RULESET_UPSTREAM:
        add_upstream(builder, NFT_CMP_EQ);
        break;
    case RULESET_NOT_UPSTREAM:
        add_upstream(builder, NFT_CMP_NEQ);
        break;
    case RULESET_CT_DNAT:
        add_ct_status(builder, IPS_DST_NAT, NFT_CMP_NEQ, 0);
        break;
    case RULESET_CT_DNAT_NEW:
        add_ct_status(builder, IPS_DST_NAT | IPS_CONFIRMED, NFT_CMP_EQ, IPS_DST_NAT);
        break;
    case RULESET_CT_SNAT:
        add_ct_status(builder, IPS_SRC_NAT, NFT_CMP_NEQ, 0);
        break;
    case RULESET_CT_NOT_SNAT:
        add_ct_status(builder, IPS_SRC_NAT, NFT_CMP_EQ, 0);
        break;
    case RULESET_CT_DPORT:
        add_ct_dport(builder, statement->port);
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
    case RULESET_UPDATE_DPORT:
        add_dport_update(builder, statement->set);
        break;
    case RULESET_UPDATE_SOCKET4:
        add_socket_update(builder, NFPROTO_IPV4, statement->set);
        break;
    case RULESET_UPDATE_SOCKET6:
        add_socket_update(builder, NFPROTO_IPV6, statement->set);
        break;
    case RULESET_CT_TIMEOUT:
        add_ct_timeout(builder, statement->set);
        break;
    case RULESET_COUNTER:
        expression_add(builder, "counter");
        break;
    case RULESET_REDIRECT:
        add_redirect(builder, statement->port);
        break;
    case RULESET_TPROXY:
        add_tproxy(builder, NFPROTO_UNSPEC, statement->port);
        break;
    case RULESET_TPROXY4:
        add_tproxy(builder, NFPROTO_IPV4, statement->port);
        break;
    case RULESET_TPROXY6:
        add_tproxy(builder, NFPROTO_IPV6, statement->port);
        break;
    case RULESET_DNAT_SAME4:
        add_dnat_same(builder, NFPROTO_IPV4);
        break;
    case RULESET_DNAT_SAME6:
        add_dnat_same(builder, NFPROTO_IPV6);
        break;
    case RULESET_SNAT4:
        add_snat(builder, NFPROTO_IPV4, statement->set);
        break;
    case RULESET_SNAT6:
        add_snat(builder, NFPROTO_IPV6, statement->set);
        break;
    case RULESET_ACCEPT:
        add_verdict(builder, NF_ACCEPT);
        break;
    case RULESET_DROP:
        add_verdict(builder, NF_DROP);
        break;
    case RULESET_RETURN:
        add_verdict(builder, (uint32_t)NFT_RETURN);
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
