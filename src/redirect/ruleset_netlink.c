// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <libnftnl/chain.h>
#include <libnftnl/object.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "redirect/expression.h"
#include "redirect/redirect.h"
#include "redirect/ruleset_netlink.h"
#include "redirect/set_netlink.h"

/* Until linux/netfilter/nf_tables.h of every supported system has it (5.12). */
#define TABLE_FLAG_OWNER 0x2

static const uint32_t hook_numbers[] = {
    [RULESET_HOOK_PREROUTING] = NF_INET_PRE_ROUTING,
    [RULESET_HOOK_INPUT] = NF_INET_LOCAL_IN,
    [RULESET_HOOK_OUTPUT] = NF_INET_LOCAL_OUT,
    [RULESET_HOOK_POSTROUTING] = NF_INET_POST_ROUTING,
};

/* table inet wicket { flags owner; } */
static void create_table(struct batch *batch, bool owner)
{
    struct nftnl_table *table = nftnl_table_alloc();
    struct nlmsghdr *header =
        batch_begin_message(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, BATCH_ROOM,
                            (struct batch_object){.kind = "table"});

    if (table && header) {
        nftnl_table_set_str(table, NFTNL_TABLE_NAME, REDIRECT_TABLE);
        nftnl_table_set_u32(table, NFTNL_TABLE_FLAGS, owner ? TABLE_FLAG_OWNER : 0);
        nftnl_table_nlmsg_build_payload(header, table);
        batch_end_message(batch);
    } else
        batch->out_of_memory = true;
    if (table)
        nftnl_table_free(table);
}

/* ct timeout NAME { protocol tcp; l3proto L3PROTO; policy = { time_wait : 1, close : 1 } }, or
 * { syn_sent : 1 } */
static void create_timeout(struct batch *batch, const struct ruleset_timeout *description)
{
    /* In seconds; those that the policy does not name are what nft takes for them. */
    const uint32_t policy[NFTNL_CTTIMEOUT_TCP_MAX] = {
        [NFTNL_CTTIMEOUT_TCP_SYN_SENT] = description->beginning ? 1 : 120,
        [NFTNL_CTTIMEOUT_TCP_SYN_RECV] = 60,
        [NFTNL_CTTIMEOUT_TCP_ESTABLISHED] = 432000,
        [NFTNL_CTTIMEOUT_TCP_FIN_WAIT] = 120,
        [NFTNL_CTTIMEOUT_TCP_CLOSE_WAIT] = 60,
        [NFTNL_CTTIMEOUT_TCP_LAST_ACK] = 30,
        [NFTNL_CTTIMEOUT_TCP_TIME_WAIT] = description->beginning ? 120 : 1,
        [NFTNL_CTTIMEOUT_TCP_CLOSE] = description->beginning ? 10 : 1,
        [NFTNL_CTTIMEOUT_TCP_SYN_SENT2] = 120,
        [NFTNL_CTTIMEOUT_TCP_RETRANS] = 300,
        [NFTNL_CTTIMEOUT_TCP_UNACK] = 300,
    };
    struct nftnl_obj *object = nftnl_obj_alloc();
    struct nlmsghdr *header = batch_begin_message(
        batch, NFT_MSG_NEWOBJ, NLM_F_CREATE | NLM_F_EXCL, BATCH_ROOM,
        (struct batch_object){.kind = "ct timeout",
                              .name = description->name,
                              .modules = "nft_ct, with CONFIG_NF_CONNTRACK_TIMEOUT"});

    if (object && header) {
        nftnl_obj_set_str(object, NFTNL_OBJ_TABLE, REDIRECT_TABLE);
        nftnl_obj_set_str(object, NFTNL_OBJ_NAME, description->name);
        nftnl_obj_set_u32(object, NFTNL_OBJ_TYPE, NFT_OBJECT_CT_TIMEOUT);
        nftnl_obj_set_u16(object, NFTNL_OBJ_CT_TIMEOUT_L3PROTO,
                          description->ipv6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
        nftnl_obj_set_u8(object, NFTNL_OBJ_CT_TIMEOUT_L4PROTO, IPPROTO_TCP);
        nftnl_obj_set_data(object, NFTNL_OBJ_CT_TIMEOUT_ARRAY, policy, sizeof(policy));
        nftnl_obj_nlmsg_build_payload(header, object);
        batch_end_message(batch);
    } else
        batch->out_of_memory = true;
    if (object)
        nftnl_obj_free(object);
}

/* chain NAME { type TYPE hook HOOK priority PRIORITY; policy accept; } */
static void create_chain(struct batch *batch, const struct ruleset_chain *description)
{
    struct nftnl_chain *chain = nftnl_chain_alloc();
    struct nlmsghdr *header = batch_begin_message(
        batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL, BATCH_ROOM,
        (struct batch_object){.kind = "chain",
                              .name = description->name,
                              .modules = description->nat ? "nft_chain_nat, nf_nat, nf_conntrack"
                                                          : "nf_tables, nf_tables_inet"});

    if (chain && header) {
        nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, REDIRECT_TABLE);
        nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, description->name);
        nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, description->nat ? "nat" : "filter");
        nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, hook_numbers[description->hook]);
        nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, description->priority);
        nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, NF_ACCEPT);
        nftnl_chain_nlmsg_build_payload(header, chain);
        batch_end_message(batch);
    } else
        batch->out_of_memory = true;
    if (chain)
        nftnl_chain_free(chain);
}

