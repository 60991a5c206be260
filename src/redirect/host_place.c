// SPDX-License-Identifier: GPL-2.0-or-later
#include "redirect/host_place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libnftnl/rule.h>

/* The kernel lets chains jump 16 deep. */
#define DEPTH_MAX 16
/* Rules passed for one place, of whatever chain: jumps that meet again are walked again. */
#define STEPS_MAX 1000000
/* So often it is looked at the time. */
#define STEPS_A_LOOK 64

/* A rule where it stands: those of a chain one after the other, in the order in which they are gone
 * through. */
struct stand {
    const struct nftnl_rule *rule;
    const char *chain;
    size_t order;
};

struct walk {
    struct stand *stands;
    size_t count;
    const struct host_sets *sets;
    struct host_subject redirected, own;
    unsigned int steps;
};

static int compare_stands(const void *one, const void *other)
{
    const struct stand *a = one, *b = other;
    int order = strcmp(a->chain, b->chain);

    return order != 0 ? order : (a->order > b->order) - (a->order < b->order);
}

/* Without admissions, which come and go. False: out of memory. */
static bool walk_init(struct walk *walk, const struct host_table *table)
{
    walk->stands = calloc(table->count + 1, sizeof(*walk->stands));
    if (!walk->stands)
        return false;
    for (size_t i = 0; i < table->count; i++) {
        const char *chain = nftnl_rule_get_str(table->rules[i], NFTNL_RULE_CHAIN);

        if (chain && !host_rule_is_admission(table->rules[i]))
            walk->stands[walk->count++] = (struct stand){table->rules[i], chain, i};
    }
    qsort(walk->stands, walk->count, sizeof(*walk->stands), compare_stands);
    return true;
}

/* Its first rule; walk->count when it has none. */
static size_t chain_first(const struct walk *walk, const char *chain)
{
    size_t low = 0, high = walk->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(walk->stands[middle].chain, chain) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool chain_has(const struct walk *walk, const char *chain, size_t at)
{
    return at < walk->count && strcmp(walk->stands[at].chain, chain) == 0;
}

static bool walk_is_over(struct walk *walk, unsigned int depth)
{
    return depth > DEPTH_MAX || walk->steps++ > STEPS_MAX ||
           (walk->steps % STEPS_A_LOOK == 0 && walk->sets->are_late(walk->sets->context));
}

/* ---- who is kept out by the rules of the redirected port ---- */

static bool chain_may_drop(struct walk *walk, const char *chain, unsigned int depth);

static bool verdict_may_drop(struct walk *walk, const struct host_verdict *verdict,
                             unsigned int depth);

/* Of any of its elements. */
static bool map_may_drop(struct walk *walk, const char *map, unsigned int depth)
{
    struct host_verdicts verdicts;

    if (!walk->sets->list(walk->sets->context, map, &verdicts))
        return true;
    for (size_t i = 0; i < verdicts.count; i++)
        if (walk_is_over(walk, depth) || verdict_may_drop(walk, &verdicts.list[i], depth))
            return true;
    return false;
}

static bool verdict_may_drop(struct walk *walk, const struct host_verdict *verdict,
                             unsigned int depth)
{
    switch (verdict->act) {
    case HOST_DROPS:
    case HOST_OTHER:
        return true;
    case HOST_JUMPS:
    case HOST_GOES:
        return chain_may_drop(walk, verdict->chain, depth + 1);
    case HOST_MAPS:
        return map_may_drop(walk, verdict->chain, depth);
    case HOST_CONTINUES:
    case HOST_ACCEPTS:
    case HOST_RETURNS:
        break;
    }
    return false;
}

/* Whether what the rule does may keep out somebody redirected, for another reason than where they
 * come from. */
static bool rule_may_drop(struct walk *walk, const struct host_judgement *judgement,
                          unsigned int depth)
{
    return judgement->match != HOST_NEVER && judgement->match != HOST_BY_SOURCE &&
           verdict_may_drop(walk, &judgement->verdict, depth);
}

/* The same of a chain that is called. */
static bool chain_may_drop(struct walk *walk, const char *chain, unsigned int depth)
{
    for (size_t i = chain_first(walk, chain); chain_has(walk, chain, i); i++) {
        struct host_judgement judgement;

        if (walk_is_over(walk, depth))
            return true;
        host_rule_judge(&judgement, walk->stands[i].rule, &walk->redirected, walk->sets);
        if (rule_may_drop(walk, &judgement, depth))
            return true;
        if (judgement.match == HOST_ALWAYS &&
            (judgement.verdict.act == HOST_ACCEPTS || judgement.verdict.act == HOST_RETURNS ||
             judgement.verdict.act == HOST_GOES))
            return false; /* nobody comes further */
    }
    return false;
}

/* What leaves a base chain gets its policy. */
static bool may_leave(struct walk *walk, const struct host_verdict *verdict)
{
    struct host_verdicts verdicts;

    if (verdict->act != HOST_MAPS)
        return verdict->act == HOST_RETURNS || verdict->act == HOST_GOES;
    if (!walk->sets->list(walk->sets->context, verdict->chain, &verdicts))
        return true;
    for (size_t i = 0; i < verdicts.count; i++)
        if (verdicts.list[i].act == HOST_RETURNS || verdicts.list[i].act == HOST_GOES)
            return true;
    return false;
}

/* Whether the admission has to stand before this rule of the base chain. */
static bool must_precede(struct walk *walk, const struct nftnl_rule *rule)
{
    struct host_judgement judgement;

    host_rule_judge(&judgement, rule, &walk->redirected, walk->sets);
    if (rule_may_drop(walk, &judgement, 0))
        return true;
    if (judgement.match != HOST_NEVER && judgement.match != HOST_BY_SOURCE &&
        may_leave(walk, &judgement.verdict))
        return true;
    if (judgement.match == HOST_ALWAYS && judgement.verdict.act == HOST_ACCEPTS)
        return true;
    host_rule_judge(&judgement, rule, &walk->own, walk->sets);
    return judgement.match == HOST_ALWAYS && judgement.verdict.act == HOST_ACCEPTS;
}

/* ---- who is kept out of production by where they come from ---- */

/* What becomes of everybody who comes to a rule, as far as it is the same for all. */
enum search {
    SEARCH_GOES_ON, /* some come to the next rule */
    SEARCH_RETURNS, /* nobody does, but to the one behind the call */
    SEARCH_ENDS,    /* nobody comes to any other */
    SEARCH_FOUND,   /* some are banned */
};

static enum search search_chain(struct walk *walk, const char *chain, size_t first,
                                unsigned int depth, bool by_source, struct host_ban *out);

static enum search found(const struct nftnl_rule *rule, struct host_ban *out)
{
    snprintf(out->chain, sizeof(out->chain), "%s", nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN));
    out->handle = nftnl_rule_get_u64(rule, NFTNL_RULE_HANDLE);
    return SEARCH_FOUND;
}

