// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>

#include "check/firewall.h"
#include "check/packet.h"
#include "check/truth.h"

struct nftnl_expr;

/* What one rule does with a packet. Pure. */

enum verdict_code {
    VERDICT_CONTINUE,
    VERDICT_ACCEPT,
    VERDICT_DROP,
    VERDICT_JUMP,
    VERDICT_GOTO,
    VERDICT_RETURN,
    VERDICT_DNAT,
    VERDICT_QUEUE,
    VERDICT_FORWARD,
};

struct verdict {
    enum verdict_code code;
    const char *chain; /* of a jump or goto; the rule's or the set's */
    enum truth truth;  /* that the rule comes to it */
};

/* Of a verdict map whose key is not known. */
#define MATCH_VERDICTS_MAX 32

struct match {
    struct verdict verdicts[MATCH_VERDICTS_MAX];
    size_t verdict_count;
    enum truth notrack, tproxy;
};

/* `reach` is how likely it is that the packet comes to this rule: what a rule of that kind does to
 * the packet's marks is certain, or makes them unknown. */
void match_rule(struct match *match, const struct firewall *firewall,
                const struct firewall_chain *chain, const struct nftnl_rule *rule,
                struct packet *packet, enum truth reach);

/* The state inside a rule: its registers, and whether the expressions so far hold. */
struct registers {
    const struct firewall *firewall;
    const struct firewall_chain *chain;
    struct packet *packet;
    struct match *match;
    struct bits data;
    enum truth reach;
    enum truth holds;
};

/* NF_DROP, NFT_JUMP and the like. */
enum verdict_code verdict_code_of(uint32_t number);

/* Records a verdict that ends the rule as far as it holds. */
void match_add_verdict(struct registers *registers, enum verdict_code code, const char *chain,
                       enum truth truth);

/* The offset of a register in the data; false: there is none with room for `length`. */
bool registers_find(uint32_t number, size_t length, size_t *offset);

/* The expressions that look something up in a set (lookup.c): the truth that it is in there. The
 * verdicts of a map are recorded. */
enum truth lookup_evaluate(struct registers *registers, const struct nftnl_expr *expression);

/* Those that load something into a register (load.c). */
void load_payload(struct registers *registers, const struct nftnl_expr *expression);
void load_meta(struct registers *registers, const struct nftnl_expr *expression);
void load_ct(struct registers *registers, const struct nftnl_expr *expression);
void load_fib(struct registers *registers, const struct nftnl_expr *expression);

/* Those that compare what is in a register, and those that change it (compute.c). */
enum truth compute_compare(struct registers *registers, const struct nftnl_expr *expression);
enum truth compute_range(struct registers *registers, const struct nftnl_expr *expression);
void compute_bitwise(struct registers *registers, const struct nftnl_expr *expression);
void compute_byteorder(struct registers *registers, const struct nftnl_expr *expression);

/* The data of an attribute, if it is no longer than all registers; else NULL. */
const uint8_t *compute_data(const struct nftnl_expr *expression, uint16_t attribute,
                            size_t *length);

/* Those of iptables (xt_match.c, xt_target.c). */
enum truth xt_match(const struct packet *packet, const char *name, uint32_t revision,
                    const void *info, size_t length);
void xt_target(struct registers *registers, const char *name, uint32_t revision, const void *info,
               size_t length);
