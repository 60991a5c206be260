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

/* What the rules of the chains so far add up to. */
struct sum {
    struct redirect_counters counters;
    size_t rules; /* that have a counter of ours */
};

static uint64_t *counter_of(struct redirect_counters *counters, const char *comment)
{
    if (strcmp(comment, RULESET_TAG_REDIRECTED) == 0)
        return &counters->redirected;
    if (strcmp(comment, RULESET_TAG_PROBED) == 0)
        return &counters->probed;
    if (strcmp(comment, RULESET_TAG_GUARDED) == 0)
        return &counters->guarded;
    if (strcmp(comment, RULESET_TAG_ARRIVED) == 0)
        return &counters->arrived;
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

static int read_chain(struct transport *transport, const char *chain, struct sum *sum,
                      struct failure *failure)
{
    const struct sum before = *sum;
    struct batch batch;
    int outcome = -1;

    batch_init(&batch, BATCH_QUERY);
    ruleset_netlink_ask_rules(&batch, chain);
    /* Somebody's ruleset changed meanwhile: again, but not for ever on a busy host. */
    for (int attempt = 0; attempt < 5; attempt++) {
        *sum = before;
        outcome = transport_query(transport, &batch, take_rule, sum, failure);
        if (outcome == 0 || failure->kind != FAILURE_LOST)
            break;
    }
    if (outcome == 0 && sum->rules == before.rules) {
        /* The kernel gives an empty list for a chain that is not there. */
        *failure = (struct failure){.kind = FAILURE_KERNEL,
                                    .number = ENOENT,
                                    .query = true,
                                    .object = {.kind = "chain", .name = chain}};
        outcome = -1;
    }
    batch_deinit(&batch);
    return outcome;
}

int counters_read(struct transport *transport, struct redirect_counters *out,
                  struct failure *failure)
{
    /* In this order: what is counted as redirected has had time to arrive. */
    static const char *const chains[] = {RULESET_CHAIN_PREROUTING, RULESET_CHAIN_OUTPUT,
                                         RULESET_CHAIN_INPUT, RULESET_CHAIN_ARRIVED};
    struct sum sum = {0};

    for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++)
        if (read_chain(transport, chains[i], &sum, failure) < 0)
            return -1;
    *out = sum.counters;
    return 0;
}
