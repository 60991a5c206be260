// SPDX-License-Identifier: GPL-2.0-or-later
#include "check/rule_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter/nf_tables.h>

void rule_build_init(struct rule_build *build)
{
    build->rule = nftnl_rule_alloc();
    build->failed = build->rule == NULL;
}

static struct nftnl_expr *add(struct rule_build *build, const char *name)
{
    struct nftnl_expr *expression = build->failed ? NULL : nftnl_expr_alloc(name);

    if (expression)
        nftnl_rule_add_expr(build->rule, expression);
    else
        build->failed = true;
    return expression;
}

void rule_build_meta(struct rule_build *build, uint32_t key)
{
    struct nftnl_expr *expression = add(build, "meta");

    if (!expression)
        return;
    nftnl_expr_set_u32(expression, NFTNL_EXPR_META_KEY, key);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_META_DREG, NFT_REG_1);
}

void rule_build_ct(struct rule_build *build, uint32_t key)
{
    struct nftnl_expr *expression = add(build, "ct");

    if (!expression)
        return;
    nftnl_expr_set_u32(expression, NFTNL_EXPR_CT_KEY, key);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_CT_DREG, NFT_REG_1);
}

void rule_build_payload(struct rule_build *build, uint32_t base, uint32_t offset, uint32_t length)
{
    struct nftnl_expr *expression = add(build, "payload");

    if (!expression)
        return;
    nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_BASE, base);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_LEN, length);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
}

void rule_build_mask(struct rule_build *build, const void *mask, uint32_t length)
{
    static const uint8_t zero[16] = {0};
    struct nftnl_expr *expression = length <= sizeof(zero) ? add(build, "bitwise") : NULL;

    if (!expression) {
        build->failed = true;
        return;
    }
    nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_LEN, length);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
    nftnl_expr_set(expression, NFTNL_EXPR_BITWISE_MASK, mask, length);
    nftnl_expr_set(expression, NFTNL_EXPR_BITWISE_XOR, zero, length);
}

void rule_build_compare(struct rule_build *build, uint32_t operation, const void *data,
                        uint32_t length)
{
    struct nftnl_expr *expression = add(build, "cmp");

    if (!expression)
        return;
    nftnl_expr_set_u32(expression, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_CMP_OP, operation);
    nftnl_expr_set(expression, NFTNL_EXPR_CMP_DATA, data, length);
}

void rule_build_lookup(struct rule_build *build, const char *set, bool inverted)
{
    struct nftnl_expr *expression = add(build, "lookup");

    if (!expression)
        return;
    nftnl_expr_set_u32(expression, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
    nftnl_expr_set_str(expression, NFTNL_EXPR_LOOKUP_SET, set);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_LOOKUP_FLAGS, inverted ? NFT_LOOKUP_F_INV : 0);
}

void rule_build_verdict(struct rule_build *build, uint32_t code, const char *chain)
{
    struct nftnl_expr *expression = add(build, "immediate");

    if (!expression)
        return;
    nftnl_expr_set_u32(expression, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_IMM_VERDICT, code);
    if (chain)
        nftnl_expr_set_str(expression, NFTNL_EXPR_IMM_CHAIN, chain);
}

void rule_build_plain(struct rule_build *build, const char *name)
{
    add(build, name);
}

/* libnftnl keeps the pointer, and frees it. */
static void set_info(struct rule_build *build, struct nftnl_expr *expression, uint16_t attribute,
                     const void *info, uint32_t length)
{
    void *copy = malloc(length > 0 ? length : 1);

    if (!copy) {
        build->failed = true;
        return;
    }
    memcpy(copy, info, length);
    nftnl_expr_set(expression, attribute, copy, length);
}

void rule_build_match(struct rule_build *build, const char *name, uint32_t revision,
                      const void *info, uint32_t length)
{
    struct nftnl_expr *expression = add(build, "match");

    if (!expression)
        return;
    nftnl_expr_set_str(expression, NFTNL_EXPR_MT_NAME, name);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_MT_REV, revision);
    set_info(build, expression, NFTNL_EXPR_MT_INFO, info, length);
}

void rule_build_target(struct rule_build *build, const char *name, uint32_t revision,
                       const void *info, uint32_t length)
{
    struct nftnl_expr *expression = add(build, "target");

    if (!expression)
        return;
    nftnl_expr_set_str(expression, NFTNL_EXPR_TG_NAME, name);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_TG_REV, revision);
    set_info(build, expression, NFTNL_EXPR_TG_INFO, info, length);
}
