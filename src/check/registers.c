// SPDX-License-Identifier: GPL-2.0-or-later
#include "check/registers.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

bool registers_find(uint32_t number, size_t length, size_t *offset)
{
    if (number >= NFT_REG_1 && number <= NFT_REG_4)
        *offset = (number - NFT_REG_1) * 16;
    else if (number >= NFT_REG32_00 && number <= NFT_REG32_15)
        *offset = (number - NFT_REG32_00) * 4;
    else
        return false;
    return length <= BITS_MAX - *offset;
}

void registers_add_verdict(struct registers *registers, enum verdict_code code, const char *chain,
                           enum truth truth)
{
    struct match *match = registers->match;

    truth = truth_and(truth, registers->holds);
    if (truth == TRUTH_NO)
        return;
    /* What does not fit is one of many that are no more likely than those. */
    if (match->verdict_count < MATCH_VERDICTS_MAX)
        match->verdicts[match->verdict_count++] = (struct verdict){code, chain, truth};
}

enum verdict_code verdict_code_of(uint32_t number)
{
    switch ((int)number) {
    case NF_DROP:
        return VERDICT_DROP;
    case NF_ACCEPT:
        return VERDICT_ACCEPT;
    case NFT_JUMP:
        return VERDICT_JUMP;
    case NFT_GOTO:
        return VERDICT_GOTO;
    case NFT_RETURN:
        return VERDICT_RETURN;
    default:
        return (number & NF_VERDICT_MASK) == NF_QUEUE ? VERDICT_QUEUE : VERDICT_CONTINUE;
    }
}
