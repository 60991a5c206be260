// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <errno.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "redirect/counters.h"
#include "redirect/ruleset.h"
#include "redirect/ruleset_netlink.h"
#include "redirect/set_netlink.h"

/* Of a rule's description no more is looked at than its comment and its counters: libnftnl would
 * make objects of all of its expressions, which takes longer than the kernel's answer. */
struct rule {
    const char *comment; /* says which counter is which; NULL: there is none */
    bool counts;
    uint64_t packets;
};

static int take_comment(const struct nftnl_udata *data, void *context)
{
    struct rule *rule = context;

    if (nftnl_udata_type(data) == NFTNL_UDATA_RULE_COMMENT && nftnl_udata_len(data) > 0) {
        const char *text = nftnl_udata_get(data);

        if (text[nftnl_udata_len(data) - 1] == '\0')
            rule->comment = text;
    }
    return 0;
}

static int take_packets(const struct nlattr *attribute, void *context)
{
    struct rule *rule = context;

    if (mnl_attr_get_type(attribute) == NFTA_COUNTER_PACKETS &&
        mnl_attr_validate(attribute, MNL_TYPE_U64) == 0)
        rule->packets += be64toh(mnl_attr_get_u64(attribute));
    return MNL_CB_OK;
}

/* The kernel says what an expression is before it says the rest. */
static int take_expression(const struct nlattr *attribute, void *context)
{
    switch (mnl_attr_get_type(attribute)) {
    case NFTA_EXPR_NAME:
        ((struct rule *)context)->counts = mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0 &&
                                           strcmp(mnl_attr_get_str(attribute), "counter") == 0;
        return MNL_CB_OK;
    case NFTA_EXPR_DATA:
        return ((struct rule *)context)->counts
                   ? mnl_attr_parse_nested(attribute, take_packets, context)
                   : MNL_CB_OK;
    default:
        return MNL_CB_OK;
    }
}

static int take_expressions(const struct nlattr *attribute, void *context)
{
    ((struct rule *)context)->counts = false;
    return mnl_attr_parse_nested(attribute, take_expression, context);
}

static int take_attribute(const struct nlattr *attribute, void *context)
{
    switch (mnl_attr_get_type(attribute)) {
    case NFTA_RULE_EXPRESSIONS:
        return mnl_attr_parse_nested(attribute, take_expressions, context);
    case NFTA_RULE_USERDATA:
        nftnl_udata_parse(mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute),
                          take_comment, context);
        return MNL_CB_OK;
    default:
        return MNL_CB_OK;
    }
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
    struct rule rule = {0};

    if (header->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE))
        return;
    mnl_attr_parse(header, sizeof(struct nfgenmsg), take_attribute, &rule);
    uint64_t *packets = rule.comment ? counter_of(&sum->counters, rule.comment) : NULL;
    if (packets) {
        *packets += rule.packets;
        sum->rules++;
    }
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

/* NULL: of all chains, which the kernel lists as they were created. */
static int read_rules(struct transport *transport, const char *chain, struct sum *sum,
                      struct failure *failure)
{
    struct batch batch;

    batch_init(&batch, BATCH_QUERY);
    ruleset_netlink_ask_rules(&batch, chain);
    return read_whole(transport, &batch, take_rule, sum, failure);
}

/* The kernel gives an empty list for a table that is not there. */
static int check_rules(const struct sum *sum, struct failure *failure)
{
    if (sum->rules > 0)
        return 0;
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

/* Of the families that are redirected. */
static const char *const missing[REDIRECT_FAMILIES] = {
    [REDIRECT_IPV4] = RULESET_SET_MISSING4,
    [REDIRECT_IPV6] = RULESET_SET_MISSING6,
};

int counters_read(struct transport *transport, const struct ruleset *ruleset,
                  struct redirect_counters *out, struct failure *failure)
{
    struct sum sum = {0};

    /* Prerouting was created before arrived: what is counted as redirected has had time to arrive.
     */
    if (read_rules(transport, NULL, &sum, failure) < 0 || check_rules(&sum, failure) < 0)
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

/* Where nobody is redirected there are none, and of a table that is gone neither. */
static bool is_counted(const struct ruleset *ruleset)
{
    for (size_t i = 0; i < REDIRECT_FAMILIES; i++)
        if (ruleset_find_set(ruleset, missing[i]))
            return true;
    return false;
}

int counters_read_connections(struct transport *transport, const struct ruleset *ruleset,
                              struct redirect_counters *out, struct failure *failure)
{
    static const char *const chains[] = {RULESET_CHAIN_PREROUTING, RULESET_CHAIN_ARRIVED};
    struct sum sum = {0};

    for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++)
        if (read_rules(transport, chains[i], &sum, failure) < 0)
            return -1;
    if (is_counted(ruleset) && check_rules(&sum, failure) < 0)
        return -1;
    *out = (struct redirect_counters){0};
    for (size_t i = 0; i < REDIRECT_FAMILIES; i++) {
        out->family[i].redirected = sum.counters.family[i].redirected;
        out->family[i].arrived = sum.counters.family[i].arrived;
    }
    return 0;
}
