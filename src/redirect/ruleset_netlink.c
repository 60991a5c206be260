// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "redirect/expression.h"
#include "redirect/redirect.h"
#include "redirect/ruleset_netlink.h"

/* Until linux/netfilter/nf_tables.h of every supported system has it (5.12). */
#define TABLE_FLAG_OWNER 0x2

/* nft's numbers of its data types (nft describe), which it needs to list a set. */
static const uint32_t key_types[RULESET_KEYS] = {
    [RULESET_KEY_PORT] = 13,
    [RULESET_KEY_INTERFACE] = 41,
    [RULESET_KEY_IPV4] = 7,
    [RULESET_KEY_IPV6] = 8,
};

/* nft's enum byteorder; without it nft cannot show interface names. */
enum { BYTE_ORDER_HOST = 1, BYTE_ORDER_NETWORK = 2 };

static const uint32_t hook_numbers[] = {
    [RULESET_HOOK_PREROUTING] = NF_INET_PRE_ROUTING,
    [RULESET_HOOK_INPUT] = NF_INET_LOCAL_IN,
    [RULESET_HOOK_OUTPUT] = NF_INET_LOCAL_OUT,
};

/* table inet wicket { flags owner; } */
static void create_table(struct batch *batch, bool owner)
{
    struct nftnl_table *table = nftnl_table_alloc();
    struct nlmsghdr *header =
        batch_begin_message(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK,
                            BATCH_ROOM, (struct batch_object){.kind = "table"});

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

/* For nft only: the kernel keeps it and does not look. */
static bool set_describe(struct nftnl_set *set, enum ruleset_key key)
{
    struct nftnl_udata_buf *data = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);
    bool done;

    if (!data)
        return false;
    done =
        nftnl_udata_put_u32(data, NFTNL_UDATA_SET_KEYBYTEORDER,
                            key == RULESET_KEY_INTERFACE ? BYTE_ORDER_HOST : BYTE_ORDER_NETWORK) &&
        nftnl_set_set_data(set, NFTNL_SET_USERDATA, nftnl_udata_buf_data(data),
                           nftnl_udata_buf_len(data)) == 0;
    nftnl_udata_buf_free(data);
    return done;
}

/* set NAME { type TYPE; size SIZE; flags FLAGS; timeout TIMEOUT; } */
static void create_set(struct batch *batch, const struct ruleset_set *description, uint32_t id)
{
    struct nftnl_set *set = nftnl_set_alloc();
    struct nlmsghdr *header = batch_begin_message(
        batch, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, BATCH_ROOM,
        (struct batch_object){"set", description->name, "nf_tables_set"});
    uint32_t flags = (description->timeout ? NFT_SET_TIMEOUT : 0U) |
                     (description->interval ? NFT_SET_INTERVAL : 0U) |
                     (description->size_max > 0 ? NFT_SET_EVAL : 0U);

    if (set && header && set_describe(set, description->key)) {
        nftnl_set_set_str(set, NFTNL_SET_TABLE, REDIRECT_TABLE);
        nftnl_set_set_str(set, NFTNL_SET_NAME, description->name);
        nftnl_set_set_u32(set, NFTNL_SET_ID, id);
        nftnl_set_set_u32(set, NFTNL_SET_FLAGS, flags);
        nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, key_types[description->key]);
        nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, (uint32_t)ruleset_key_length(description->key));
        if (description->size_max > 0)
            nftnl_set_set_u32(set, NFTNL_SET_DESC_SIZE, description->size_max);
        if (description->timeout_ms > 0)
            nftnl_set_set_u64(set, NFTNL_SET_TIMEOUT, description->timeout_ms);
        nftnl_set_nlmsg_build_payload(header, set);
        batch_end_message(batch);
    } else
        batch->out_of_memory = true;
    if (set)
        nftnl_set_free(set);
}

/* Some elements of a set, which make up one message. */
struct element_message {
    struct batch *batch;
    const char *name;
    struct nftnl_set *set; /* owned; NULL: none yet, or out of memory */
    size_t count;
};

/* Below BATCH_ROOM_ELEMENTS in any case: an element takes at most 48 bytes. */
#define ELEMENTS_A_MESSAGE 512

static void elements_send(struct element_message *message, uint16_t type, uint16_t flags)
{
    size_t room = message->count > 1 ? BATCH_ROOM_ELEMENTS : BATCH_ROOM;

    if (!message->set)
        return;
    struct nlmsghdr *header =
        batch_begin_message(message->batch, type, (uint16_t)(flags | NLM_F_ACK), room,
                            (struct batch_object){.kind = "set", .name = message->name});
    if (header) {
        nftnl_set_elems_nlmsg_build_payload(header, message->set);
        batch_end_message(message->batch);
    }
    nftnl_set_free(message->set);
    message->set = NULL;
    message->count = 0;
}

static struct nftnl_set_elem *elements_add(struct element_message *message, const void *key,
                                           size_t length)
{
    struct nftnl_set_elem *element = NULL;

    if (message->count == ELEMENTS_A_MESSAGE)
        elements_send(message, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
    if (!message->set) {
        message->set = nftnl_set_alloc();
        if (message->set) {
            nftnl_set_set_str(message->set, NFTNL_SET_TABLE, REDIRECT_TABLE);
            nftnl_set_set_str(message->set, NFTNL_SET_NAME, message->name);
        }
    }
    if (message->set)
        element = nftnl_set_elem_alloc();
    if (!element) {
        message->batch->out_of_memory = true;
        return NULL;
    }
    nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, key, (uint32_t)length);
    nftnl_set_elem_add(message->set, element);
    message->count++;
    return element;
}

/* An interval is its first key and the one behind its last; without that it is open to the top. The
 * first interval is preceded by an end at zero, unless it begins there. */
