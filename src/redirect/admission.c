// SPDX-License-Identifier: GPL-2.0-or-later
#include "redirect/admission.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "base/escape.h"
#include "redirect/admission_rule.h"
#include "redirect/host_sets.h"
#include "redirect/host_table.h"

/* Somebody else's changes in between are met by looking again. */
#define LOOKS_MAX 5

static bool is_message(const struct nlmsghdr *header, uint16_t type)
{
    return header->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | type);
}

/* Instead of a chain: all of them, of every family and table. */
static const struct config_chain everything;

/* Begins a query about `chain`; NULL when out of memory. */
static struct nlmsghdr *begin_query(struct batch *batch, uint16_t type, uint16_t flags,
                                    const struct config_chain *chain)
{
    struct nlmsghdr *header;

    batch_init(batch, BATCH_QUERY);
    header = batch_begin_message(
        batch, type, flags, BATCH_ROOM,
        (struct batch_object){.kind = "chain", .admits = chain->table[0] ? chain : NULL});
    if (header)
        ((struct nfgenmsg *)mnl_nlmsg_get_payload(header))->nfgen_family = admission_family(chain);
    return header;
}

/* --- the generation --- */

static int take_generation_id(const struct nlattr *attribute, void *context)
{
    uint32_t *id = context;

    if (mnl_attr_get_type(attribute) == NFTA_GEN_ID &&
        mnl_attr_get_payload_len(attribute) >= sizeof(*id))
        *id = ntohl(mnl_attr_get_u32(attribute));
    return MNL_CB_OK;
}

static void take_generation(const struct nlmsghdr *header, void *context)
{
    if (is_message(header, NFT_MSG_NEWGEN))
        mnl_attr_parse(header, sizeof(struct nfgenmsg), take_generation_id, context);
}

int admission_begin(struct transport *transport, struct batch *batch, struct failure *failure)
{
    struct batch query;
    uint32_t id = 0;

    if (begin_query(&query, NFT_MSG_GETGEN, NLM_F_ACK, &everything))
        batch_end_message(&query);
    int outcome = transport_query(transport, &query, take_generation, &id, failure);
    batch_deinit(&query);
    if (outcome == 0)
        batch_init_for(batch, id);
    return outcome;
}

bool admission_is_outdated(const struct failure *failure)
{
    return failure->kind == FAILURE_KERNEL && failure->refused && failure->number == ERESTART;
}

/* --- the chain --- */

struct chain_state {
    bool exists, is_base, is_input;
};

static void take_chain(const struct nlmsghdr *header, void *context)
{
    struct chain_state *state = context;
    struct nftnl_chain *chain;

    if (!is_message(header, NFT_MSG_NEWCHAIN))
        return;
    chain = nftnl_chain_alloc();
    if (chain && nftnl_chain_nlmsg_parse(header, chain) >= 0) {
        state->exists = true;
        state->is_base = nftnl_chain_is_set(chain, NFTNL_CHAIN_HOOKNUM);
        state->is_input =
            state->is_base && nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM) == NF_INET_LOCAL_IN;
    }
    if (chain)
        nftnl_chain_free(chain);
}

static int read_chain(struct transport *transport, const struct config_chain *chain,
                      struct chain_state *state, struct failure *failure)
{
    struct nftnl_chain *asked = nftnl_chain_alloc();
    struct batch query;
    struct nlmsghdr *header = begin_query(&query, NFT_MSG_GETCHAIN, NLM_F_ACK, chain);

    *state = (struct chain_state){0};
    if (asked && header) {
        nftnl_chain_set_str(asked, NFTNL_CHAIN_TABLE, chain->table);
        nftnl_chain_set_str(asked, NFTNL_CHAIN_NAME, chain->chain);
        nftnl_chain_nlmsg_build_payload(header, asked);
        batch_end_message(&query);
    } else
        query.out_of_memory = true;
    if (asked)
        nftnl_chain_free(asked);
    int outcome = transport_query(transport, &query, take_chain, state, failure);
    batch_deinit(&query);
    if (outcome < 0 && failure->kind == FAILURE_KERNEL && failure->number == ENOENT)
        return 0;
    return outcome;
}

static int refuse(struct failure *failure, const struct config_chain *chain, const char *reason)
{
    *failure = (struct failure){.kind = FAILURE_TOLD};
    return error_set(&failure->told, EX_CONFIG, "redirect.admit: chain %s %s %s: %s", chain->family,
                     chain->table, chain->chain, reason);
}

