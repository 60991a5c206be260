// SPDX-License-Identifier: GPL-2.0-or-later
#include "check/rule_text.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>

#include "base/escape.h"
#include "check/firewall.h"
#include "check/match.h"

/* How the bytes of a register are shown. */
enum look {
    LOOK_HEX,
    LOOK_PORT,
    LOOK_ADDRESS,
    LOOK_NAME,
    LOOK_PROTOCOL,
    LOOK_FAMILY,
    LOOK_STATE,
    LOOK_STATUS,
    LOOK_NUMBER
};

struct slot {
    char what[64];
    enum look look;
    bool masked; /* a bitwise was between: compared with zero it is whether a bit is set */
    uint8_t mask[16];
    uint8_t prefix; /* of an address, in bits; 0: none */
};

struct writer {
    const struct firewall *firewall;
    const struct firewall_chain *chain;
    char *out;
    size_t capacity, used;
    struct slot slots[BITS_MAX / 4];
};

static void say(struct writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(struct writer *writer, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int length =
        vsnprintf(writer->out + writer->used, writer->capacity - writer->used, format, arguments);
    va_end(arguments);
    if (length > 0)
        writer->used += (size_t)length < writer->capacity - writer->used
                            ? (size_t)length
                            : writer->capacity - writer->used - 1;
}

static struct slot *slot_of(struct writer *writer, uint32_t number)
{
    size_t offset;

    return registers_find(number, 4, &offset) ? &writer->slots[offset / 4] : NULL;
}

static void name_register(struct writer *writer, uint32_t number, enum look look, const char *what)
{
    struct slot *slot = slot_of(writer, number);

    if (!slot)
        return;
    *slot = (struct slot){.look = look};
    snprintf(slot->what, sizeof(slot->what), "%s", what);
}

static void name_payload(struct writer *writer, const struct nftnl_expr *expression)
{
    static const struct {
        uint32_t base, offset, length;
        enum look look;
        const char *what;
    } known[] = {
        {NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, LOOK_PORT, "tcp sport"},
        {NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, LOOK_PORT, "tcp dport"},
        {NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1, LOOK_HEX, "tcp flags"},
        {NFT_PAYLOAD_NETWORK_HEADER, 9, 1, LOOK_PROTOCOL, "ip protocol"},
        {NFT_PAYLOAD_NETWORK_HEADER, 6, 1, LOOK_PROTOCOL, "ip6 nexthdr"},
        {NFT_PAYLOAD_NETWORK_HEADER, 12, 4, LOOK_ADDRESS, "ip saddr"},
        {NFT_PAYLOAD_NETWORK_HEADER, 16, 4, LOOK_ADDRESS, "ip daddr"},
        {NFT_PAYLOAD_NETWORK_HEADER, 8, 16, LOOK_ADDRESS, "ip6 saddr"},
        {NFT_PAYLOAD_NETWORK_HEADER, 24, 16, LOOK_ADDRESS, "ip6 daddr"},
    };
    uint32_t base = nftnl_expr_get_u32(expression, NFTNL_EXPR_PAYLOAD_BASE);
    uint32_t offset = nftnl_expr_get_u32(expression, NFTNL_EXPR_PAYLOAD_OFFSET);
    uint32_t length = nftnl_expr_get_u32(expression, NFTNL_EXPR_PAYLOAD_LEN);
    uint32_t target = nftnl_expr_get_u32(expression, NFTNL_EXPR_PAYLOAD_DREG);
    char what[64];

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (known[i].base == base && known[i].offset == offset && known[i].length >= length &&
            (known[i].length == length || known[i].look == LOOK_ADDRESS)) {
            name_register(writer, target, known[i].look, known[i].what);
            struct slot *slot = slot_of(writer, target);
            if (slot && length < known[i].length) /* a prefix of whole bytes */
                slot->prefix = (uint8_t)(length * 8);
            return;
        }
    snprintf(what, sizeof(what), "@%s,%u,%u",
             base == NFT_PAYLOAD_LL_HEADER        ? "ll"
             : base == NFT_PAYLOAD_NETWORK_HEADER ? "nh"
                                                  : "th",
             offset * 8, length * 8);
    name_register(writer, target, LOOK_HEX, what);
}

static void name_meta(struct writer *writer, const struct nftnl_expr *expression)
{
    uint32_t target = nftnl_expr_get_u32(expression, NFTNL_EXPR_META_DREG);

    if (nftnl_expr_is_set(expression, NFTNL_EXPR_META_SREG)) {
        say(writer, "meta set ");
        return;
    }
    switch (nftnl_expr_get_u32(expression, NFTNL_EXPR_META_KEY)) {
    case NFT_META_IIFNAME:
        name_register(writer, target, LOOK_NAME, "iifname");
        break;
    case NFT_META_OIFNAME:
        name_register(writer, target, LOOK_NAME, "oifname");
        break;
    case NFT_META_IIF:
        name_register(writer, target, LOOK_NUMBER, "iif");
        break;
    case NFT_META_L4PROTO:
        name_register(writer, target, LOOK_PROTOCOL, "meta l4proto");
        break;
    case NFT_META_NFPROTO:
        name_register(writer, target, LOOK_FAMILY, "meta nfproto");
        break;
    case NFT_META_MARK:
        name_register(writer, target, LOOK_NUMBER, "meta mark");
        break;
    default:
        name_register(writer, target, LOOK_HEX, "meta");
        break;
    }
}

static void name_ct(struct writer *writer, const struct nftnl_expr *expression)
{
    uint32_t target = nftnl_expr_get_u32(expression, NFTNL_EXPR_CT_DREG);

    switch (nftnl_expr_get_u32(expression, NFTNL_EXPR_CT_KEY)) {
    case NFT_CT_STATE:
        name_register(writer, target, LOOK_STATE, "ct state");
        break;
    case NFT_CT_STATUS:
        name_register(writer, target, LOOK_STATUS, "ct status");
        break;
    case NFT_CT_MARK:
        name_register(writer, target, LOOK_NUMBER, "ct mark");
        break;
    default:
        name_register(writer, target, LOOK_HEX, "ct");
        break;
    }
}

static void say_bits(struct writer *writer, uint32_t value, const char *const *names, size_t count)
{
    const char *before = "";

    for (size_t i = 0; i < count; i++)
        if (names[i] && value & (1U << i)) {
            say(writer, "%s%s", before, names[i]);
            before = ",";
        }
}

static void say_value(struct writer *writer, const struct slot *slot, const uint8_t *data,
                      size_t length)
{
    static const char *const states[] = {"invalid", "established", "related",  "new",
                                         NULL,      NULL,          "untracked"};
    static const char *const statuses[] = {"expected",  "seen-reply", "assured",
                                           "confirmed", "snat",       "dnat"};
    char text[INET6_ADDRSTRLEN + 64] = "";
    uint8_t address[16] = {0};
    uint32_t number = 0;

    if (length >= sizeof(number))
        memcpy(&number, data, sizeof(number));
    if (slot->look == LOOK_PORT && length == 2) {
        say(writer, "%u", (unsigned)(data[0] << 8 | data[1]));
    } else if (slot->look == LOOK_ADDRESS && length <= 16) {
        memcpy(address, data, length);
        inet_ntop(strncmp(slot->what, "ip6", 3) == 0 ? AF_INET6 : AF_INET, address, text,
                  sizeof(text));
        say(writer, "%s", text);
        if (slot->prefix != 0)
            say(writer, "/%u", slot->prefix);
    } else if (slot->look == LOOK_NAME) {
        escape_copy(text, 40, data, strnlen((const char *)data, length));
        say(writer, length < 16 ? "\"%s*\"" : "\"%s\"", text);
    } else if (slot->look == LOOK_PROTOCOL && length == 1) {
        if (data[0] == IPPROTO_TCP)
            say(writer, "tcp");
        else
            say(writer, "%u", data[0]);
    } else if (slot->look == LOOK_FAMILY && length == 1) {
        say(writer, data[0] == NFPROTO_IPV4 ? "ipv4" : "ipv6");
    } else if (slot->look == LOOK_STATE && length == 4) {
        say_bits(writer, number, states, sizeof(states) / sizeof(states[0]));
    } else if (slot->look == LOOK_STATUS && length == 4) {
        say_bits(writer, number, statuses, sizeof(statuses) / sizeof(statuses[0]));
    } else if (slot->look == LOOK_NUMBER && length == 4) {
        say(writer, "%u", number);
    } else {
        say(writer, "0x");
        for (size_t i = 0; i < length && i < 16; i++)
            say(writer, "%02x", data[i]);
    }
}

static void say_compare(struct writer *writer, const struct nftnl_expr *expression)
{
    static const char *const operators[] = {"", "!= ", "< ", "<= ", "> ", ">= "};
    const struct slot *slot = slot_of(writer, nftnl_expr_get_u32(expression, NFTNL_EXPR_CMP_SREG));
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
        say(writer, "%s%s ", slot->what, operation == NFT_CMP_NEQ ? "" : " !");
        say_value(writer, slot, slot->mask, length);
    } else {
        say(writer, "%s %s", slot->what, operators[operation]);
        say_value(writer, slot, data, length);
    }
    say(writer, " ");
}

