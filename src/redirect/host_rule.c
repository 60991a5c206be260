// SPDX-License-Identifier: GPL-2.0-or-later
#include "redirect/host_rule.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>

#include "redirect/host_xt.h"

#define REGISTER_MAX 16 /* bytes of a value */

/* What an expression has loaded. */
enum content { CONTENT_UNKNOWN, CONTENT_KNOWN, CONTENT_SOURCE };

/* Each rule loads, perhaps masks, and then compares or looks up, before it loads the next. A value
 * that is put together from several registers is known in none of them. */
struct state {
    const struct host_subject *subject;
    const struct host_sets *sets;
    struct host_judgement *out;
    uint8_t family;     /* NFPROTO_INET: either, until the rule says */
    bool family_loaded; /* meta nfproto is what is to be compared next */
    bool by_source, doubt, never, ended;
    enum content content;
    unsigned int loads; /* since the last comparison */
    uint8_t value[REGISTER_MAX];
    uint32_t length;
};

static void load(struct state *state, enum content content, const void *value, uint32_t length)
{
    state->family_loaded = false;
    if (state->loads > 0) {
        /* A key of several parts: who it comes from is one of them, or it cannot be told. */
        content = content == CONTENT_SOURCE || state->content == CONTENT_SOURCE ? CONTENT_SOURCE
                                                                                : CONTENT_UNKNOWN;
    }
    state->loads++;
    state->content = content;
    if (content == CONTENT_KNOWN && length <= sizeof(state->value)) {
        memcpy(state->value, value, length);
        state->length = length;
    }
}

static void load_unknown(struct state *state)
{
    load(state, CONTENT_UNKNOWN, NULL, 0);
}

static void load_number(struct state *state, uint32_t value)
{
    load(state, CONTENT_KNOWN, &value, sizeof(value));
}

/* What a match of this kind does to the rule. */
static void take_match(struct state *state, enum host_match match)
{
    state->by_source |= match == HOST_BY_SOURCE;
    state->doubt |= match == HOST_PERHAPS;
    state->never |= match == HOST_NEVER;
}

/* The comparison is made: `holds` counts where the value was known. */
static void compared(struct state *state, bool holds)
{
    if (state->content == CONTENT_SOURCE)
        state->by_source = true;
    else if (state->content == CONTENT_UNKNOWN)
        state->doubt = true;
    else
        state->never |= !holds;
    state->loads = 0; /* it may be compared again, as with both ends of a range */
}

static void take_meta(struct state *state, const struct nftnl_expr *e)
{
    static const uint8_t tcp = IPPROTO_TCP;
    uint32_t key = nftnl_expr_get_u32(e, NFTNL_EXPR_META_KEY);

    if (nftnl_expr_is_set(e, NFTNL_EXPR_META_SREG)) {
        state->loads = 0; /* writes */
        return;
    }
    if (key == NFT_META_L4PROTO)
        load(state, CONTENT_KNOWN, &tcp, sizeof(tcp));
    else if (key == NFT_META_NFPROTO && state->family != NFPROTO_INET)
        load(state, CONTENT_KNOWN, &state->family, sizeof(state->family));
    else
        load_unknown(state);
    state->family_loaded = key == NFT_META_NFPROTO;
}

static bool overlaps(uint32_t offset, uint32_t length, uint32_t other, uint32_t other_length)
{
    return offset < other + other_length && other < offset + length;
}

static void take_network_header(struct state *state, uint32_t offset, uint32_t length)
{
    static const uint8_t tcp = IPPROTO_TCP;
    bool ipv4 = state->family == NFPROTO_IPV4;
    bool ipv6 = state->family == NFPROTO_IPV6;

    if ((ipv4 && overlaps(offset, length, 12, 4)) || (ipv6 && overlaps(offset, length, 8, 16)))
        load(state, CONTENT_SOURCE, NULL, 0);
    else if (length == 1 && ((ipv4 && offset == 9) || (ipv6 && offset == 6)))
        load(state, CONTENT_KNOWN, &tcp, sizeof(tcp));
    else
        load_unknown(state);
}

static void take_payload(struct state *state, const struct nftnl_expr *e)
{
    static const uint8_t syn = 0x02;
    uint32_t base = nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_BASE);
    uint32_t offset = nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET);
    uint32_t length = nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_LEN);
    uint16_t port = htons(state->subject->port);

    if (nftnl_expr_is_set(e, NFTNL_EXPR_PAYLOAD_SREG)) {
        state->loads = 0; /* writes */
        return;
    }
    if (base == NFT_PAYLOAD_TRANSPORT_HEADER && offset == 2 && length == sizeof(port))
        load(state, CONTENT_KNOWN, &port, sizeof(port));
    else if (base == NFT_PAYLOAD_TRANSPORT_HEADER && offset == 13 && length == sizeof(syn))
        load(state, CONTENT_KNOWN, &syn, sizeof(syn));
    else if (base == NFT_PAYLOAD_NETWORK_HEADER)
        take_network_header(state, offset, length);
    else if (base == NFT_PAYLOAD_LL_HEADER && overlaps(offset, length, 6, 6))
        load(state, CONTENT_SOURCE, NULL, 0);
    else
        load_unknown(state);
}

