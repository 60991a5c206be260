// SPDX-License-Identifier: GPL-2.0-or-later
#include "check/rule_register.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>

#include "base/escape.h"
#include "check/registers.h"

void rule_say(struct rule_writer *writer, const char *format, ...)
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

struct rule_slot *rule_find_slot(struct rule_writer *writer, uint32_t number)
{
    size_t offset;

    return registers_find(number, 4, &offset) ? &writer->slots[offset / 4] : NULL;
}

void rule_name(struct rule_writer *writer, uint32_t number, enum look look, const char *what)
{
    struct rule_slot *slot = rule_find_slot(writer, number);

    if (!slot)
        return;
    *slot = (struct rule_slot){.look = look};
    snprintf(slot->what, sizeof(slot->what), "%s", what);
}

void rule_name_payload(struct rule_writer *writer, const struct nftnl_expr *expression)
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
            rule_name(writer, target, known[i].look, known[i].what);
            struct rule_slot *slot = rule_find_slot(writer, target);
            if (slot && length < known[i].length) /* a prefix of whole bytes */
                slot->prefix = (uint8_t)(length * 8);
            return;
        }
    snprintf(what, sizeof(what), "@%s,%u,%u",
             base == NFT_PAYLOAD_LL_HEADER        ? "ll"
             : base == NFT_PAYLOAD_NETWORK_HEADER ? "nh"
                                                  : "th",
             offset * 8, length * 8);
    rule_name(writer, target, LOOK_HEX, what);
}

void rule_name_meta(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    uint32_t target = nftnl_expr_get_u32(expression, NFTNL_EXPR_META_DREG);

    if (nftnl_expr_is_set(expression, NFTNL_EXPR_META_SREG)) {
        rule_say(writer, "meta set ");
        return;
    }
    switch (nftnl_expr_get_u32(expression, NFTNL_EXPR_META_KEY)) {
    case NFT_META_IIFNAME:
        rule_name(writer, target, LOOK_NAME, "iifname");
        break;
    case NFT_META_OIFNAME:
        rule_name(writer, target, LOOK_NAME, "oifname");
        break;
    case NFT_META_IIF:
        rule_name(writer, target, LOOK_NUMBER, "iif");
        break;
    case NFT_META_L4PROTO:
        rule_name(writer, target, LOOK_PROTOCOL, "meta l4proto");
        break;
    case NFT_META_NFPROTO:
        rule_name(writer, target, LOOK_FAMILY, "meta nfproto");
        break;
    case NFT_META_MARK:
        rule_name(writer, target, LOOK_NUMBER, "meta mark");
        break;
    default:
        rule_name(writer, target, LOOK_HEX, "meta");
        break;
    }
}

void rule_name_ct(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    uint32_t target = nftnl_expr_get_u32(expression, NFTNL_EXPR_CT_DREG);

    switch (nftnl_expr_get_u32(expression, NFTNL_EXPR_CT_KEY)) {
    case NFT_CT_STATE:
        rule_name(writer, target, LOOK_STATE, "ct state");
        break;
    case NFT_CT_STATUS:
        rule_name(writer, target, LOOK_STATUS, "ct status");
        break;
    case NFT_CT_MARK:
        rule_name(writer, target, LOOK_NUMBER, "ct mark");
        break;
    default:
        rule_name(writer, target, LOOK_HEX, "ct");
        break;
    }
}

static void say_bits(struct rule_writer *writer, uint32_t value, const char *const *names,
                     size_t count)
{
    const char *before = "";

    for (size_t i = 0; i < count; i++)
        if (names[i] && value & (1U << i)) {
            rule_say(writer, "%s%s", before, names[i]);
            before = ",";
        }
}

void rule_say_value(struct rule_writer *writer, const struct rule_slot *slot, const uint8_t *data,
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
        rule_say(writer, "%u", (unsigned)(data[0] << 8 | data[1]));
    } else if (slot->look == LOOK_ADDRESS && length <= 16) {
        memcpy(address, data, length);
        inet_ntop(strncmp(slot->what, "ip6", 3) == 0 ? AF_INET6 : AF_INET, address, text,
                  sizeof(text));
        rule_say(writer, "%s", text);
        if (slot->prefix != 0)
            rule_say(writer, "/%u", slot->prefix);
    } else if (slot->look == LOOK_NAME) {
        escape_copy(text, 40, data, strnlen((const char *)data, length));
        rule_say(writer, length < 16 ? "\"%s*\"" : "\"%s\"", text);
    } else if (slot->look == LOOK_PROTOCOL && length == 1) {
        if (data[0] == IPPROTO_TCP)
            rule_say(writer, "tcp");
        else
            rule_say(writer, "%u", data[0]);
    } else if (slot->look == LOOK_FAMILY && length == 1) {
        rule_say(writer, data[0] == NFPROTO_IPV4 ? "ipv4" : "ipv6");
    } else if (slot->look == LOOK_STATE && length == 4) {
        say_bits(writer, number, states, sizeof(states) / sizeof(states[0]));
    } else if (slot->look == LOOK_STATUS && length == 4) {
        say_bits(writer, number, statuses, sizeof(statuses) / sizeof(statuses[0]));
    } else if (slot->look == LOOK_NUMBER && length == 4) {
        rule_say(writer, "%u", number);
    } else {
        rule_say(writer, "0x");
        for (size_t i = 0; i < length && i < 16; i++)
            rule_say(writer, "%02x", data[i]);
    }
}