static void say_range(struct writer *writer, const struct nftnl_expr *expression)
{
    const struct slot *slot =
        slot_of(writer, nftnl_expr_get_u32(expression, NFTNL_EXPR_RANGE_SREG));
    uint32_t first_length = 0, last_length = 0;
    const uint8_t *first = nftnl_expr_get(expression, NFTNL_EXPR_RANGE_FROM_DATA, &first_length);
    const uint8_t *last = nftnl_expr_get(expression, NFTNL_EXPR_RANGE_TO_DATA, &last_length);

    if (!slot || !first || !last)
        return;
    say(writer, "%s %s", slot->what,
        nftnl_expr_get_u32(expression, NFTNL_EXPR_RANGE_OP) == NFT_RANGE_NEQ ? "!= " : "");
    say_value(writer, slot, first, first_length);
    say(writer, "-");
    say_value(writer, slot, last, last_length);
    say(writer, " ");
}

static void mask(struct writer *writer, const struct nftnl_expr *expression)
{
    const struct slot *from =
        slot_of(writer, nftnl_expr_get_u32(expression, NFTNL_EXPR_BITWISE_SREG));
    struct slot *to = slot_of(writer, nftnl_expr_get_u32(expression, NFTNL_EXPR_BITWISE_DREG));
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
    struct writer *writer;
    const struct slot *slot;
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
        say(listing->writer, ", ...");
    if (listing->count > LISTED_MAX)
        return 0;
    say(listing->writer, listing->count > 1 ? ", " : "");
    say_value(listing->writer, listing->slot, key, length);
    return 0;
}

