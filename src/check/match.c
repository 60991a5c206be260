// SPDX-License-Identifier: GPL-2.0-or-later
#include "check/match.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "check/compute.h"
#include "check/load.h"
#include "check/lookup.h"
#include "check/xt.h"

static void require(struct registers *registers, enum truth truth)
{
    registers->holds = truth_and(registers->holds, truth);
}

/* Whatever a loading expression that is not understood leaves in its register. */
static void forget_register(struct registers *registers, uint32_t number)
{
    size_t offset;

    if (registers_find(number, 0, &offset))
        bits_forget(&registers->data, offset, BITS_MAX - offset);
}

static void immediate(struct registers *registers, const struct nftnl_expr *expression)
{
    size_t length, offset;
    const uint8_t *data = compute_data(expression, NFTNL_EXPR_IMM_DATA, &length);
    uint32_t number = nftnl_expr_get_u32(expression, NFTNL_EXPR_IMM_DREG);

    if (number == NFT_REG_VERDICT) {
        const char *chain = nftnl_expr_is_set(expression, NFTNL_EXPR_IMM_CHAIN)
                                ? nftnl_expr_get_str(expression, NFTNL_EXPR_IMM_CHAIN)
                                : NULL;
        registers_add_verdict(
            registers, verdict_code_of(nftnl_expr_get_u32(expression, NFTNL_EXPR_IMM_VERDICT)),
            chain, TRUTH_YES);
        registers->holds = TRUTH_NO;
    } else if (data && registers_find(number, length, &offset)) {
        bits_set(&registers->data, offset, data, length);
    } else {
        forget_register(registers, number);
    }
}

static void set_mark(struct registers *registers, uint32_t source, size_t which)
{
    struct bits *marks = &registers->packet->marks;
    size_t offset;

    if (registers_find(source, 4, &offset) &&
        truth_and(registers->reach, registers->holds) == TRUTH_YES) {
        memcpy(marks->value + which, registers->data.value + offset, 4);
        memcpy(marks->known + which, registers->data.known + offset, 4);
    } else {
        bits_forget(marks, which, 4);
    }
}

static void meta(struct registers *registers, const struct nftnl_expr *expression)
{
    if (!nftnl_expr_is_set(expression, NFTNL_EXPR_META_SREG))
        load_meta(registers, expression);
    else if (nftnl_expr_get_u32(expression, NFTNL_EXPR_META_KEY) == NFT_META_MARK)
        set_mark(registers, nftnl_expr_get_u32(expression, NFTNL_EXPR_META_SREG), 0);
}

static void ct(struct registers *registers, const struct nftnl_expr *expression)
{
    if (!nftnl_expr_is_set(expression, NFTNL_EXPR_CT_SREG))
        load_ct(registers, expression);
    else if (nftnl_expr_get_u32(expression, NFTNL_EXPR_CT_KEY) == NFT_CT_MARK)
        set_mark(registers, nftnl_expr_get_u32(expression, NFTNL_EXPR_CT_SREG), 4);
}

/* A limit that is not reached yet lets through; one with "over" matches who is beyond it. */
static enum truth limit(const struct nftnl_expr *expression, uint16_t flags)
{
    return nftnl_expr_get_u32(expression, flags) & 1 ? TRUTH_UNLIKELY : TRUTH_LIKELY;
}

static int limit_of_element(struct nftnl_expr *expression, void *context)
{
    enum truth *holds = context;
    const char *name = nftnl_expr_get_str(expression, NFTNL_EXPR_NAME);

    if (strcmp(name, "limit") == 0)
        *holds = truth_and(*holds, limit(expression, NFTNL_EXPR_LIMIT_FLAGS));
    else if (strcmp(name, "quota") == 0)
        *holds = truth_and(*holds, limit(expression, NFTNL_EXPR_QUOTA_FLAGS));
    else if (strcmp(name, "connlimit") == 0)
        *holds = truth_and(*holds, limit(expression, NFTNL_EXPR_CONNLIMIT_FLAGS));
    return 0;
}