static void take_ct(struct state *state, const struct nftnl_expr *e)
{
    uint32_t status = IPS_DST_NAT_DONE | IPS_SRC_NAT_DONE;

    if (nftnl_expr_is_set(e, NFTNL_EXPR_CT_SREG)) {
        state->loads = 0; /* writes */
        return;
    }
    switch (nftnl_expr_get_u32(e, NFTNL_EXPR_CT_KEY)) {
    case NFT_CT_STATE:
        load_number(state, 1U << (IP_CT_NEW % IP_CT_IS_REPLY + 1));
        break;
    case NFT_CT_STATUS:
        load_number(state, state->subject->redirected ? status | IPS_DST_NAT : status);
        break;
    case NFT_CT_SRC:
    case NFT_CT_SRC_IP:
    case NFT_CT_SRC_IP6:
        load(state, CONTENT_SOURCE, NULL, 0);
        break;
    default:
        load_unknown(state);
    }
}

static void take_fib(struct state *state, const struct nftnl_expr *e)
{
    uint32_t flags = nftnl_expr_get_u32(e, NFTNL_EXPR_FIB_FLAGS);

    if (flags & NFTA_FIB_F_SADDR)
        load(state, CONTENT_SOURCE, NULL, 0);
    else if (flags == NFTA_FIB_F_DADDR &&
             nftnl_expr_get_u32(e, NFTNL_EXPR_FIB_RESULT) == NFT_FIB_RESULT_ADDRTYPE)
        load_number(state, RTN_LOCAL);
    else
        load_unknown(state);
}

static void take_bitwise(struct state *state, const struct nftnl_expr *e)
{
    uint32_t mask_length = 0, xor_length = 0;
    const uint8_t *mask = nftnl_expr_get(e, NFTNL_EXPR_BITWISE_MASK, &mask_length);
    const uint8_t * xor = nftnl_expr_get(e, NFTNL_EXPR_BITWISE_XOR, &xor_length);

    if (state->content != CONTENT_KNOWN)
        return;
    if (!mask || !xor || mask_length != state->length || xor_length != state->length) {
        state->content = CONTENT_UNKNOWN;
        return;
    }
    for (uint32_t i = 0; i < state->length; i++)
        state->value[i] = (uint8_t)((state->value[i] & mask[i]) ^ xor[i]);
}

/* The order of the value and `data`; false when they are not alike. */
static bool order(const struct state *state, const void *data, uint32_t length, int *out)
{
    if (!data || length != state->length)
        return false;
    *out = memcmp(state->value, data, length);
    return true;
}

static void take_compare(struct state *state, const struct nftnl_expr *e)
{
    uint32_t length = 0;
    const void *data = nftnl_expr_get(e, NFTNL_EXPR_CMP_DATA, &length);
    uint32_t operation = nftnl_expr_get_u32(e, NFTNL_EXPR_CMP_OP);
    int sign = 0;

    if (state->family_loaded && operation == NFT_CMP_EQ && data && length >= 1 &&
        state->family == NFPROTO_INET) {
        /* The connection is of this family, or the rule is not about it. */
        state->family = *(const uint8_t *)data;
        state->doubt = true;
        state->loads = 0;
        return;
    }
    if (state->content == CONTENT_KNOWN && !order(state, data, length, &sign))
        state->content = CONTENT_UNKNOWN;
    compared(state,
             (operation == NFT_CMP_EQ && sign == 0) || (operation == NFT_CMP_NEQ && sign != 0) ||
                 (operation == NFT_CMP_LT && sign < 0) || (operation == NFT_CMP_LTE && sign <= 0) ||
                 (operation == NFT_CMP_GT && sign > 0) || (operation == NFT_CMP_GTE && sign >= 0));
}

static void take_range(struct state *state, const struct nftnl_expr *e)
{
    uint32_t from_length = 0, to_length = 0;
    const void *from = nftnl_expr_get(e, NFTNL_EXPR_RANGE_FROM_DATA, &from_length);
    const void *to = nftnl_expr_get(e, NFTNL_EXPR_RANGE_TO_DATA, &to_length);
    int low = 0, high = 0;

    if (state->content == CONTENT_KNOWN &&
        (!order(state, from, from_length, &low) || !order(state, to, to_length, &high)))
        state->content = CONTENT_UNKNOWN;
    bool inside = low >= 0 && high <= 0;
    compared(state, inside == (nftnl_expr_get_u32(e, NFTNL_EXPR_RANGE_OP) == NFT_RANGE_EQ));
}

