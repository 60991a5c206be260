// SPDX-License-Identifier: GPL-2.0-or-later
#include "check/evaluate.h"

#include <stdio.h>
#include <string.h>

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "check/match.h"

/* The kernel allows 16 jumps. The rules looked at are limited too: unknown verdicts branch. */
#define DEPTH_MAX 20
#define WORK_MAX  200000

struct walk {
    const struct firewall *firewall;
    struct evaluation *out;
    struct packet *packet;
    size_t work;
};

static void add_ending(struct walk *walk, enum fate fate, enum truth truth,
                       const struct firewall_chain *chain, const struct nftnl_rule *rule)
{
    struct evaluation *out = walk->out;

    if (truth == TRUTH_NO)
        return;
    if (out->count == EVALUATION_MAX) {
        out->cut = true;
        return;
    }
    out->endings[out->count++] = (struct ending){fate, truth, chain, rule};
}

static enum truth walk_chain(struct walk *walk, const struct firewall_chain *chain,
                             enum truth reach, size_t depth);

/* What becomes of those whom a verdict takes: *on go on with the next rule, *out leave the chain.
 */
static void apply_verdict(struct walk *walk, const struct firewall_chain *chain,
                          const struct nftnl_rule *rule, const struct verdict *verdict,
                          enum truth truth, size_t depth, enum truth *on, enum truth *out)
{
    const struct firewall_chain *target = NULL;

    if (verdict->chain)
        target = firewall_find_chain(walk->firewall, chain->family, chain->table, verdict->chain,
                                     chain->origin);
    switch (verdict->code) {
    case VERDICT_ACCEPT:
        add_ending(walk, FATE_ACCEPT, truth, chain, rule);
        break;
    case VERDICT_DROP:
        add_ending(walk, FATE_DROP, truth, chain, rule);
        break;
    case VERDICT_DNAT:
        add_ending(walk, FATE_DNAT, truth, chain, rule);
        break;
    case VERDICT_QUEUE:
        add_ending(walk, FATE_QUEUE, truth, chain, rule);
        break;
    case VERDICT_FORWARD:
        add_ending(walk, FATE_FORWARD, truth, chain, rule);
        break;
    case VERDICT_JUMP:
        *on = truth_or(*on, target ? walk_chain(walk, target, truth, depth + 1) : truth);
        break;
    case VERDICT_GOTO:
        *out = truth_or(*out, target ? walk_chain(walk, target, truth, depth + 1) : truth);
        break;
    case VERDICT_RETURN:
        *out = truth_or(*out, truth);
        break;
    case VERDICT_CONTINUE:
        *on = truth_or(*on, truth);
        break;
    }
}

static void walk_rule(struct walk *walk, const struct firewall_chain *chain,
                      const struct nftnl_rule *rule, enum truth *reach, enum truth *left,
                      size_t depth)
{
    struct match match;
    enum truth on = TRUTH_NO, taken = TRUTH_NO;

    match_rule(&match, walk->firewall, chain, rule, walk->packet, *reach);
    if (match.notrack != TRUTH_NO)
        add_ending(walk, FATE_NOTRACK, truth_and(*reach, match.notrack), chain, rule);
    if (match.tproxy != TRUTH_NO)
        add_ending(walk, FATE_TPROXY, truth_and(*reach, match.tproxy), chain, rule);
    for (size_t i = 0; i < match.verdict_count; i++) {
        enum truth truth = truth_and(*reach, match.verdicts[i].truth);

        taken = truth_or(taken, match.verdicts[i].truth);
        if (truth != TRUTH_NO)
            apply_verdict(walk, chain, rule, &match.verdicts[i], truth, depth, &on, left);
    }
    *reach = truth_or(on, truth_and(*reach, truth_not(taken)));
}

/* Returns how likely it is that the packet comes out of the end of the chain, or returns. */
static enum truth walk_chain(struct walk *walk, const struct firewall_chain *chain,
                             enum truth reach, size_t depth)
{
    enum truth left = TRUTH_NO;

    if (depth > DEPTH_MAX) {
        walk->out->cut = true;
        return reach;
    }
    for (size_t i = 0; i < chain->rule_count && reach != TRUTH_NO; i++) {
        if (++walk->work > WORK_MAX) {
            walk->out->cut = true;
            break;
        }
        walk_rule(walk, chain, chain->rules[i], &reach, &left, depth);
    }
    return truth_or(reach, left);
}

void evaluate(const struct firewall *firewall, const struct firewall_chain *base,
              struct packet *packet, struct evaluation *out)
{
    struct walk walk = {.firewall = firewall, .out = out, .packet = packet};

    out->base = base;
    out->count = 0;
    out->cut = false;
    packet->hook = base->hook;
    packet->hook_family = base->family;
    enum truth end = walk_chain(&walk, base, TRUTH_YES, 0);
    /* Always room for the policy, which may be the likeliest. */
    if (out->count == EVALUATION_MAX)
        out->count--;
    add_ending(&walk, base->policy == NF_DROP ? FATE_DROP : FATE_ACCEPT, end, base, NULL);
}

const struct ending *evaluation_find(const struct evaluation *evaluation, enum fate fate)
{
    const struct ending *best = NULL;

    for (size_t i = 0; i < evaluation->count; i++) {
        const struct ending *one = &evaluation->endings[i];

        if (one->fate == fate && (!best || one->truth > best->truth))
            best = one;
    }
    return best;
}

enum truth evaluation_truth(const struct evaluation *evaluation, enum fate fate)
{
    const struct ending *best = evaluation_find(evaluation, fate);

    return best ? best->truth : TRUTH_NO;
}
