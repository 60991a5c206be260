// SPDX-License-Identifier: GPL-2.0-or-later
#include "check/rule_text.h"

#include <stdio.h>
#include <string.h>

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "base/escape.h"
#include "check/firewall.h"
#include "check/registers.h"
#include "check/rule_register.h"

static void say_compare(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    static const char *const operators[] = {"", "!= ", "< ", "<= ", "> ", ">= "};
    const struct rule_slot *slot =
        rule_find_slot(writer, nftnl_expr_get_u32(expression, NFTNL_EXPR_CMP_SREG));
    uint32_t operation = nftnl_expr_get_u32(expression, NFTNL_EXPR_CMP_OP);
    uint32_t length = 0;
    const uint8_t *data = nftnl_expr_get(expression, NFTNL_EXPR_CMP_DATA, &length);
    static const uint8_t zero[16] = {0};

    if (!slot || !data || operation > NFT_CMP_GTE)
        return;
    /* The rule's family and protocol, which nft puts in front by itself. */
    if (slot->look == LOOK_FAMILY ||
        (slot->look == LOOK_PROTOCOL && length == 1 && data[0] == IPPROTO_TCP &&
         strcmp(slot->what, "meta l4proto") == 0))
        return;
    if (slot->masked && length == 4 && memcmp(data, zero, 4) == 0) {
        rule_say(writer, "%s%s ", slot->what, operation == NFT_CMP_NEQ ? "" : " !");
        rule_say_value(writer, slot, slot->mask, length);
    } else {
        rule_say(writer, "%s %s", slot->what, operators[operation]);
        rule_say_value(writer, slot, data, length);
    }
    rule_say(writer, " ");
}

static void say_range(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    const struct rule_slot *slot =
        rule_find_slot(writer, nftnl_expr_get_u32(expression, NFTNL_EXPR_RANGE_SREG));
    uint32_t first_length = 0, last_length = 0;
    const uint8_t *first = nftnl_expr_get(expression, NFTNL_EXPR_RANGE_FROM_DATA, &first_length);
    const uint8_t *last = nftnl_expr_get(expression, NFTNL_EXPR_RANGE_TO_DATA, &last_length);

    if (!slot || !first || !last)
        return;
    rule_say(writer, "%s %s", slot->what,
             nftnl_expr_get_u32(expression, NFTNL_EXPR_RANGE_OP) == NFT_RANGE_NEQ ? "!= " : "");
    rule_say_value(writer, slot, first, first_length);
    rule_say(writer, "-");
    rule_say_value(writer, slot, last, last_length);
    rule_say(writer, " ");
}

static void mask(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    const struct rule_slot *from =
        rule_find_slot(writer, nftnl_expr_get_u32(expression, NFTNL_EXPR_BITWISE_SREG));
    struct rule_slot *to =
        rule_find_slot(writer, nftnl_expr_get_u32(expression, NFTNL_EXPR_BITWISE_DREG));
    uint32_t length = 0;
    const uint8_t *bits = nftnl_expr_is_set(expression, NFTNL_EXPR_BITWISE_MASK)
                              ? nftnl_expr_get(expression, NFTNL_EXPR_BITWISE_MASK, &length)
                              : NULL;

    if (!from || !to || !bits || length > sizeof(to->mask))
        return;
    *to = *from;
    to->masked = from->look != LOOK_ADDRESS;
    memcpy(to->mask, bits, length);
    for (uint32_t i = 0; from->look == LOOK_ADDRESS && i < length * 8; i++)
        to->prefix = (uint8_t)(to->prefix + (bits[i / 8] >> (7 - i % 8) & 1));
}

struct listing {
    struct rule_writer *writer;
    const struct rule_slot *slot;
    size_t count;
};

#define LISTED_MAX 6

static int say_element(struct nftnl_set_elem *element, void *context)
{
    struct listing *listing = context;
    uint32_t length = 0;
    const uint8_t *key = nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_KEY)
                             ? nftnl_set_elem_get(element, NFTNL_SET_ELEM_KEY, &length)
                             : NULL;

    if (!key || (nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_FLAGS) &&
                 nftnl_set_elem_get_u32(element, NFTNL_SET_ELEM_FLAGS) != 0))
        return 0;
    if (listing->count++ == LISTED_MAX)
        rule_say(listing->writer, ", ...");
    if (listing->count > LISTED_MAX)
        return 0;
    rule_say(listing->writer, listing->count > 1 ? ", " : "");
    rule_say_value(listing->writer, listing->slot, key, length);
    return 0;
}

