// SPDX-License-Identifier: GPL-2.0-or-later
#include "check/compute.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

/* The data of an attribute, if it is as long as the registers allow. */
const uint8_t *compute_data(const struct nftnl_expr *expression, uint16_t attribute, size_t *length)
{
    uint32_t bytes = 0;
    const uint8_t *data = NULL;

    if (nftnl_expr_is_set(expression, attribute))
        data = nftnl_expr_get(expression, attribute, &bytes);
    *length = bytes;
    return bytes <= BITS_MAX ? data : NULL;
}

static enum truth order(const struct bits *data, size_t offset, const uint8_t *value, size_t length,
                        uint32_t operation)
{
    if (!bits_are_known(data, offset, length))
        return TRUTH_OPEN;
    int sign = memcmp(data->value + offset, value, length);
    bool holds = operation == NFT_CMP_LT    ? sign < 0
                 : operation == NFT_CMP_LTE ? sign <= 0
                 : operation == NFT_CMP_GT  ? sign > 0
                                            : sign >= 0;
    return holds ? TRUTH_YES : TRUTH_NO;
}

enum truth compute_compare(struct registers *registers, const struct nftnl_expr *expression)
{
    uint32_t operation = nftnl_expr_get_u32(expression, NFTNL_EXPR_CMP_OP);
    size_t length, offset;
    const uint8_t *value = compute_data(expression, NFTNL_EXPR_CMP_DATA, &length);

    if (!value ||
        !registers_find(nftnl_expr_get_u32(expression, NFTNL_EXPR_CMP_SREG), length, &offset))
        return TRUTH_OPEN;
    switch (operation) {
    case NFT_CMP_EQ:
        return bits_equal(&registers->data, offset, value, length);
    case NFT_CMP_NEQ:
        return truth_not(bits_equal(&registers->data, offset, value, length));
    default:
        return order(&registers->data, offset, value, length, operation);
    }
}

enum truth compute_range(struct registers *registers, const struct nftnl_expr *expression)
{
    size_t first_length, last_length, offset;
    const uint8_t *first = compute_data(expression, NFTNL_EXPR_RANGE_FROM_DATA, &first_length);
    const uint8_t *last = compute_data(expression, NFTNL_EXPR_RANGE_TO_DATA, &last_length);

    if (!first || !last || first_length != last_length ||
        !registers_find(nftnl_expr_get_u32(expression, NFTNL_EXPR_RANGE_SREG), first_length,
                        &offset))
        return TRUTH_OPEN;
    enum truth within = bits_within(&registers->data, offset, first, last, first_length);
    return nftnl_expr_get_u32(expression, NFTNL_EXPR_RANGE_OP) == NFT_RANGE_EQ ? within
                                                                               : truth_not(within);
}

/* (source & mask) ^ xor. Shifts are left unknown. */
void compute_bitwise(struct registers *registers, const struct nftnl_expr *expression)
{
    uint32_t length = nftnl_expr_get_u32(expression, NFTNL_EXPR_BITWISE_LEN);
    size_t mask_length, xor_length, from, to;
    const uint8_t *mask = compute_data(expression, NFTNL_EXPR_BITWISE_MASK, &mask_length);
    const uint8_t *flip = compute_data(expression, NFTNL_EXPR_BITWISE_XOR, &xor_length);
    struct bits *data = &registers->data;

    if (!registers_find(nftnl_expr_get_u32(expression, NFTNL_EXPR_BITWISE_DREG), length, &to))
        return;
    bool plain = !nftnl_expr_is_set(expression, NFTNL_EXPR_BITWISE_OP) ||
                 nftnl_expr_get_u32(expression, NFTNL_EXPR_BITWISE_OP) == NFT_BITWISE_BOOL;
    if (!plain || !mask || !flip || mask_length < length || xor_length < length ||
        !registers_find(nftnl_expr_get_u32(expression, NFTNL_EXPR_BITWISE_SREG), length, &from)) {
        bits_forget(data, to, length);
        return;
    }
    for (size_t i = 0; i < length; i++) {
        uint8_t known = (uint8_t)(data->known[from + i] | (uint8_t)~mask[i]);

        data->value[to + i] = (uint8_t)(((data->value[from + i] & mask[i]) ^ flip[i]) & known);
        data->known[to + i] = known;
    }
}

void compute_byteorder(struct registers *registers, const struct nftnl_expr *expression)
{
    uint32_t length = nftnl_expr_get_u32(expression, NFTNL_EXPR_BYTEORDER_LEN);
    uint32_t size = nftnl_expr_get_u32(expression, NFTNL_EXPR_BYTEORDER_SIZE);
    struct bits *data = &registers->data, before = *data;
    size_t from, to;

    if (!registers_find(nftnl_expr_get_u32(expression, NFTNL_EXPR_BYTEORDER_DREG), length, &to))
        return;
    if (size == 0 || length % size != 0 ||
        !registers_find(nftnl_expr_get_u32(expression, NFTNL_EXPR_BYTEORDER_SREG), length, &from)) {
        bits_forget(data, to, length);
        return;
    }
    for (size_t i = 0; i < length; i++) {
        size_t at = htons(1) == 1 ? i : i / size * size + size - 1 - i % size;

        data->value[to + i] = before.value[from + at];
        data->known[to + i] = before.known[from + at];
    }
}
