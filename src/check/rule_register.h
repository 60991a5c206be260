// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check/bits.h"

struct firewall;
struct firewall_chain;
struct nftnl_expr;

/* Within rule_text.c and rule_register.c: what each register holds, by its name in nft(8), and how
 * that is written. */

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

struct rule_slot {
    char what[64];
    enum look look;
    bool masked; /* a bitwise was between: compared with zero it is whether a bit is set */
    uint8_t mask[16];
    uint8_t prefix; /* of an address, in bits; 0: none */
};

struct rule_writer {
    const struct firewall *firewall;
    const struct firewall_chain *chain;
    char *out;
    size_t capacity, used;
    struct rule_slot slots[BITS_MAX / 4];
};

void rule_say(struct rule_writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* NULL: there is no such register. */
struct rule_slot *rule_find_slot(struct rule_writer *writer, uint32_t number);

/* A register gets a name, by hand or as an expression loads it. */
void rule_name(struct rule_writer *writer, uint32_t number, enum look look, const char *what);
void rule_name_payload(struct rule_writer *writer, const struct nftnl_expr *expression);
void rule_name_meta(struct rule_writer *writer, const struct nftnl_expr *expression);
void rule_name_ct(struct rule_writer *writer, const struct nftnl_expr *expression);

/* A value that it is compared with. */
void rule_say_value(struct rule_writer *writer, const struct rule_slot *slot, const uint8_t *data,
                    size_t length);