static int check_chain(const struct chain_state *state, const struct config_chain *chain,
                       struct failure *failure)
{
    if (!state->exists)
        return refuse(failure, chain,
                      "there is no such chain; `nft list chains` shows those that there are, and "
                      "the rules of iptables-legacy are not among them");
    if (!state->is_base)
        return refuse(failure, chain,
                      "it is no base chain; name the one that has \"hook input\" and jumps to it");
    if (!state->is_input)
        return refuse(failure, chain,
                      "it is of another hook; packets for this host go through \"hook input\"");
    return 0;
}

/* --- its table's rules --- */

static void take_rule(const struct nlmsghdr *header, void *context)
{
    struct host_table *table = context;
    struct nftnl_rule *rule;

    if (!is_message(header, NFT_MSG_NEWRULE))
        return;
    rule = nftnl_rule_alloc();
    if (rule && nftnl_rule_nlmsg_parse(header, rule) >= 0)
        host_table_add(table, rule);
    else if (rule)
        nftnl_rule_free(rule);
    else
        table->out_of_memory = true;
}

/* Of one table, or of everything. */
static int read_rules_once(struct transport *transport, const struct config_chain *chain,
                           struct host_table *table, struct failure *failure)
{
    struct nftnl_rule *asked = nftnl_rule_alloc();
    struct batch query;
    struct nlmsghdr *header = begin_query(&query, NFT_MSG_GETRULE, NLM_F_DUMP, chain);

    if (asked && header) {
        if (chain->table[0])
            nftnl_rule_set_str(asked, NFTNL_RULE_TABLE, chain->table);
        nftnl_rule_nlmsg_build_payload(header, asked);
        batch_end_message(&query);
    } else
        query.out_of_memory = true;
    if (asked)
        nftnl_rule_free(asked);
    int outcome = transport_query(transport, &query, take_rule, table, failure);
    batch_deinit(&query);
    if (outcome == 0 && table->out_of_memory) {
        *failure = (struct failure){.kind = FAILURE_MEMORY};
        outcome = -1;
    }
    return outcome;
}

static int read_rules(struct transport *transport, const struct config_chain *chain,
                      struct host_table *table, struct failure *failure)
{
    int outcome = -1;

    for (int look = 0; look < LOOKS_MAX; look++) {
        *table = (struct host_table){0};
        outcome = read_rules_once(transport, chain, table, failure);
        if (outcome == 0)
            break;
        host_table_deinit(table);
        if (failure->kind != FAILURE_LOST)
            break;
    }
    return outcome;
}

/* --- what is to be done --- */

/* Whether a rule is an admission in this chain. */
static bool is_here(const struct nftnl_rule *rule, const struct config_chain *chain)
{
    return host_rule_is_of(rule, chain->chain) && host_rule_is_admission(rule);
}

static size_t delete_all(struct batch *batch, const struct host_table *table,
                         const struct config_chain *chain)
{
    size_t count = 0;

    for (size_t i = 0; i < table->count; i++)
        if (is_here(table->rules[i], chain)) {
            admission_rule_delete(batch, chain,
                                  nftnl_rule_get_u64(table->rules[i], NFTNL_RULE_HANDLE));
            count++;
        }
    return count;
}

/* Whether there is one, and directly before its place. */
static bool stands(const struct host_table *table, const struct config_chain *chain,
                   const struct host_place *place)
{
    const struct nftnl_rule *behind = NULL;
    size_t count = 0;

    for (size_t i = 0; i < table->count; i++) {
        const struct nftnl_rule *rule = table->rules[i];

        if (is_here(rule, chain)) {
            count++;
            behind = NULL;
        } else if (count > 0 && !behind && host_rule_is_of(rule, chain->chain))
            behind = rule;
    }
    if (count != 1)
        return false;
    return place->at_end ? !behind
                         : behind && nftnl_rule_get_u64(behind, NFTNL_RULE_HANDLE) == place->before;
}

/* A table that iptables calls its own, and can read. */
static bool is_for_iptables(const struct host_table *table, const struct config_chain *chain)
{
    return strcmp(chain->family, "inet") != 0 && strcmp(chain->table, "filter") == 0 &&
           strcmp(chain->chain, "INPUT") == 0 && host_table_is_iptables(table, chain->chain);
}

void admission_describe_ban(char out[ADMISSION_BAN_TEXT], const struct host_ban *ban,
                            const struct config_chain *chain)
{
    char name[4 * HOST_NAME_MAX]; /* somebody else's: the kernel takes any bytes */

    escape_copy(name, sizeof(name), ban->chain, strlen(ban->chain));
    snprintf(out, ADMISSION_BAN_TEXT, "%srule %llu of chain %s %s %s",
             ban->given_up ? "what comes behind " : "", (unsigned long long)ban->handle,
             chain->family, chain->table, name);
}