/* comment "TAG" */
static bool rule_set_comment(struct nftnl_rule *rule, const char *comment)
{
    struct nftnl_udata_buf *data = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);
    bool done;

    if (!data)
        return false;
    done = nftnl_udata_put_strz(data, NFTNL_UDATA_RULE_COMMENT, comment);
    nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(data),
                        nftnl_udata_buf_len(data));
    nftnl_udata_buf_free(data);
    return done;
}

/* What a kernel must have for it. */
static const char *rule_modules(const struct ruleset_rule *rule)
{
    for (size_t i = 0; i < rule->statement_count; i++) {
        enum ruleset_statement_type type = rule->statements[i].type;

        if (type == RULESET_TPROXY || type == RULESET_TPROXY4 || type == RULESET_TPROXY6)
            return "nft_tproxy, nf_tproxy_ipv4, nf_tproxy_ipv6, nft_fib_inet; or set "
                   "redirect.method to redirect";
    }
    return "nft_fib_inet, nft_redir, nft_ct, nft_nat, nft_objref, nf_conntrack";
}

static void create_rule(struct batch *batch, const char *chain,
                        const struct ruleset_rule *description)
{
    struct nftnl_rule *rule = nftnl_rule_alloc();
    struct nlmsghdr *header = batch_begin_message(
        batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, BATCH_ROOM,
        (struct batch_object){
            .kind = "rule of chain", .name = chain, .modules = rule_modules(description)});

    if (rule && header && expression_add_all(rule, description) &&
        (!description->comment || rule_set_comment(rule, description->comment))) {
        nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, REDIRECT_TABLE);
        nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain);
        nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, NFPROTO_INET);
        nftnl_rule_nlmsg_build_payload(header, rule);
        batch_end_message(batch);
    } else
        batch->out_of_memory = true;
    if (rule)
        nftnl_rule_free(rule);
}

void ruleset_netlink_create(struct batch *batch, const struct ruleset *ruleset, bool owner)
{
    create_table(batch, owner);
    for (size_t i = 0; i < ruleset->timeout_count; i++)
        create_timeout(batch, &ruleset->timeouts[i]);
    for (size_t i = 0; i < ruleset->set_count; i++)
        set_netlink_create(batch, &ruleset->sets[i], (uint32_t)i + 1);
    for (size_t i = 0; i < ruleset->chain_count; i++) {
        const struct ruleset_chain *chain = &ruleset->chains[i];

        create_chain(batch, chain);
        for (size_t j = 0; j < chain->rule_count; j++)
            create_rule(batch, chain->name, &chain->rules[j]);
    }
}

static void table_message(struct batch *batch, uint16_t type, uint16_t flags)
{
    struct nftnl_table *table = nftnl_table_alloc();
    struct nlmsghdr *header =
        batch_begin_message(batch, type, flags, BATCH_ROOM, (struct batch_object){.kind = "table"});

    if (table && header) {
        nftnl_table_set_str(table, NFTNL_TABLE_NAME, REDIRECT_TABLE);
        nftnl_table_nlmsg_build_payload(header, table);
        batch_end_message(batch);
    } else
        batch->out_of_memory = true;
    if (table)
        nftnl_table_free(table);
}

/* delete table inet wicket */
void ruleset_netlink_delete_table(struct batch *batch)
{
    table_message(batch, NFT_MSG_DELTABLE, 0);
}

void ruleset_netlink_ask_table(struct batch *batch)
{
    table_message(batch, NFT_MSG_GETTABLE, NLM_F_ACK);
}

void ruleset_netlink_ask_rules(struct batch *batch, const char *chain)
{
    struct nftnl_rule *rule = nftnl_rule_alloc();
    struct nlmsghdr *header = batch_begin_message(batch, NFT_MSG_GETRULE, NLM_F_DUMP, BATCH_ROOM,
                                                  (struct batch_object){.kind = "table"});

    if (rule && header) {
        nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, REDIRECT_TABLE);
        if (chain)
            nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain);
        nftnl_rule_nlmsg_build_payload(header, rule);
        batch_end_message(batch);
    } else
        batch->out_of_memory = true;
    if (rule)
        nftnl_rule_free(rule);
}