/* What comes behind this rule cannot be told: who is not known to be let in by right stays out. */
static enum search give_up(const struct nftnl_rule *rule, struct host_ban *out)
{
    out->given_up = true;
    return found(rule, out);
}

static enum search search_verdict(struct walk *walk, const struct nftnl_rule *rule,
                                  const struct host_verdict *verdict, unsigned int depth,
                                  bool by_source, struct host_ban *out);

static enum search search_map(struct walk *walk, const struct nftnl_rule *rule, const char *map,
                              unsigned int depth, bool by_source, struct host_ban *out)
{
    struct host_verdicts verdicts;

    if (!walk->sets->list(walk->sets->context, map, &verdicts))
        return give_up(rule, out);
    for (size_t i = 0; i < verdicts.count; i++)
        if (search_verdict(walk, rule, &verdicts.list[i], depth, by_source, out) == SEARCH_FOUND)
            return SEARCH_FOUND;
    return SEARCH_GOES_ON; /* who is not in the map does */
}

/* Of whoever it is for. */
static enum search search_verdict(struct walk *walk, const struct nftnl_rule *rule,
                                  const struct host_verdict *verdict, unsigned int depth,
                                  bool by_source, struct host_ban *out)
{
    enum search called;

    switch (verdict->act) {
    case HOST_CONTINUES:
        break;
    case HOST_ACCEPTS:
        return SEARCH_ENDS;
    case HOST_RETURNS:
        return SEARCH_RETURNS;
    case HOST_DROPS:
    case HOST_OTHER:
        return by_source ? found(rule, out) : SEARCH_ENDS;
    case HOST_MAPS:
        return search_map(walk, rule, verdict->chain, depth, by_source, out);
    case HOST_JUMPS:
    case HOST_GOES:
        called = search_chain(walk, verdict->chain, chain_first(walk, verdict->chain), depth + 1,
                              by_source, out);
        if (called == SEARCH_FOUND || called == SEARCH_ENDS)
            return called;
        return verdict->act == HOST_GOES ? SEARCH_RETURNS : SEARCH_GOES_ON;
    }
    return SEARCH_GOES_ON;
}

/* A chain of the table from its rule `first` on. `by_source`: only those of some sources have come
 * here. */
static enum search search_chain(struct walk *walk, const char *chain, size_t first,
                                unsigned int depth, bool by_source, struct host_ban *out)
{
    for (size_t i = first; chain_has(walk, chain, i); i++) {
        const struct nftnl_rule *rule = walk->stands[i].rule;
        struct host_judgement judgement;

        if (walk_is_over(walk, depth))
            return give_up(rule, out);
        host_rule_judge(&judgement, rule, &walk->own, walk->sets);
        if (judgement.match == HOST_NEVER)
            continue;
        enum search search = search_verdict(walk, rule, &judgement.verdict, depth,
                                            by_source || judgement.match == HOST_BY_SOURCE, out);
        if (search == SEARCH_FOUND)
            return search;
        if (judgement.match != HOST_ALWAYS)
            continue;
        if (search == SEARCH_ENDS)
            return search;
        if (search == SEARCH_RETURNS)
            return SEARCH_GOES_ON;
    }
    return SEARCH_GOES_ON;
}

bool host_place_find(struct host_place *out, const struct host_table *table, const char *chain,
                     const struct host_ports *ports, const struct host_sets *sets)
{
    struct walk walk = {
        .sets = sets,
        .redirected = {.port = ports->responder, .redirected = true},
        .own = {.port = ports->production},
    };

    *out = (struct host_place){.at_end = true};
    if (!walk_init(&walk, table))
        return false;
    for (size_t i = chain_first(&walk, chain); chain_has(&walk, chain, i); i++) {
        const struct nftnl_rule *rule = walk.stands[i].rule;

        if (!must_precede(&walk, rule))
            continue;
        *out = (struct host_place){.before = nftnl_rule_get_u64(rule, NFTNL_RULE_HANDLE)};
        walk.steps = 0;
        (void)search_chain(&walk, chain, i, 0, false, &out->overruled);
        break;
    }
    free(walk.stands);
    return true;
}
