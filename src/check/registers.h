// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "check/firewall.h"
#include "check/packet.h"
#include "check/truth.h"

/* What a rule comes to, and the state inside it while its expressions are gone through. */

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
void registers_add_verdict(struct registers *registers, enum verdict_code code, const char *chain,
                           enum truth truth);

/* The offset of a register in the data; false: there is none with room for `length`. */
bool registers_find(uint32_t number, size_t length, size_t *offset);
