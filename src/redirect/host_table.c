// SPDX-License-Identifier: GPL-2.0-or-later
#include "redirect/host_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>

#include "redirect/admission_rule.h"

/* The kernel lets chains jump 16 deep. */
#define DEPTH_MAX 16
/* Rules passed for one place, of whatever chain: jumps that meet again are walked again. */
#define STEPS_MAX 5000000

void host_table_add(struct host_table *table, struct nftnl_rule *rule)
{
    if (table->count == table->capacity) {
        size_t capacity = table->capacity * 2 + 64;
        struct nftnl_rule **rules =
            reallocarray(table->rules, capacity, sizeof(struct nftnl_rule *));

        if (!rules) {
            table->out_of_memory = true;
            nftnl_rule_free(rule);
            return;
        }
        table->rules = rules;
        table->capacity = capacity;
    }
    table->rules[table->count++] = rule;
}

void host_table_deinit(struct host_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        nftnl_rule_free(table->rules[i]);
    free(table->rules);
    *table = (struct host_table){0};
}

bool host_rule_is_of(const struct nftnl_rule *rule, const char *chain)
{
    const char *name = nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN);

    return name && strcmp(name, chain) == 0;
}

struct walk {
    const struct host_table *table;
    const struct host_sets *sets;
    struct host_subject redirected, own;
    unsigned int steps;
};

static bool may_drop(struct walk *walk, const char *chain, unsigned int depth);

/* Whether what the rule does may keep out somebody redirected, for another reason than where they
 * come from. */
static bool rule_may_drop(struct walk *walk, const struct host_judgement *judgement,
                          unsigned int depth)
{
    if (judgement->match == HOST_NEVER || judgement->match == HOST_BY_SOURCE)
        return false;
    switch (judgement->verdict.act) {
    case HOST_DROPS:
    case HOST_OTHER:
        return true;
    case HOST_JUMPS:
    case HOST_GOES:
        return may_drop(walk, judgement->verdict.chain, depth + 1);
    case HOST_CONTINUES:
    case HOST_ACCEPTS:
    case HOST_RETURNS:
        break;
    }
    return false;
}

/* The same of a chain that is called. */
static bool may_drop(struct walk *walk, const char *chain, unsigned int depth)
{
    for (size_t i = 0; i < walk->table->count; i++) {
        const struct nftnl_rule *rule = walk->table->rules[i];
        struct host_judgement judgement;

        if (depth > DEPTH_MAX || walk->steps++ > STEPS_MAX)
            return true;
        if (!host_rule_is_of(rule, chain))
            continue;
        host_rule_judge(&judgement, rule, &walk->redirected, walk->sets);
        if (rule_may_drop(walk, &judgement, depth))
            return true;
        if (judgement.match == HOST_ALWAYS &&
            (judgement.verdict.act == HOST_ACCEPTS || judgement.verdict.act == HOST_RETURNS ||
             judgement.verdict.act == HOST_GOES))
            return false; /* nobody comes further */
    }
    return false;
}

/* Whether the admission has to stand before this rule of the base chain. */
static bool must_precede(struct walk *walk, const struct nftnl_rule *rule)
{
    struct host_judgement judgement;

    host_rule_judge(&judgement, rule, &walk->redirected, walk->sets);
    if (rule_may_drop(walk, &judgement, 0))
        return true;
    /* What leaves a base chain gets its policy. */
    if ((judgement.verdict.act == HOST_RETURNS || judgement.verdict.act == HOST_GOES) &&
        judgement.match != HOST_NEVER && judgement.match != HOST_BY_SOURCE)
        return true;
    if (judgement.match == HOST_ALWAYS && judgement.verdict.act == HOST_ACCEPTS)
        return true;
    host_rule_judge(&judgement, rule, &walk->own, walk->sets);
    return judgement.match == HOST_ALWAYS && judgement.verdict.act == HOST_ACCEPTS;
}

/* Nobody comes to what is behind such a rule. */
static bool ends_chain(const struct host_judgement *judgement)
{
    return judgement->match == HOST_ALWAYS && judgement->verdict.act != HOST_CONTINUES &&
           judgement->verdict.act != HOST_JUMPS;
}

static bool find_ban(struct walk *walk, const char *chain, size_t first, unsigned int depth,
                     bool by_source, struct host_ban *out);

/* Whether a connection to production is turned away here by where it comes from, or would be in
 * what is called from here. `by_source`: only those of some sources have come here. */