static void dynset(struct registers *registers, const struct nftnl_expr *expression)
{
    enum truth holds = TRUTH_LIKELY; /* the set may be full */

    if (nftnl_expr_is_set(expression, NFTNL_EXPR_DYNSET_EXPR))
        limit_of_element(
            (struct nftnl_expr *)nftnl_expr_get(expression, NFTNL_EXPR_DYNSET_EXPR, &(uint32_t){0}),
            &holds);
    else if (nftnl_expr_is_set(expression, NFTNL_EXPR_DYNSET_EXPRESSIONS))
        nftnl_expr_expr_foreach(expression, limit_of_element, &holds);
    require(registers, holds);
}

static void nat(struct registers *registers, const struct nftnl_expr *expression)
{
    bool destination = nftnl_expr_get_u32(expression, NFTNL_EXPR_NAT_TYPE) == NFT_NAT_DNAT;

    registers_add_verdict(registers, destination ? VERDICT_DNAT : VERDICT_ACCEPT, NULL, TRUTH_YES);
    registers->holds = TRUTH_NO;
}

static void end(struct registers *registers, enum verdict_code code)
{
    registers_add_verdict(registers, code, NULL, TRUTH_YES);
    registers->holds = TRUTH_NO;
}

/* The attributes of a match and of a target have the same numbers. */
static_assert((int)NFTNL_EXPR_TG_NAME == (int)NFTNL_EXPR_MT_NAME &&
                  (int)NFTNL_EXPR_TG_REV == (int)NFTNL_EXPR_MT_REV &&
                  (int)NFTNL_EXPR_TG_INFO == (int)NFTNL_EXPR_MT_INFO,
              "one code for both");

static void iptables(struct registers *registers, const struct nftnl_expr *expression, bool target)
{
    uint32_t length = 0;
    const void *info = nftnl_expr_get(expression, NFTNL_EXPR_MT_INFO, &length);
    const char *name = nftnl_expr_get_str(expression, NFTNL_EXPR_MT_NAME);
    uint32_t revision = nftnl_expr_get_u32(expression, NFTNL_EXPR_MT_REV);

    if (!name || !info)
        require(registers, TRUTH_OPEN);
    else if (target)
        xt_target(registers, name, revision, info, length);
    else
        require(registers, xt_match(registers->packet, name, revision, info, length));
}

/* Expressions that load what is not known of the packet. */
static bool load_unknown(struct registers *registers, const struct nftnl_expr *expression,
                         const char *name)
{
    static const struct {
        const char *name;
        uint16_t destination;
    } loads[] = {
        {"rt", NFTNL_EXPR_RT_DREG},         {"socket", NFTNL_EXPR_SOCKET_DREG},
        {"tunnel", NFTNL_EXPR_TUNNEL_DREG}, {"numgen", NFTNL_EXPR_NG_DREG},
        {"hash", NFTNL_EXPR_HASH_DREG},     {"osf", NFTNL_EXPR_OSF_DREG},
        {"xfrm", NFTNL_EXPR_XFRM_DREG},     {"exthdr", NFTNL_EXPR_EXTHDR_DREG},
    };

    for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
        if (strcmp(name, loads[i].name) != 0)
            continue;
        if (nftnl_expr_is_set(expression, loads[i].destination))
            forget_register(registers, nftnl_expr_get_u32(expression, loads[i].destination));
        return true;
    }
    return false;
}

