// SPDX-License-Identifier: GPL-2.0-or-later
#include "redirect/admission_rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/xt_conntrack.h>

#include "redirect/expression.h"
#include "redirect/expression_build.h"

uint8_t admission_family(const struct config_chain *chain)
{
    if (strcmp(chain->family, "ip") == 0)
        return NFPROTO_IPV4;
    return strcmp(chain->family, "ip6") == 0 ? NFPROTO_IPV6 : NFPROTO_INET;
}

/* -m conntrack --ctstate DNAT */
static bool add_xt_dnat(struct nftnl_rule *rule)
{
    struct nftnl_expr *e = nftnl_expr_alloc("match");
    struct xt_conntrack_mtinfo3 *info = calloc(1, sizeof(*info));

    if (!e || !info) {
        free(info);
        if (e)
            nftnl_expr_free(e);
        return false;
    }
    info->match_flags = XT_CONNTRACK_STATE;
    info->state_mask = XT_CONNTRACK_STATE_DNAT;
    nftnl_expr_set_str(e, NFTNL_EXPR_MT_NAME, "conntrack");
    nftnl_expr_set_u32(e, NFTNL_EXPR_MT_REV, 3);
    nftnl_expr_set(e, NFTNL_EXPR_MT_INFO, info, sizeof(*info)); /* takes it over */
    nftnl_rule_add_expr(rule, e);
    return true;
}

/* -p tcp --dport PORT -m conntrack --ctstate DNAT -j ACCEPT */
static bool add_for_iptables(struct nftnl_rule *rule, uint16_t port)
{
    struct ruleset_rule before = {0}, behind = {0};

    before.statements[before.statement_count++] =
        (struct ruleset_statement){.type = RULESET_DPORT, .port = port};
    behind.statements[behind.statement_count++] =
        (struct ruleset_statement){.type = RULESET_COUNTER};
    behind.statements[behind.statement_count++] =
        (struct ruleset_statement){.type = RULESET_ACCEPT};
    return expression_add_all(rule, &before) && add_xt_dnat(rule) &&
           expression_add_all(rule, &behind);
}

static bool add_native(struct nftnl_rule *rule, uint16_t port)
{
    struct ruleset_rule description;

    ruleset_admission(&description, port);
    return expression_add_all(rule, &description);
}

static bool set_comment(struct nftnl_rule *rule)
{
    struct nftnl_udata_buf *data = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);
    bool done;

    if (!data)
        return false;
    done = nftnl_udata_put_strz(data, NFTNL_UDATA_RULE_COMMENT, ADMISSION_COMMENT);
    nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(data),
                        nftnl_udata_buf_len(data));
    nftnl_udata_buf_free(data);
    return done;
}

static struct nlmsghdr *begin(struct batch *batch, uint16_t type, uint16_t flags,
                              const struct config_chain *chain)
{
    struct nlmsghdr *header = batch_begin_message(
        batch, type, flags, BATCH_ROOM,
        (struct batch_object){.kind = "rule of chain", .name = chain->chain, .admits = chain});

    if (header)
        ((struct nfgenmsg *)mnl_nlmsg_get_payload(header))->nfgen_family = admission_family(chain);
    return header;
}

static void put(struct batch *batch, struct nlmsghdr *header, struct nftnl_rule *rule,
                const struct config_chain *chain)
{
    nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, admission_family(chain));
    nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, chain->table);
    nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain->chain);
    nftnl_rule_nlmsg_build_payload(header, rule);
    batch_end_message(batch);
}

void admission_rule_add(struct batch *batch, const struct config_chain *chain,
                        const struct host_place *place, uint16_t port, bool iptables)
{
    struct nftnl_rule *rule = nftnl_rule_alloc();
    uint16_t flags = place->at_end ? NLM_F_CREATE | NLM_F_APPEND : NLM_F_CREATE;
    struct nlmsghdr *header = begin(batch, NFT_MSG_NEWRULE, flags, chain);

    if (rule && header && (iptables ? add_for_iptables(rule, port) : add_native(rule, port)) &&
        set_comment(rule)) {
        if (!place->at_end)
            nftnl_rule_set_u64(rule, NFTNL_RULE_POSITION, place->before);
        put(batch, header, rule, chain);
    } else
        batch->out_of_memory = true;
    if (rule)
        nftnl_rule_free(rule);
}

void admission_rule_delete(struct batch *batch, const struct config_chain *chain, uint64_t handle)
{
    struct nftnl_rule *rule = nftnl_rule_alloc();
    struct nlmsghdr *header = begin(batch, NFT_MSG_DELRULE, 0, chain);

    if (rule && header) {
        nftnl_rule_set_u64(rule, NFTNL_RULE_HANDLE, handle);
        put(batch, header, rule, chain);
    } else
        batch->out_of_memory = true;
    if (rule)
        nftnl_rule_free(rule);
}
