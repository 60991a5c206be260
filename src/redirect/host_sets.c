// SPDX-License-Identifier: GPL-2.0-or-later
#include "redirect/host_sets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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

static void read_verdict(struct host_verdict *out, struct nftnl_set_elem *element)
{
    *out = (struct host_verdict){.act = HOST_OTHER};
    if (nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_VERDICT))
        out->act = act_of((int)nftnl_set_elem_get_u32(element, NFTNL_SET_ELEM_VERDICT));
    if (nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_CHAIN))
        snprintf(out->chain, sizeof(out->chain), "%s",
                 nftnl_set_elem_get_str(element, NFTNL_SET_ELEM_CHAIN));
}

static int take_element(struct nftnl_set_elem *element, void *context)
{
    struct found *found = context;

    found->is = true;
    read_verdict(&found->verdict, element);
    return 0;
}

/* False: it could not be read. */
static bool parse_elements(const struct nlmsghdr *header,
                           int (*take)(struct nftnl_set_elem *element, void *context),
                           void *context)
{
    struct nftnl_set *set;

    if (header->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM))
        return true;
    set = nftnl_set_alloc();
    bool read = set && nftnl_set_elems_nlmsg_parse(header, set) >= 0;
    if (read)
        nftnl_set_elem_foreach(set, take, context);
    if (set)
        nftnl_set_free(set);
    return read;
}

static void take_elements(const struct nlmsghdr *header, void *context)
{
    (void)parse_elements(header, take_element, context);
}

enum question {
    QUESTION_KEY,   /* get element FAMILY TABLE NAME { KEY } */
    QUESTION_OTHER, /* get element FAMILY TABLE NAME { * }: of every key that is not in there */
    QUESTION_ALL,   /* list map FAMILY TABLE NAME */
};

static struct nftnl_set_elem *make_element(enum question question, const void *key, size_t length)
{
    struct nftnl_set_elem *element = nftnl_set_elem_alloc();

    if (element && question == QUESTION_KEY)
        nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, key, (uint32_t)length);
    else if (element)
        nftnl_set_elem_set_u32(element, NFTNL_SET_ELEM_FLAGS, NFT_SET_ELEM_CATCHALL);
    return element;
}

static void put_question(struct batch *query, const struct config_chain *chain, const char *name,
                         enum question question, const void *key, size_t length)
{
    bool all = question == QUESTION_ALL;
    struct nftnl_set *set = nftnl_set_alloc();
    struct nftnl_set_elem *element = all ? NULL : make_element(question, key, length);
    struct nlmsghdr *header =
        batch_begin_message(query, NFT_MSG_GETSETELEM, all ? NLM_F_DUMP : NLM_F_ACK, BATCH_ROOM,
                            (struct batch_object){.kind = "set", .admits = chain});

    if (set && (element || all) && header) {
        ((struct nfgenmsg *)mnl_nlmsg_get_payload(header))->nfgen_family = admission_family(chain);
        nftnl_set_set_str(set, NFTNL_SET_TABLE, chain->table);
        nftnl_set_set_str(set, NFTNL_SET_NAME, name);
        if (element)
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

static bool is_missing(const struct failure *failure)
{
    return failure->kind == FAILURE_KERNEL && failure->number == ENOENT;
}

/* What did not fail for what it asks for fails the whole look. The rules have changed since it
 * began when what they name is not there, or was changed while it was read. */
static void note_failure(struct host_sets_asked *asked, const struct failure *failure)
{
    asked->failed = true;
    asked->failure = *failure;
    if (failure->kind == FAILURE_LOST || is_missing(failure))
        asked->failure =
            (struct failure){.kind = FAILURE_KERNEL, .number = ERESTART, .refused = true};
}

static int ask(struct host_sets_asked *asked, const char *name, enum question question,
               const void *key, size_t length, struct found *found, struct failure *failure)
{
    struct batch query;

    batch_init(&query, BATCH_QUERY);
    put_question(&query, asked->chain, name, question, key, length);
    int outcome = transport_query(asked->transport, &query, take_elements, found, failure);
    batch_deinit(&query);
    return outcome;
}

enum host_answer host_sets_find(void *context, const char *name, const void *key, size_t length,
                                struct host_verdict *verdict)
{
    struct host_sets_asked *asked = context;
    struct found found = {0};
    struct failure failure;
    int outcome = ask(asked, name, QUESTION_KEY, key, length, &found, &failure);

    if (outcome < 0 && is_missing(&failure)) {
        outcome = ask(asked, name, QUESTION_OTHER, NULL, 0, &found, &failure);
        /* Kernels before 5.13 know no such elements. */
        if (outcome < 0 && failure.kind == FAILURE_KERNEL)
            return HOST_NO;
    }
    if (outcome < 0 && failure.kind != FAILURE_KERNEL)
        note_failure(asked, &failure);
    if (outcome < 0 || !found.is)
        return HOST_UNKNOWN;
    *verdict = found.verdict;
    return HOST_YES;
}

struct listed {
    struct host_verdicts *out;
    bool too_many, unread;
};

static int take_listed(struct nftnl_set_elem *element, void *context)
{
    struct listed *listed = context;
    struct host_verdicts *out = listed->out;
    struct host_verdict verdict;

    if (nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_FLAGS) &&
        nftnl_set_elem_get_u32(element, NFTNL_SET_ELEM_FLAGS) & NFT_SET_ELEM_INTERVAL_END)
        return 0;
    read_verdict(&verdict, element);
    for (size_t i = 0; i < out->count; i++)
        if (out->list[i].act == verdict.act && strcmp(out->list[i].chain, verdict.chain) == 0)
            return 0;
    if (out->count == HOST_VERDICTS_MAX)
        listed->too_many = true;
    else
        out->list[out->count++] = verdict;
    return 0;
}

static void take_all(const struct nlmsghdr *header, void *context)
{
    struct listed *listed = context;

    listed->unread |= !parse_elements(header, take_listed, listed);
}

bool host_sets_list(void *context, const char *name, struct host_verdicts *out)
{
    struct host_sets_asked *asked = context;
    struct listed listed = {.out = out};
    struct failure failure;
    struct batch query;

    out->count = 0;
    if (asked->failed)
        return false;
    batch_init(&query, BATCH_QUERY);
    put_question(&query, asked->chain, name, QUESTION_ALL, NULL, 0);
    int outcome = transport_query(asked->transport, &query, take_all, &listed, &failure);
    batch_deinit(&query);
    if (outcome < 0)
        note_failure(asked, &failure);
    return outcome == 0 && !listed.too_many && !listed.unread;
}

bool host_sets_are_late(void *context)
{
    struct host_sets_asked *asked = context;
    const struct failure late = {.kind = FAILURE_TIMEOUT};

    if (!asked->failed && transport_is_late(asked->transport))
        note_failure(asked, &late);
    return asked->failed;
}