static void take_lookup(struct state *state, const struct nftnl_expr *e)
{
    const char *set = nftnl_expr_get_str(e, NFTNL_EXPR_LOOKUP_SET);
    bool inverted = (nftnl_expr_get_u32(e, NFTNL_EXPR_LOOKUP_FLAGS) & NFT_LOOKUP_F_INV) != 0;
    bool mapped = nftnl_expr_is_set(e, NFTNL_EXPR_LOOKUP_DREG);
    bool verdict_map = mapped && nftnl_expr_get_u32(e, NFTNL_EXPR_LOOKUP_DREG) == NFT_REG_VERDICT;
    struct host_verdict verdict = {.act = HOST_OTHER};
    enum host_answer answer = HOST_UNKNOWN;

    if (state->content == CONTENT_KNOWN && set)
        answer =
            state->sets->find(state->sets->context, set, state->value, state->length, &verdict);
    if (answer == HOST_UNKNOWN && state->content == CONTENT_KNOWN)
        state->content = CONTENT_UNKNOWN;
    compared(state, (answer == HOST_YES) != inverted);
    if (verdict_map && answer != HOST_YES && set) {
        verdict.act = HOST_MAPS;
        snprintf(verdict.chain, sizeof(verdict.chain), "%s", set);
    }
    if (verdict_map) {
        state->out->verdict = verdict;
        state->ended = true;
    } else if (mapped) {
        load_unknown(state);
    }
}

static void take_immediate(struct state *state, const struct nftnl_expr *e)
{
    struct host_verdict *verdict = &state->out->verdict;
    const char *chain = nftnl_expr_get_str(e, NFTNL_EXPR_IMM_CHAIN);

    if (nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_DREG) != NFT_REG_VERDICT) {
        load_unknown(state);
        return;
    }
    state->ended = true;
    switch ((int)nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_VERDICT)) {
    case NF_ACCEPT:
        verdict->act = HOST_ACCEPTS;
        break;
    case NF_DROP:
        verdict->act = HOST_DROPS;
        break;
    case NFT_CONTINUE:
        break;
    case NFT_RETURN:
        verdict->act = HOST_RETURNS;
        break;
    case NFT_JUMP:
        verdict->act = HOST_JUMPS;
        break;
    case NFT_GOTO:
        verdict->act = HOST_GOES;
        break;
    default:
        verdict->act = HOST_OTHER;
    }
    snprintf(verdict->chain, sizeof(verdict->chain), "%s", chain ? chain : "");
}

/* A rate for each address is about who it is. */
static void take_dynset(struct state *state)
{
    take_match(state, state->content == CONTENT_SOURCE ? HOST_BY_SOURCE : HOST_PERHAPS);
    state->loads = 0;
}

/* Whatever it loads, nobody knows. */
static void take_stranger(struct state *state)
{
    take_match(state, HOST_PERHAPS);
    if (state->content == CONTENT_KNOWN)
        state->content = CONTENT_UNKNOWN;
}

static void end_with(struct state *state, enum host_act act)
{
    state->out->verdict.act = act;
    state->ended = act != HOST_CONTINUES;
}

static bool is(const char *name, const char *other)
{
    return strcmp(name, other) == 0;
}

static int take_expression(struct nftnl_expr *e, void *context)
{
    static const char *const silent[] = {"counter", "last", "log", "notrack", "objref"};
    struct state *state = context;
    const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);

    if (state->never || state->ended)
        return 0;
    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++)
        if (is(name, silent[i]))
            return 0;
    if (is(name, "meta"))
        take_meta(state, e);
    else if (is(name, "payload"))
        take_payload(state, e);
    else if (is(name, "ct"))
        take_ct(state, e);
    else if (is(name, "fib"))
        take_fib(state, e);
    else if (is(name, "bitwise"))
        take_bitwise(state, e);
    else if (is(name, "cmp"))
        take_compare(state, e);
    else if (is(name, "range"))
        take_range(state, e);
    else if (is(name, "lookup"))
        take_lookup(state, e);
    else if (is(name, "immediate"))
        take_immediate(state, e);
    else if (is(name, "dynset"))
        take_dynset(state);
    else if (is(name, "reject"))
        end_with(state, HOST_DROPS);
    else if (is(name, "match"))
        take_match(state, host_xt_match(e, state->subject));
    else if (is(name, "target"))
        end_with(state, host_xt_target(e));
    else if (is(name, "queue") || is(name, "synproxy"))
        end_with(state, HOST_OTHER);
    else if (is(name, "byteorder") && state->content != CONTENT_SOURCE)
        state->content = CONTENT_UNKNOWN;
    else if (!is(name, "byteorder"))
        take_stranger(state);
    return 0;
}

void host_rule_judge(struct host_judgement *out, const struct nftnl_rule *rule,
                     const struct host_subject *subject, const struct host_sets *sets)
{
    struct state state = {
        .subject = subject,
        .sets = sets,
        .out = out,
        .family = (uint8_t)nftnl_rule_get_u32(rule, NFTNL_RULE_FAMILY),
    };

    *out = (struct host_judgement){.match = HOST_ALWAYS};
    nftnl_expr_foreach((struct nftnl_rule *)rule, take_expression, &state);
    if (state.never)
        out->match = HOST_NEVER;
    else if (state.by_source)
        out->match = HOST_BY_SOURCE;
    else if (state.doubt)
        out->match = HOST_PERHAPS;
}
