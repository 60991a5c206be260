// SPDX-License-Identifier: GPL-2.0-or-later
#include "redirect/host_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>

#include "redirect/admission_rule.h"

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