static bool rule_bans(struct walk *walk, const struct nftnl_rule *rule,
                      const struct host_judgement *judgement, unsigned int depth, bool by_source,
                      struct host_ban *out)
{
    by_source |= judgement->match == HOST_BY_SOURCE;
    if (judgement->match == HOST_NEVER)
        return false;
    switch (judgement->verdict.act) {
    case HOST_DROPS:
    case HOST_OTHER:
        break;
    case HOST_JUMPS:
    case HOST_GOES:
        return find_ban(walk, judgement->verdict.chain, 0, depth + 1, by_source, out);
    case HOST_CONTINUES:
    case HOST_ACCEPTS:
    case HOST_RETURNS:
        return false;
    }
    if (!by_source)
        return false;
    snprintf(out->chain, sizeof(out->chain), "%s", nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN));
    out->handle = nftnl_rule_get_u64(rule, NFTNL_RULE_HANDLE);
    return true;
}

/* The first one in a chain, from its table's `first` rule on. */
static bool find_ban(struct walk *walk, const char *chain, size_t first, unsigned int depth,
                     bool by_source, struct host_ban *out)
{
    for (size_t i = first; i < walk->table->count; i++) {
        const struct nftnl_rule *rule = walk->table->rules[i];
        struct host_judgement judgement;

        if (depth > DEPTH_MAX || walk->steps++ > STEPS_MAX)
            return false;
        if (!host_rule_is_of(rule, chain) || host_rule_is_admission(rule))
            continue;
        host_rule_judge(&judgement, rule, &walk->own, walk->sets);
        if (rule_bans(walk, rule, &judgement, depth, by_source, out))
            return true;
        if (ends_chain(&judgement))
            return false;
    }
    return false;
}

void host_table_place(struct host_place *out, const struct host_table *table, const char *chain,
                      const struct host_ports *ports, const struct host_sets *sets)
{
    struct walk walk = {
        .table = table,
        .sets = sets,
        .redirected = {.port = ports->responder, .redirected = true},
        .own = {.port = ports->production},
    };

    *out = (struct host_place){.at_end = true};
    for (size_t i = 0; i < table->count; i++) {
        const struct nftnl_rule *rule = table->rules[i];

        if (!host_rule_is_of(rule, chain) || host_rule_is_admission(rule) ||
            !must_precede(&walk, rule))
            continue;
        *out = (struct host_place){.before = nftnl_rule_get_u64(rule, NFTNL_RULE_HANDLE)};
        find_ban(&walk, chain, i, 0, false, &out->overruled);
        return;
    }
}

static int look_for_foreign(struct nftnl_expr *e, void *context)
{
    static const char *const known[] = {"bitwise", "cmp",     "counter", "immediate",
                                        "limit",   "log",     "lookup",  "match",
                                        "meta",    "payload", "range",   "target"};
    const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);
    bool *foreign = context;
    bool found = false;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        found |= strcmp(name, known[i]) == 0;
    *foreign |= !found;
    return 0;
}

bool host_table_is_iptables(const struct host_table *table, const char *chain)
{
    bool foreign = false;

    for (size_t i = 0; i < table->count; i++)
        if (host_rule_is_of(table->rules[i], chain) && !host_rule_is_admission(table->rules[i]))
            nftnl_expr_foreach(table->rules[i], look_for_foreign, &foreign);
    return !foreign;
}

struct content {
    const char *comment;
    bool accepts;
};

static int take_comment(const struct nftnl_udata *data, void *context)
{
    struct content *content = context;

    if (nftnl_udata_type(data) == NFTNL_UDATA_RULE_COMMENT && nftnl_udata_len(data) > 0) {
        const char *text = nftnl_udata_get(data);

        if (text[nftnl_udata_len(data) - 1] == '\0')
            content->comment = text;
    }
    return 0;
}

static int take_verdict(struct nftnl_expr *e, void *context)
{
    struct content *content = context;

    if (strcmp(nftnl_expr_get_str(e, NFTNL_EXPR_NAME), "immediate") == 0 &&
        nftnl_expr_is_set(e, NFTNL_EXPR_IMM_VERDICT))
        content->accepts = nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_VERDICT) == 1;
    return 0;
}

bool host_rule_is_admission(const struct nftnl_rule *rule)
{
    struct content content = {0};
    uint32_t length = 0;
    const void *data = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &length);

    if (!data)
        return false;
    nftnl_udata_parse(data, length, take_comment, &content);
    if (!content.comment || strcmp(content.comment, ADMISSION_COMMENT) != 0)
        return false;
    nftnl_expr_foreach((struct nftnl_rule *)rule, take_verdict, &content);
    return content.accepts;
}