static void create_intervals(struct element_message *message, const struct ruleset_set *set)
{
    static const uint8_t zero[RULESET_KEY_MAX];
    size_t length = ruleset_key_length(set->key);
    struct nftnl_set_elem *end;
    uint8_t behind[RULESET_KEY_MAX];

    if (memcmp(set->elements[0].first, zero, length) != 0) {
        end = elements_add(message, zero, length);
        if (end)
            nftnl_set_elem_set_u32(end, NFTNL_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
    }
    for (size_t i = 0; i < set->element_count; i++) {
        elements_add(message, set->elements[i].first, length);
        if (!ruleset_key_next(behind, set->elements[i].last, set->key))
            continue;
        end = elements_add(message, behind, length);
        if (end)
            nftnl_set_elem_set_u32(end, NFTNL_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
    }
}

/* elements = { KEY, KEY-KEY, … } */
static void create_elements(struct batch *batch, const struct ruleset_set *set)
{
    struct element_message message = {.batch = batch, .name = set->name};

    if (set->interval)
        create_intervals(&message, set);
    else
        for (size_t i = 0; i < set->element_count; i++)
            elements_add(&message, set->elements[i].first, ruleset_key_length(set->key));
    elements_send(&message, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
}

/* chain NAME { type TYPE hook HOOK priority PRIORITY; policy accept; } */
static void create_chain(struct batch *batch, const struct ruleset_chain *description)
{
    struct nftnl_chain *chain = nftnl_chain_alloc();
    struct nlmsghdr *header = batch_begin_message(
        batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, BATCH_ROOM,
        (struct batch_object){"chain", description->name,
                              description->nat ? "nft_chain_nat, nf_nat, nf_conntrack"
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

static void create_rule(struct batch *batch, const char *chain,
                        const struct ruleset_rule *description)
{
    struct nftnl_rule *rule = nftnl_rule_alloc();
    struct nlmsghdr *header = batch_begin_message(
        batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK, BATCH_ROOM,
        (struct batch_object){"rule of chain", chain,
                              "nft_fib_inet, nft_redir, nft_ct, nf_conntrack"});

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
    for (size_t i = 0; i < ruleset->set_count; i++) {
        create_set(batch, &ruleset->sets[i], (uint32_t)i + 1);
        if (ruleset->sets[i].element_count > 0)
            create_elements(batch, &ruleset->sets[i]);
    }
    for (size_t i = 0; i < RULESET_CHAINS; i++) {
        const struct ruleset_chain *chain = &ruleset->chains[i];

        create_chain(batch, chain);
        for (size_t j = 0; j < chain->rule_count; j++)
            create_rule(batch, chain->name, &chain->rules[j]);
    }
}

static void table_message(struct batch *batch, uint16_t type)
{
    struct nftnl_table *table = nftnl_table_alloc();
    struct nlmsghdr *header = batch_begin_message(batch, type, NLM_F_ACK, BATCH_ROOM,
                                                  (struct batch_object){.kind = "table"});

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
    table_message(batch, NFT_MSG_DELTABLE);
}

void ruleset_netlink_ask_table(struct batch *batch)
{
    table_message(batch, NFT_MSG_GETTABLE);
}

/* add element inet wicket SET { PORT timeout TIMEOUT } */
void ruleset_netlink_add_port(struct batch *batch, const char *set, uint16_t port,
                              uint64_t timeout_ms)
{
    struct element_message message = {.batch = batch, .name = set};
    uint16_t key = htons(port);
    struct nftnl_set_elem *element = elements_add(&message, &key, sizeof(key));

    if (element)
        nftnl_set_elem_set_u64(element, NFTNL_SET_ELEM_TIMEOUT, timeout_ms);
    elements_send(&message, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
}

/* delete element inet wicket SET { PORT } */
void ruleset_netlink_delete_port(struct batch *batch, const char *set, uint16_t port)
{
    struct element_message message = {.batch = batch, .name = set};
    uint16_t key = htons(port);

    elements_add(&message, &key, sizeof(key));
    elements_send(&message, NFT_MSG_DELSETELEM, 0);
}

void ruleset_netlink_ask_rules(struct batch *batch)
{
    struct nftnl_rule *rule = nftnl_rule_alloc();
    struct nlmsghdr *header = batch_begin_message(batch, NFT_MSG_GETRULE, NLM_F_DUMP, BATCH_ROOM,
                                                  (struct batch_object){.kind = "table"});

    if (rule && header) {
        nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, REDIRECT_TABLE);
        nftnl_rule_nlmsg_build_payload(header, rule);
        batch_end_message(batch);
    } else
        batch->out_of_memory = true;
    if (rule)
        nftnl_rule_free(rule);
}

static void set_message(struct batch *batch, uint16_t type, uint16_t flags, const char *name)
{
    struct nftnl_set *set = nftnl_set_alloc();
    struct nlmsghdr *header = batch_begin_message(
        batch, type, flags, BATCH_ROOM, (struct batch_object){.kind = "set", .name = name});

    if (set && header) {
        nftnl_set_set_str(set, NFTNL_SET_TABLE, REDIRECT_TABLE);
        nftnl_set_set_str(set, NFTNL_SET_NAME, name);
        nftnl_set_elems_nlmsg_build_payload(header, set);
        batch_end_message(batch);
    } else
        batch->out_of_memory = true;
    if (set)
        nftnl_set_free(set);
}

/* flush set inet wicket SET */
void ruleset_netlink_flush(struct batch *batch, const char *set)
{
    set_message(batch, NFT_MSG_DELSETELEM, NLM_F_ACK, set);
}

void ruleset_netlink_ask_elements(struct batch *batch, const char *set)
{
    set_message(batch, NFT_MSG_GETSETELEM, NLM_F_DUMP, set);
}