static bool is_neutral(const char *name)
{
    static const char *const names[] = {"counter", "log", "dup", "flow_offload", "last"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* A named counter, helper or the like changes nothing; a named limit or quota may. */
static void objref(struct registers *registers, const struct nftnl_expr *expression)
{
    uint32_t type = nftnl_expr_is_set(expression, NFTNL_EXPR_OBJREF_IMM_TYPE)
                        ? nftnl_expr_get_u32(expression, NFTNL_EXPR_OBJREF_IMM_TYPE)
                        : NFT_OBJECT_UNSPEC;

    if (type == NFT_OBJECT_QUOTA || type == NFT_OBJECT_LIMIT || type == NFT_OBJECT_CONNLIMIT)
        require(registers, TRUTH_OPEN);
}

static void take_data_expression(struct registers *registers, const struct nftnl_expr *expression,
                                 const char *name)
{
    if (strcmp(name, "payload") == 0)
        load_payload(registers, expression);
    else if (strcmp(name, "meta") == 0)
        meta(registers, expression);
    else if (strcmp(name, "ct") == 0)
        ct(registers, expression);
    else if (strcmp(name, "fib") == 0)
        load_fib(registers, expression);
    else if (strcmp(name, "bitwise") == 0)
        compute_bitwise(registers, expression);
    else if (strcmp(name, "byteorder") == 0)
        compute_byteorder(registers, expression);
    else if (strcmp(name, "immediate") == 0)
        immediate(registers, expression);
    else if (strcmp(name, "objref") == 0)
        objref(registers, expression);
    else if (!is_neutral(name) && !load_unknown(registers, expression, name))
        require(registers, TRUTH_OPEN);
}

static void take_expression(struct registers *registers, const struct nftnl_expr *expression)
{
    const char *name = nftnl_expr_get_str(expression, NFTNL_EXPR_NAME);

    if (strcmp(name, "cmp") == 0)
        require(registers, compute_compare(registers, expression));
    else if (strcmp(name, "range") == 0)
        require(registers, compute_range(registers, expression));
    else if (strcmp(name, "lookup") == 0)
        require(registers, lookup_evaluate(registers, expression));
    else if (strcmp(name, "limit") == 0)
        require(registers, limit(expression, NFTNL_EXPR_LIMIT_FLAGS));
    else if (strcmp(name, "quota") == 0)
        require(registers, limit(expression, NFTNL_EXPR_QUOTA_FLAGS));
    else if (strcmp(name, "connlimit") == 0)
        require(registers, limit(expression, NFTNL_EXPR_CONNLIMIT_FLAGS));
    else if (strcmp(name, "dynset") == 0)
        dynset(registers, expression);
    else if (strcmp(name, "match") == 0)
        iptables(registers, expression, false);
    else if (strcmp(name, "target") == 0)
        iptables(registers, expression, true);
    else if (strcmp(name, "reject") == 0)
        end(registers, VERDICT_DROP);
    else if (strcmp(name, "queue") == 0)
        end(registers, VERDICT_QUEUE);
    else if (strcmp(name, "fwd") == 0)
        end(registers, VERDICT_FORWARD);
    else if (strcmp(name, "redir") == 0)
        end(registers, VERDICT_DNAT);
    else if (strcmp(name, "masq") == 0)
        end(registers, VERDICT_ACCEPT);
    else if (strcmp(name, "nat") == 0)
        nat(registers, expression);
    else if (strcmp(name, "notrack") == 0)
        registers->match->notrack = registers->holds;
    else if (strcmp(name, "tproxy") == 0)
        registers->match->tproxy = registers->holds;
    else
        take_data_expression(registers, expression, name);
}

void match_rule(struct match *match, const struct firewall *firewall,
                const struct firewall_chain *chain, const struct nftnl_rule *rule,
                struct packet *packet, enum truth reach)
{
    struct registers registers = {.firewall = firewall,
                                  .chain = chain,
                                  .packet = packet,
                                  .match = match,
                                  .reach = reach,
                                  .holds = TRUTH_YES};
    struct nftnl_expr_iter *each = nftnl_expr_iter_create(rule);
    struct nftnl_expr *expression;

    *match = (struct match){0};
    if (!each) {
        registers_add_verdict(&registers, VERDICT_CONTINUE, NULL, TRUTH_OPEN);
        return;
    }
    while (registers.holds != TRUTH_NO && (expression = nftnl_expr_iter_next(each)))
        take_expression(&registers, expression);
    nftnl_expr_iter_destroy(each);
}
