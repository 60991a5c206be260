// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "redirect/counters.h"
#include "redirect/ruleset.h"
#include "redirect/ruleset_netlink.h"
#include "redirect/set_netlink.h"

static int take_comment(const struct nftnl_udata *data, void *context)
{
    const char **comment = context;

    if (nftnl_udata_type(data) == NFTNL_UDATA_RULE_COMMENT && nftnl_udata_len(data) > 0) {
        const char *text = nftnl_udata_get(data);

        if (text[nftnl_udata_len(data) - 1] == '\0')
            *comment = text;
    }
    return 0;
}

/* The comment that says which counter is which; NULL when there is none. It lives as long as the
 * rule. */
static const char *rule_comment(const struct nftnl_rule *rule)
{
    const char *comment = NULL;
    uint32_t length = 0;
    const void *data = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &length);

    if (data)
        nftnl_udata_parse(data, length, take_comment, &comment);
    return comment;
}

static int add_packets(struct nftnl_expr *expression, void *context)
{
    uint64_t *packets = context;

    if (strcmp(nftnl_expr_get_str(expression, NFTNL_EXPR_NAME), "counter") == 0)
        *packets += nftnl_expr_get_u64(expression, NFTNL_EXPR_CTR_PACKETS);
    return 0;
}

/* What the rules and sets so far add up to. */
struct sum {
    struct redirect_counters counters;
    size_t rules;    /* that have a counter of ours */
    size_t elements; /* of the set read last */
};

static uint64_t *counter_of(struct redirect_counters *counters, const char *comment)
{
    struct redirect_count *family = counters->family;
    const struct {
        const char *comment;
        uint64_t *counter;
    } counted[] = {
        {RULESET_TAG_REDIRECTED4, &family[REDIRECT_IPV4].redirected},
        {RULESET_TAG_REDIRECTED6, &family[REDIRECT_IPV6].redirected},
        {RULESET_TAG_ARRIVED4, &family[REDIRECT_IPV4].arrived},
        {RULESET_TAG_ARRIVED6, &family[REDIRECT_IPV6].arrived},
        {RULESET_TAG_HERE4, &family[REDIRECT_IPV4].here},
        {RULESET_TAG_HERE6, &family[REDIRECT_IPV6].here},
        {RULESET_TAG_ELSEWHERE4, &family[REDIRECT_IPV4].elsewhere},
        {RULESET_TAG_ELSEWHERE6, &family[REDIRECT_IPV6].elsewhere},
        {RULESET_TAG_CLOSED4, &family[REDIRECT_IPV4].closed},
        {RULESET_TAG_CLOSED6, &family[REDIRECT_IPV6].closed},
        {RULESET_TAG_PROBED, &counters->probed},
        {RULESET_TAG_GUARDED, &counters->guarded},
        {RULESET_TAG_LOOPED, &counters->looped},
    };

    for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++)
        if (strcmp(comment, counted[i].comment) == 0)
            return counted[i].counter;
    return NULL;
}

static void take_rule(const struct nlmsghdr *header, void *context)
{
    struct sum *sum = context;
    struct nftnl_rule *rule;

    if (header->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE))
        return;
    rule = nftnl_rule_alloc();
    if (rule && nftnl_rule_nlmsg_parse(header, rule) >= 0) {
        const char *comment = rule_comment(rule);
        uint64_t *packets = comment ? counter_of(&sum->counters, comment) : NULL;

        if (packets) {
            nftnl_expr_foreach(rule, add_packets, packets);
            sum->rules++;
        }
    }
    if (rule)
        nftnl_rule_free(rule);
}

/* Asks until nothing changed meanwhile, which somebody else's ruleset may do too; but not for ever
 * on a busy host. */
static int read_whole(struct transport *transport, struct batch *batch, transport_data *take,
                      struct sum *sum, struct failure *failure)
{
    const struct sum before = *sum;
    int outcome = -1;

    for (int attempt = 0; attempt < 5; attempt++) {
        *sum = before;
        outcome = transport_query(transport, batch, take, sum, failure);
        if (outcome == 0 || failure->kind != FAILURE_LOST)
            break;
    }
    batch_deinit(batch);
    return outcome;
}

/* The kernel lists the chains as they were created, prerouting before arrived: what is counted as
 * redirected has had time to arrive. */
static int read_rules(struct transport *transport, struct sum *sum, struct failure *failure)
{
    struct batch batch;

    batch_init(&batch, BATCH_QUERY);
    ruleset_netlink_ask_rules(&batch);
    if (read_whole(transport, &batch, take_rule, sum, failure) < 0)
        return -1;
    if (sum->rules > 0)
        return 0;
    /* The kernel gives an empty list for a table that is not there. */
    *failure = (struct failure){
        .kind = FAILURE_KERNEL, .number = ENOENT, .query = true, .object = {.kind = "table"}};
    return -1;
}

static int count_element(const struct nlattr *attribute, void *context)
{
    struct sum *sum = context;

    (void)attribute;
    sum->elements++;
    return MNL_CB_OK;
}

static int take_list(const struct nlattr *attribute, void *context)
{
    if (mnl_attr_get_type(attribute) == NFTA_SET_ELEM_LIST_ELEMENTS)
        return mnl_attr_parse_nested(attribute, count_element, context);
    return MNL_CB_OK;
}

/* Only counts: libnftnl would make an object of every element. */
static void take_elements(const struct nlmsghdr *header, void *context)
{
    if (header->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM))
        mnl_attr_parse(header, sizeof(struct nfgenmsg), take_list, context);
}

static int read_set(struct transport *transport, const char *set, struct sum *sum,
                    struct failure *failure)
{
    struct batch batch;

    sum->elements = 0;
    batch_init(&batch, BATCH_QUERY);
    set_netlink_ask_elements(&batch, set);
    return read_whole(transport, &batch, take_elements, sum, failure);
}

int counters_read(struct transport *transport, const struct ruleset *ruleset,
                  struct redirect_counters *out, struct failure *failure)
{
    static const char *const missing[REDIRECT_FAMILIES] = {
        [REDIRECT_IPV4] = RULESET_SET_MISSING4,
        [REDIRECT_IPV6] = RULESET_SET_MISSING6,
    };
    struct sum sum = {0};

    if (read_rules(transport, &sum, failure) < 0)
        return -1;
    for (size_t i = 0; i < REDIRECT_FAMILIES; i++) {
        if (!ruleset_find_set(ruleset, missing[i]))
            continue;
        if (read_set(transport, missing[i], &sum, failure) < 0)
            return -1;
        sum.counters.family[i].missing = sum.elements;
    }
    *out = sum.counters;
    return 0;
}
