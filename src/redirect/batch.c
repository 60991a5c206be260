// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "redirect/batch.h"

/* What a message takes up, with the padding behind it. */
static size_t batch_aligned(const struct nlmsghdr *header)
{
    return (header->nlmsg_len + MNL_ALIGNTO - 1) & ~(size_t)(MNL_ALIGNTO - 1);
}

/* Makes room for a message; its place, or NULL. */
static uint8_t *batch_reserve(struct batch *batch, size_t room)
{
    if (batch->out_of_memory)
        return NULL;
    if (batch->capacity - batch->length < room) {
        size_t capacity = (batch->length + room) * 2;
        uint8_t *bytes = realloc(batch->bytes, capacity);

        if (!bytes)
            goto failed;
        /* libmnl skips what pads an attribute: the kernel is sent no bytes of our memory. */
        memset(bytes + batch->length, 0, capacity - batch->length);
        batch->bytes = bytes;
        batch->capacity = capacity;
    }
    if (batch->count == batch->object_capacity) {
        size_t capacity = batch->object_capacity * 2 + 8;
        struct batch_object *objects = realloc(batch->objects, capacity * sizeof(*objects));

        if (!objects)
            goto failed;
        batch->objects = objects;
        batch->object_capacity = capacity;
    }
    return batch->bytes + batch->length;
failed:
    batch->out_of_memory = true;
    return NULL;
}

/* BEGIN or END: nftnl's functions for them have no room for an address family. */
static void batch_add_boundary(struct batch *batch, uint16_t type, const uint32_t *generation)
{
    uint8_t *place = batch_reserve(batch, BATCH_ROOM);

    if (!place)
        return;
    struct nlmsghdr *header = mnl_nlmsg_put_header(place);
    header->nlmsg_type = type;
    header->nlmsg_flags = NLM_F_REQUEST;
    struct nfgenmsg *extra = mnl_nlmsg_put_extra_header(header, sizeof(*extra));
    extra->nfgen_family = AF_UNSPEC;
    extra->version = NFNETLINK_V0;
    extra->res_id = htons(NFNL_SUBSYS_NFTABLES);
    if (generation)
        mnl_attr_put_u32(header, NFNL_BATCH_GENID, htonl(*generation));
    batch->objects[batch->count] = (struct batch_object){0};
    batch_end_message(batch);
}

void batch_init(struct batch *batch, enum batch_kind kind)
{
    *batch = (struct batch){.kind = kind};
    if (kind == BATCH_ATOMIC)
        batch_add_boundary(batch, NFNL_MSG_BATCH_BEGIN, NULL);
}

void batch_init_for(struct batch *batch, uint32_t generation)
{
    *batch = (struct batch){.kind = BATCH_ATOMIC};
    batch_add_boundary(batch, NFNL_MSG_BATCH_BEGIN, &generation);
}

void batch_deinit(struct batch *batch)
{
    free(batch->bytes);
    free(batch->objects);
    *batch = (struct batch){.kind = batch->kind};
}

struct nlmsghdr *batch_begin_message(struct batch *batch, uint16_t type, uint16_t flags,
                                     size_t room, struct batch_object object)
{
    uint8_t *place = batch_reserve(batch, room);

    if (!place)
        return NULL;
    batch->objects[batch->count] = object;
    return nftnl_nlmsg_build_hdr((char *)place, type, NFPROTO_INET, flags, 0);
}

void batch_end_message(struct batch *batch)
{
    if (batch->out_of_memory)
        return;
    const struct nlmsghdr *header = (const void *)(batch->bytes + batch->length);

    batch->last = batch->length;
    batch->length += batch_aligned(header);
    assert(batch->length <= batch->capacity);
    batch->count++;
}

bool batch_finish(struct batch *batch)
{
    if (batch->kind == BATCH_ATOMIC && !batch->out_of_memory) {
        if (batch->count > 1)
            ((struct nlmsghdr *)(void *)(batch->bytes + batch->last))->nlmsg_flags |= NLM_F_ACK;
        batch_add_boundary(batch, NFNL_MSG_BATCH_END, NULL);
    }
    return !batch->out_of_memory;
}

void batch_number(struct batch *batch, uint32_t first)
{
    size_t offset = 0;

    for (size_t i = 0; i < batch->count; i++) {
        struct nlmsghdr *header = (void *)(batch->bytes + offset);

        header->nlmsg_seq = first + (uint32_t)i;
        offset += batch_aligned(header);
    }
}