static void say_lookup(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    const char *name = nftnl_expr_get_str(expression, NFTNL_EXPR_LOOKUP_SET);
    const struct rule_slot *slot =
        rule_find_slot(writer, nftnl_expr_get_u32(expression, NFTNL_EXPR_LOOKUP_SREG));
    struct nftnl_set *set = name ? firewall_find_set(writer->firewall, writer->chain->family,
                                                     writer->chain->table, name)
                                 : NULL;
    bool inverted = nftnl_expr_is_set(expression, NFTNL_EXPR_LOOKUP_FLAGS) &&
                    nftnl_expr_get_u32(expression, NFTNL_EXPR_LOOKUP_FLAGS) & NFT_LOOKUP_F_INV;

    rule_say(writer, "%s %s%s", slot ? slot->what : "", inverted ? "!= " : "",
             nftnl_expr_is_set(expression, NFTNL_EXPR_LOOKUP_DREG) ? "vmap " : "");
    if (slot && set && nftnl_set_get_u32(set, NFTNL_SET_FLAGS) & NFT_SET_ANONYMOUS) {
        struct listing listing = {writer, slot, 0};

        rule_say(writer, "{ ");
        nftnl_set_elem_foreach(set, say_element, &listing);
        rule_say(writer, " } ");
    } else {
        rule_say(writer, "@%s ", name ? name : "?");
    }
}

static void say_immediate(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    const char *chain = nftnl_expr_is_set(expression, NFTNL_EXPR_IMM_CHAIN)
                            ? nftnl_expr_get_str(expression, NFTNL_EXPR_IMM_CHAIN)
                            : "";

    if (nftnl_expr_get_u32(expression, NFTNL_EXPR_IMM_DREG) != NFT_REG_VERDICT)
        return;
    switch (verdict_code_of(nftnl_expr_get_u32(expression, NFTNL_EXPR_IMM_VERDICT))) {
    case VERDICT_ACCEPT:
        rule_say(writer, "accept ");
        break;
    case VERDICT_DROP:
        rule_say(writer, "drop ");
        break;
    case VERDICT_JUMP:
        rule_say(writer, "jump %s ", chain);
        break;
    case VERDICT_GOTO:
        rule_say(writer, "goto %s ", chain);
        break;
    case VERDICT_RETURN:
        rule_say(writer, "return ");
        break;
    case VERDICT_CONTINUE:
    case VERDICT_DNAT:
    case VERDICT_QUEUE:
    case VERDICT_FORWARD:
        break;
    }
}

static void say_expression(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    const char *name = nftnl_expr_get_str(expression, NFTNL_EXPR_NAME);

    if (strcmp(name, "payload") == 0)
        rule_name_payload(writer, expression);
    else if (strcmp(name, "meta") == 0)
        rule_name_meta(writer, expression);
    else if (strcmp(name, "ct") == 0)
        rule_name_ct(writer, expression);
    else if (strcmp(name, "fib") == 0)
        rule_name(writer, nftnl_expr_get_u32(expression, NFTNL_EXPR_FIB_DREG), LOOK_HEX, "fib");
    else if (strcmp(name, "bitwise") == 0)
        mask(writer, expression);
    else if (strcmp(name, "cmp") == 0)
        say_compare(writer, expression);
    else if (strcmp(name, "range") == 0)
        say_range(writer, expression);
    else if (strcmp(name, "lookup") == 0)
        say_lookup(writer, expression);
    else if (strcmp(name, "immediate") == 0)
        say_immediate(writer, expression);
    else if (strcmp(name, "match") == 0)
        rule_say(writer, "[-m %s] ", nftnl_expr_get_str(expression, NFTNL_EXPR_MT_NAME));
    else if (strcmp(name, "target") == 0)
        rule_say(writer, "[-j %s] ", nftnl_expr_get_str(expression, NFTNL_EXPR_TG_NAME));
    else if (strcmp(name, "nat") == 0)
        rule_say(writer, nftnl_expr_get_u32(expression, NFTNL_EXPR_NAT_TYPE) == NFT_NAT_DNAT
                             ? "dnat "
                             : "snat ");
    else if (strcmp(name, "redir") == 0)
        rule_say(writer, "redirect ");
    else if (strcmp(name, "counter") != 0 && strcmp(name, "byteorder") != 0)
        rule_say(writer, "%s ", name);
}

char *rule_text(char *out, size_t capacity, const struct firewall *firewall,
                const struct firewall_chain *chain, const struct nftnl_rule *rule)
{
    char raw[RULE_TEXT] = "";
    struct rule_writer writer = {
        .firewall = firewall, .chain = chain, .out = raw, .capacity = sizeof(raw)};
    struct nftnl_expr_iter *each = nftnl_expr_iter_create(rule);
    struct nftnl_expr *expression;

    while (each && (expression = nftnl_expr_iter_next(each)))
        say_expression(&writer, expression);
    if (each)
        nftnl_expr_iter_destroy(each);
    while (writer.used > 0 && raw[writer.used - 1] == ' ')
        writer.used--;
    /* Names of chains and sets are anybody's who may make rules. */
    escape_copy(out, capacity, raw, writer.used);
    return out;
}
