// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_tables.h>

#include "redirect/redirect.h"
#include "redirect/set_netlink.h"

/* nft's numbers of its data types (nft describe), which it needs to list a set; of a concatenation
 * those of its parts. */
#define CONCATENATION(first, second) ((first) << 6 | (second))
static const uint32_t key_types[RULESET_KEYS] = {
    [RULESET_KEY_PORT] = 13,
    [RULESET_KEY_INTERFACE] = 41,
    [RULESET_KEY_IPV4] = 7,
    [RULESET_KEY_IPV6] = 8,
    [RULESET_KEY_IPV4_PORT] = CONCATENATION(7, 13),
    [RULESET_KEY_IPV6_PORT] = CONCATENATION(8, 13),
};

/* nft's enum byteorder; without it nft cannot show interface names. A concatenation has none. */
enum { BYTE_ORDER_NONE, BYTE_ORDER_HOST, BYTE_ORDER_NETWORK };

static const uint32_t key_orders[RULESET_KEYS] = {
    [RULESET_KEY_PORT] = BYTE_ORDER_NETWORK,   [RULESET_KEY_INTERFACE] = BYTE_ORDER_HOST,
    [RULESET_KEY_IPV4] = BYTE_ORDER_NETWORK,   [RULESET_KEY_IPV6] = BYTE_ORDER_NETWORK,
    [RULESET_KEY_IPV4_PORT] = BYTE_ORDER_NONE, [RULESET_KEY_IPV6_PORT] = BYTE_ORDER_NONE,
};

/* For nft only: the kernel keeps it and does not look. */
static bool set_describe(struct nftnl_set *set, const struct ruleset_set *description)
{
    struct nftnl_udata_buf *data = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);
    bool done;

    if (!data)
        return false;
    done = nftnl_udata_put_u32(data, NFTNL_UDATA_SET_KEYBYTEORDER, key_orders[description->key]) &&
           (!description->map || nftnl_udata_put_u32(data, NFTNL_UDATA_SET_DATABYTEORDER,
                                                     key_orders[description->value])) &&
           nftnl_set_set_data(set, NFTNL_SET_USERDATA, nftnl_udata_buf_data(data),
                              nftnl_udata_buf_len(data)) == 0;
    nftnl_udata_buf_free(data);
    return done;
}

/* set NAME { type TYPE; size SIZE; flags FLAGS; timeout TIMEOUT; }
 * map NAME { type TYPE : TYPE; flags FLAGS; } */
static void create_set(struct batch *batch, const struct ruleset_set *description, uint32_t id)
{
    struct nftnl_set *set = nftnl_set_alloc();
    struct nlmsghdr *header =
        batch_begin_message(batch, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL, BATCH_ROOM,
                            (struct batch_object){.kind = description->map ? "map" : "set",
                                                  .name = description->name,
                                                  .modules = "nf_tables_set"});
    uint32_t flags = (description->map ? NFT_SET_MAP : 0U) |
                     (description->timeout ? NFT_SET_TIMEOUT : 0U) |
                     (description->interval ? NFT_SET_INTERVAL : 0U) |
                     (description->size_max > 0 ? NFT_SET_EVAL : 0U);

    if (set && header && set_describe(set, description)) {
        nftnl_set_set_str(set, NFTNL_SET_TABLE, REDIRECT_TABLE);
        nftnl_set_set_str(set, NFTNL_SET_NAME, description->name);
        nftnl_set_set_u32(set, NFTNL_SET_ID, id);
        nftnl_set_set_u32(set, NFTNL_SET_FLAGS, flags);
        nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, key_types[description->key]);
        nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, (uint32_t)ruleset_key_length(description->key));
        if (description->map) {
            nftnl_set_set_u32(set, NFTNL_SET_DATA_TYPE, key_types[description->value]);
            nftnl_set_set_u32(set, NFTNL_SET_DATA_LEN,
                              (uint32_t)ruleset_key_length(description->value));
        }
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
        batch_begin_message(message->batch, type, flags, room,
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

void set_netlink_create(struct batch *batch, const struct ruleset_set *set, uint32_t id)
{
    create_set(batch, set, id);
    if (set->element_count > 0)
        create_elements(batch, set);
}

/* add element inet wicket SET { PORT timeout TIMEOUT } */
void set_netlink_add_port(struct batch *batch, const char *set, uint16_t port, uint64_t timeout_ms)
{
    struct element_message message = {.batch = batch, .name = set};
    uint16_t key = htons(port);
    struct nftnl_set_elem *element = elements_add(&message, &key, sizeof(key));

    if (element)
        nftnl_set_elem_set_u64(element, NFTNL_SET_ELEM_TIMEOUT, timeout_ms);
    elements_send(&message, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
}

/* delete element inet wicket SET { PORT } */
void set_netlink_delete_port(struct batch *batch, const char *set, uint16_t port)
{
    struct element_message message = {.batch = batch, .name = set};
    uint16_t key = htons(port);

    elements_add(&message, &key, sizeof(key));
    elements_send(&message, NFT_MSG_DELSETELEM, 0);
}

void set_netlink_renew_port(struct batch *batch, const char *set, uint16_t port,
                            uint64_t timeout_ms)
{
    set_netlink_add_port(batch, set, port, timeout_ms);
    set_netlink_delete_port(batch, set, port);
    set_netlink_add_port(batch, set, port, timeout_ms);
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
void set_netlink_flush(struct batch *batch, const char *set)
{
    set_message(batch, NFT_MSG_DELSETELEM, 0, set);
}

void set_netlink_ask_elements(struct batch *batch, const char *set)
{
    set_message(batch, NFT_MSG_GETSETELEM, NLM_F_DUMP, set);
}
