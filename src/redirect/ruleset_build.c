// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>

#include "redirect/ruleset_build.h"

static void rule_add(struct ruleset_rule *rule, struct ruleset_statement statement)
{
    assert(rule->statement_count < RULESET_STATEMENTS_MAX);
    rule->statements[rule->statement_count++] = statement;
}

void rule_add_plain(struct ruleset_rule *rule, enum ruleset_statement_type type)
{
    rule_add(rule, (struct ruleset_statement){.type = type});
}

void rule_add_set(struct ruleset_rule *rule, enum ruleset_statement_type type, const char *set)
{
    rule_add(rule, (struct ruleset_statement){.type = type, .set = set});
}

void rule_add_port(struct ruleset_rule *rule, enum ruleset_statement_type type, uint16_t port)
{
    rule_add(rule, (struct ruleset_statement){.type = type, .port = port});
}

struct ruleset_rule *chain_add_rule(struct ruleset_chain *chain, const char *comment)
{
    assert(chain->rule_count < RULESET_RULES_MAX);
    struct ruleset_rule *rule = &chain->rules[chain->rule_count++];

    rule->comment = comment;
    return rule;
}

struct ruleset_set *ruleset_add_set(struct ruleset *ruleset, const char *name, enum ruleset_key key,
                                    const char *note)
{
    assert(ruleset->set_count < RULESET_SETS_MAX);
    struct ruleset_set *set = &ruleset->sets[ruleset->set_count++];

    *set = (struct ruleset_set){.name = name, .key = key, .note = note};
    return set;
}

struct ruleset_chain *ruleset_add_chain(struct ruleset *ruleset, struct ruleset_chain chain)
{
    assert(ruleset->chain_count < RULESET_CHAINS_MAX);
    ruleset->chains[ruleset->chain_count] = chain;
    return &ruleset->chains[ruleset->chain_count++];
}
