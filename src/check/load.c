// SPDX-License-Identifier: GPL-2.0-or-later
#include "check/load.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <libnftnl/expr.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>

#define ETHERTYPE_AT 12

/* Registers are filled up with zeros to four bytes. */
static void load(struct registers *registers, uint32_t target, const void *value, size_t length)
{
    static const uint8_t zero[4] = {0};
    size_t offset, padded = (length + 3) / 4 * 4;

    if (!registers_find(target, padded, &offset))
        return;
    bits_set(&registers->data, offset, value, length);
    bits_set(&registers->data, offset + length, zero, padded - length);
}

static void load_number(struct registers *registers, uint32_t target, uint32_t value)
{
    load(registers, target, &value, sizeof(value));
}

static void load_byte(struct registers *registers, uint32_t target, uint8_t value)
{
    load(registers, target, &value, sizeof(value));
}

static void load_short(struct registers *registers, uint32_t target, uint16_t value)
{
    load(registers, target, &value, sizeof(value));
}

static void load_nothing(struct registers *registers, uint32_t target, size_t length)
{
    size_t offset;

    if (registers_find(target, length, &offset))
        bits_forget(&registers->data, offset, length);
}

static void load_bits(struct registers *registers, uint32_t target, const struct bits *from,
                      size_t at, size_t length)
{
    static const uint8_t zero[4] = {0};
    size_t offset, padded = (length + 3) / 4 * 4;

    if (!registers_find(target, padded, &offset))
        return;
    memcpy(registers->data.value + offset, from->value + at, length);
    memcpy(registers->data.known + offset, from->known + at, length);
    bits_set(&registers->data, offset + length, zero, padded - length);
}

static uint16_t ethertype(const struct packet *packet)
{
    return htons(packet->family == NFPROTO_IPV4 ? ETH_P_IP : ETH_P_IPV6);
}

void load_payload(struct registers *registers, const struct nftnl_expr *expression)
{
    uint32_t target = nftnl_expr_get_u32(expression, NFTNL_EXPR_PAYLOAD_DREG);
    uint32_t base = nftnl_expr_get_u32(expression, NFTNL_EXPR_PAYLOAD_BASE);
    uint32_t offset = nftnl_expr_get_u32(expression, NFTNL_EXPR_PAYLOAD_OFFSET);
    uint32_t length = nftnl_expr_get_u32(expression, NFTNL_EXPR_PAYLOAD_LEN);
    const struct packet *packet = registers->packet;

    if (nftnl_expr_is_set(expression, NFTNL_EXPR_PAYLOAD_SREG))
        return; /* writes to the packet, which is none of what is looked at here */
    if (base == NFT_PAYLOAD_NETWORK_HEADER && offset <= BITS_MAX && length <= BITS_MAX - offset)
        load_bits(registers, target, &packet->network, offset, length);
    else if (base == NFT_PAYLOAD_TRANSPORT_HEADER && offset <= BITS_MAX &&
             length <= BITS_MAX - offset)
        load_bits(registers, target, &packet->transport, offset, length);
    else if (base == NFT_PAYLOAD_LL_HEADER && offset == ETHERTYPE_AT && length == 2)
        load_short(registers, target, ethertype(packet));
    else
        load_nothing(registers, target, length);
}

void load_meta(struct registers *registers, const struct nftnl_expr *expression)
{
    uint32_t target = nftnl_expr_get_u32(expression, NFTNL_EXPR_META_DREG);
    const struct packet *packet = registers->packet;

    switch (nftnl_expr_get_u32(expression, NFTNL_EXPR_META_KEY)) {
    case NFT_META_IIF:
        load_number(registers, target, packet->in.index);
        break;
    case NFT_META_OIF:
        load_number(registers, target, packet->out.index);
        break;
    case NFT_META_IIFNAME:
        load(registers, target, packet->in.name, sizeof(packet->in.name));
        break;
    case NFT_META_OIFNAME:
        load(registers, target, packet->out.name, sizeof(packet->out.name));
        break;
    case NFT_META_PROTOCOL:
        load_short(registers, target, ethertype(packet));
        break;
    case NFT_META_NFPROTO:
        load_byte(registers, target,
                  packet->hook_family == NFPROTO_NETDEV ? (uint8_t)NFPROTO_NETDEV : packet->family);
        break;
    case NFT_META_L4PROTO:
        load_byte(registers, target, IPPROTO_TCP);
        break;
    case NFT_META_PKTTYPE:
        load_byte(registers, target, 0); /* to this host */
        break;
    case NFT_META_MARK:
        load_bits(registers, target, &packet->marks, 0, 4);
        break;
    default:
        load_nothing(registers, target, 16);
        break;
    }
}

/* What a tuple knows of the direction that was asked for, else of the packet's own. */
static void load_tuple(struct registers *registers, const struct nftnl_expr *expression,
                       uint32_t target, uint32_t key)
{
    const struct packet *packet = registers->packet;
    bool original = nftnl_expr_is_set(expression, NFTNL_EXPR_CT_DIR)
                        ? nftnl_expr_get_u8(expression, NFTNL_EXPR_CT_DIR) == IP_CT_DIR_ORIGINAL
                        : !packet->reply;

    if (key == NFT_CT_PROTO_DST && original)
        load_short(registers, target, htons(packet->original_port));
    else
        load_nothing(registers, target, 16);
}

void load_ct(struct registers *registers, const struct nftnl_expr *expression)
{
    uint32_t target = nftnl_expr_get_u32(expression, NFTNL_EXPR_CT_DREG);
    uint32_t key = nftnl_expr_get_u32(expression, NFTNL_EXPR_CT_KEY);
    const struct packet *packet = registers->packet;

    if (key == NFT_CT_STATE) {
        load_number(registers, target, packet->state);
        return;
    }
    if (!packet->tracked) {
        registers->holds = TRUTH_NO; /* as in the kernel: the rule does not match */
        return;
    }
    switch (key) {
    case NFT_CT_DIRECTION:
        load_byte(registers, target, packet->reply ? IP_CT_DIR_REPLY : IP_CT_DIR_ORIGINAL);
        break;
    case NFT_CT_STATUS:
        load_number(registers, target, packet->status);
        break;
    case NFT_CT_MARK:
        load_bits(registers, target, &packet->marks, 4, 4);
        break;
    case NFT_CT_L3PROTOCOL:
        load_byte(registers, target, packet->family);
        break;
    case NFT_CT_PROTOCOL:
        load_byte(registers, target, IPPROTO_TCP);
        break;
    default:
        load_tuple(registers, expression, target, key);
        break;
    }
}

/* What comes in is for this host, from an address elsewhere, by an interface that leads there. */
void load_fib(struct registers *registers, const struct nftnl_expr *expression)
{
    uint32_t target = nftnl_expr_get_u32(expression, NFTNL_EXPR_FIB_DREG);
    uint32_t result = nftnl_expr_get_u32(expression, NFTNL_EXPR_FIB_RESULT);
    uint32_t flags = nftnl_expr_get_u32(expression, NFTNL_EXPR_FIB_FLAGS);
    const struct packet *packet = registers->packet;
    bool here = packet->reply ? flags & NFTA_FIB_F_SADDR : flags & NFTA_FIB_F_DADDR;

    if (result == NFT_FIB_RESULT_ADDRTYPE)
        load_number(registers, target, here ? RTN_LOCAL : RTN_UNICAST);
    else if (flags & NFTA_FIB_F_PRESENT && packet->in.name[0] != '\0' &&
             strcmp(packet->in.name, "lo") != 0)
        load_byte(registers, target, 1);
    else
        load_nothing(registers, target, 16);
}