/* Who is banned may learn that there is a responder, but does not reach production. */
static int check_ban(const struct config *config, const struct config_chain *chain,
                     const struct host_ban *ban, struct failure *failure)
{
    char which[ADMISSION_BAN_TEXT], reason[ADMISSION_BAN_TEXT + 256];

    if (ban->chain[0] == '\0' || config->other_requests != CONFIG_OTHER_PASS)
        return 0;
    admission_describe_ban(which, ban, chain);
    snprintf(
        reason, sizeof(reason),
        "move the bans to the head of this chain, or set other_requests: not-found: whoever is "
        "banned by %s (nft -a list ruleset) would be let in before that and passed on",
        which);
    return refuse(failure, chain, reason);
}

int admission_put(struct transport *transport, struct batch *batch, const struct config *config,
                  const struct config_chain *chain, struct host_ban *overruled,
                  struct failure *failure)
{
    const struct host_ports ports = {config->redirect.port, config->responder.port};
    struct chain_state state;
    struct host_table table;
    struct host_place place;

    if (read_chain(transport, chain, &state, failure) < 0 ||
        check_chain(&state, chain, failure) < 0 ||
        read_rules(transport, chain, &table, failure) < 0)
        return -1;
    struct host_sets_asked asked = {.transport = transport, .chain = chain};
    const struct host_sets sets = {.find = host_sets_find,
                                   .list = host_sets_list,
                                   .are_late = host_sets_are_late,
                                   .context = &asked};
    int outcome = 0;
    if (!host_place_find(&place, &table, chain->chain, &ports, &sets)) {
        *failure = (struct failure){.kind = FAILURE_MEMORY};
        outcome = -1;
    } else if (asked.failed) {
        *failure = asked.failure;
        outcome = -1;
    }
    if (outcome == 0)
        outcome = check_ban(config, chain, &place.overruled, failure);
    if (outcome == 0 && !stands(&table, chain, &place)) {
        delete_all(batch, &table, chain);
        admission_rule_add(batch, chain, &place, ports.responder, is_for_iptables(&table, chain));
    }
    host_table_deinit(&table);
    *overruled = place.overruled;
    return outcome;
}

int admission_take(struct transport *transport, struct batch *batch,
                   const struct config_chain *chain, struct failure *failure)
{
    struct host_table table;

    /* Of a table that is not there the kernel lists nothing. */
    if (read_rules(transport, chain, &table, failure) < 0)
        return -1;
    delete_all(batch, &table, chain);
    host_table_deinit(&table);
    return 0;
}

/* --- leftovers --- */

static bool add_leftover(struct admission_leftovers *out, const struct nftnl_rule *rule)
{
    static const char *const families[] = {
        [NFPROTO_INET] = "inet", [NFPROTO_IPV4] = "ip", [NFPROTO_IPV6] = "ip6"};
    uint32_t family = nftnl_rule_get_u32(rule, NFTNL_RULE_FAMILY);
    const char *table = nftnl_rule_get_str(rule, NFTNL_RULE_TABLE);
    const char *chain = nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN);

    if (family >= sizeof(families) / sizeof(families[0]) || !families[family] || !table || !chain ||
        strlen(table) >= CONFIG_CHAIN_NAME_MAX || strlen(chain) >= CONFIG_CHAIN_NAME_MAX)
        return true; /* none of ours: no chain can be named so */
    struct config_chain *chains =
        reallocarray(out->chains, out->count + 1, sizeof(struct config_chain));
    if (!chains)
        return false;
    out->chains = chains;
    uint64_t *handles = reallocarray(out->handles, out->count + 1, sizeof(*handles));
    if (!handles)
        return false;
    out->handles = handles;
    snprintf(chains[out->count].family, sizeof(chains->family), "%s", families[family]);
    snprintf(chains[out->count].table, sizeof(chains->table), "%s", table);
    snprintf(chains[out->count].chain, sizeof(chains->chain), "%s", chain);
    handles[out->count++] = nftnl_rule_get_u64(rule, NFTNL_RULE_HANDLE);
    return true;
}

int admission_find_all(struct transport *transport, struct admission_leftovers *out,
                       struct failure *failure)
{
    struct host_table table;
    bool enough = true;

    *out = (struct admission_leftovers){0};
    if (read_rules(transport, &everything, &table, failure) < 0)
        return -1;
    for (size_t i = 0; i < table.count && enough; i++)
        if (host_rule_is_admission(table.rules[i]))
            enough = add_leftover(out, table.rules[i]);
    host_table_deinit(&table);
    if (enough)
        return 0;
    *failure = (struct failure){.kind = FAILURE_MEMORY};
    return -1;
}

void admission_leftovers_deinit(struct admission_leftovers *leftovers)
{
    free(leftovers->chains);
    free(leftovers->handles);
    *leftovers = (struct admission_leftovers){0};
}
