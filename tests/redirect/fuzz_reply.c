// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a kernel could answer: the first byte says how many messages were sent and whether as a
 * batch, the rest is one datagram after another, each behind its length in two bytes.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netlink.h>

#include "redirect/reply.h"

#define PORT  1
#define FIRST 1

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(const struct nlmsghdr *header, void *context)
{
    uint8_t *sum = context;

    for (size_t i = 0; i < header->nlmsg_len; i++)
        *sum = (uint8_t)(*sum + ((const uint8_t *)header)[i]);
}

static void check(const struct reply *reply)
{
    size_t awaited = reply->atomic ? reply->count - 2 : 0; /* from here on */
    size_t answered = 0;

    for (size_t i = awaited; i < reply->count - reply->atomic; i++)
        answered += reply->answered[i];
    assert(answered + reply->outstanding == (reply->atomic ? 1 : reply->count));
    assert(reply->error_number >= 0 && reply->error_number <= 4095);
    assert(reply->error_message < reply->count);
    assert(memchr(reply->error_text, '\0', sizeof(reply->error_text)));
    assert(!reply->refused || reply->error_number != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reply reply;
    uint8_t sum = 0;

    if (size < 1)
        return 0;
    if (!reply_init(&reply, PORT, FIRST, 3U + (data[0] & 7), data[0] & 8))
        abort();
    reply.data = take;
    reply.context = &sum;
    data++;
    size--;
    while (size >= 2) {
        size_t length = data[0] | (size_t)data[1] << 8;

        data += 2;
        size -= 2;
        if (length > size)
            length = size;
        uint8_t *datagram = malloc(length > 0 ? length : 1);
        if (!datagram)
            abort();
        memcpy(datagram, data, length);
        reply_consume(&reply, datagram, length);
        free(datagram);
        check(&reply);
        data += length;
        size -= length;
    }
    reply_deinit(&reply);
    return 0;
}