static void say_lookup(struct writer *writer, const struct nftnl_expr *expression)
{
    const char *name = nftnl_expr_get_str(expression, NFTNL_EXPR_LOOKUP_SET);
    const struct slot *slot =
        slot_of(writer, nftnl_expr_get_u32(expression, NFTNL_EXPR_LOOKUP_SREG));
    struct nftnl_set *set = name ? firewall_find_set(writer->firewall, writer->chain->family,
                                                     writer->chain->table, name)
                                 : NULL;
    bool inverted = nftnl_expr_is_set(expression, NFTNL_EXPR_LOOKUP_FLAGS) &&
                    nftnl_expr_get_u32(expression, NFTNL_EXPR_LOOKUP_FLAGS) & NFT_LOOKUP_F_INV;

    say(writer, "%s %s%s", slot ? slot->what : "", inverted ? "!= " : "",
        nftnl_expr_is_set(expression, NFTNL_EXPR_LOOKUP_DREG) ? "vmap " : "");
    if (slot && set && nftnl_set_get_u32(set, NFTNL_SET_FLAGS) & NFT_SET_ANONYMOUS) {
        struct listing listing = {writer, slot, 0};

        say(writer, "{ ");
        nftnl_set_elem_foreach(set, say_element, &listing);
        say(writer, " } ");
    } else {
        say(writer, "@%s ", name ? name : "?");
    }
}

static void say_immediate(struct writer *writer, const struct nftnl_expr *expression)
{
    const char *chain = nftnl_expr_is_set(expression, NFTNL_EXPR_IMM_CHAIN)
                            ? nftnl_expr_get_str(expression, NFTNL_EXPR_IMM_CHAIN)
                            : "";

    if (nftnl_expr_get_u32(expression, NFTNL_EXPR_IMM_DREG) != NFT_REG_VERDICT)
        return;
    switch (verdict_code_of(nftnl_expr_get_u32(expression, NFTNL_EXPR_IMM_VERDICT))) {
    case VERDICT_ACCEPT:
        say(writer, "accept ");
        break;
    case VERDICT_DROP:
        say(writer, "drop ");
        break;
    case VERDICT_JUMP:
        say(writer, "jump %s ", chain);
        break;
    case VERDICT_GOTO:
        say(writer, "goto %s ", chain);
        break;
    case VERDICT_RETURN:
        say(writer, "return ");
        break;
    case VERDICT_CONTINUE:
    case VERDICT_DNAT:
    case VERDICT_QUEUE:
    case VERDICT_FORWARD:
        break;
    }
}

static void say_expression(struct writer *writer, const struct nftnl_expr *expression)
{
    const char *name = nftnl_expr_get_str(expression, NFTNL_EXPR_NAME);

    if (strcmp(name, "payload") == 0)
        name_payload(writer, expression);
    else if (strcmp(name, "meta") == 0)
        name_meta(writer, expression);
    else if (strcmp(name, "ct") == 0)
        name_ct(writer, expression);
    else if (strcmp(name, "fib") == 0)
        name_register(writer, nftnl_expr_get_u32(expression, NFTNL_EXPR_FIB_DREG), LOOK_HEX, "fib");
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
        say(writer, "[-m %s] ", nftnl_expr_get_str(expression, NFTNL_EXPR_MT_NAME));
    else if (strcmp(name, "target") == 0)
        say(writer, "[-j %s] ", nftnl_expr_get_str(expression, NFTNL_EXPR_TG_NAME));
    else if (strcmp(name, "nat") == 0)
        say(writer, nftnl_expr_get_u32(expression, NFTNL_EXPR_NAT_TYPE) == NFT_NAT_DNAT ? "dnat "
                                                                                        : "snat ");
    else if (strcmp(name, "redir") == 0)
        say(writer, "redirect ");
    else if (strcmp(name, "counter") != 0 && strcmp(name, "byteorder") != 0)
        say(writer, "%s ", name);
}

char *rule_text(char *out, size_t capacity, const struct firewall *firewall,
                const struct firewall_chain *chain, const struct nftnl_rule *rule)
{
    char raw[RULE_TEXT] = "";
    struct writer writer = {
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
