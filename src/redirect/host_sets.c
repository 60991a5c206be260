// SPDX-License-Identifier: GPL-2.0-or-later
#include "redirect/host_sets.h"

#include <errno.h>
#include <stdio.h>

#include <libmnl/libmnl.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "redirect/admission_rule.h"

struct found {
    bool is;
    struct host_verdict verdict;
};

static enum host_act act_of(int verdict)
{
    switch (verdict) {
    case NF_ACCEPT:
        return HOST_ACCEPTS;
    case NF_DROP:
        return HOST_DROPS;
    case NFT_CONTINUE:
        return HOST_CONTINUES;
    case NFT_RETURN:
        return HOST_RETURNS;
    case NFT_JUMP:
        return HOST_JUMPS;
    case NFT_GOTO:
        return HOST_GOES;
    default:
        return HOST_OTHER;
    }
}

static int take_element(struct nftnl_set_elem *element, void *context)
{
    struct found *found = context;

    found->is = true;
    found->verdict.act = HOST_OTHER;
    if (nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_VERDICT))
        found->verdict.act = act_of((int)nftnl_set_elem_get_u32(element, NFTNL_SET_ELEM_VERDICT));
    if (nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_CHAIN))
        snprintf(found->verdict.chain, sizeof(found->verdict.chain), "%s",
                 nftnl_set_elem_get_str(element, NFTNL_SET_ELEM_CHAIN));
    return 0;
}

static void take_elements(const struct nlmsghdr *header, void *context)
{
    struct nftnl_set *set;

    if (header->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM))
        return;
    set = nftnl_set_alloc();
    if (set && nftnl_set_elems_nlmsg_parse(header, set) >= 0)
        nftnl_set_elem_foreach(set, take_element, context);
    if (set)
        nftnl_set_free(set);
}

/* get element FAMILY TABLE NAME { KEY } */
static void put_question(struct batch *query, const struct config_chain *chain, const char *name,
                         const void *key, size_t length)
{
    struct nftnl_set *set = nftnl_set_alloc();
    struct nftnl_set_elem *element = nftnl_set_elem_alloc();
    struct nlmsghdr *header =
        batch_begin_message(query, NFT_MSG_GETSETELEM, NLM_F_ACK, BATCH_ROOM,
                            (struct batch_object){.kind = "set", .admits = chain});

    if (set && element && header) {
        ((struct nfgenmsg *)mnl_nlmsg_get_payload(header))->nfgen_family = admission_family(chain);
        nftnl_set_set_str(set, NFTNL_SET_TABLE, chain->table);
        nftnl_set_set_str(set, NFTNL_SET_NAME, name);
        nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, key, (uint32_t)length);
        nftnl_set_elem_add(set, element); /* takes it over */
        element = NULL;
        nftnl_set_elems_nlmsg_build_payload(header, set);
        batch_end_message(query);
    } else
        query->out_of_memory = true;
    if (element)
        nftnl_set_elem_free(element);
    if (set)
        nftnl_set_free(set);
}

enum host_answer host_sets_find(void *context, const char *name, const void *key, size_t length,
                                struct host_verdict *verdict)
{
    const struct host_sets_asked *asked = context;
    struct found found = {0};
    struct failure failure;
    struct batch query;

    batch_init(&query, BATCH_QUERY);
    put_question(&query, asked->chain, name, key, length);
    int outcome = transport_query(asked->transport, &query, take_elements, &found, &failure);
    batch_deinit(&query);
    if (outcome < 0)
        return failure.kind == FAILURE_KERNEL && failure.number == ENOENT ? HOST_NO : HOST_UNKNOWN;
    if (found.is)
        *verdict = found.verdict;
    return found.is ? HOST_YES : HOST_UNKNOWN;
}
