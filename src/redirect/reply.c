// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netlink.h>

#include "redirect/reply.h"

static size_t aligned(size_t length)
{
    return (length + MNL_ALIGNTO - 1) & ~(size_t)(MNL_ALIGNTO - 1);
}

bool reply_init(struct reply *reply, uint32_t port, uint32_t first, size_t count, bool atomic)
{
    *reply = (struct reply){
        .port = port,
        .first = first,
        .count = count,
        .atomic = atomic,
        .outstanding = atomic ? count > 2 : count,
        .answered = calloc(count, 1),
    };
    return reply->answered != NULL;
}

void reply_deinit(struct reply *reply)
{
    free(reply->answered);
    reply->answered = NULL;
}

static bool reply_is_boundary(const struct reply *reply, size_t message)
{
    return reply->atomic && (message == 0 || message == reply->count - 1);
}

/* The last command of a batch, and every query. */
static bool reply_is_awaited(const struct reply *reply, size_t message)
{
    return !reply->atomic || message == reply->count - 2;
}

static void reply_take_text(struct reply *reply, const struct nlattr *attribute)
{
    const char *text = mnl_attr_get_payload(attribute);
    size_t length = strnlen(text, mnl_attr_get_payload_len(attribute));

    if (length >= sizeof(reply->error_text))
        length = sizeof(reply->error_text) - 1;
    for (size_t i = 0; i < length; i++)
        reply->error_text[i] = (char)(text[i] >= ' ' && text[i] <= '~' ? text[i] : '?');
    reply->error_text[length] = '\0';
}

/* The extended ack (NETLINK_EXT_ACK): attributes behind our own message, of which the kernel sends
 * back the header only (NETLINK_CAP_ACK). */
static void reply_take_extended(struct reply *reply, const struct nlmsghdr *header,
                                const struct nlmsgerr *report)
{
    size_t payload = mnl_nlmsg_get_payload_len(header);
    size_t offset = sizeof(*report);

    reply->error_text[0] = '\0';
    if (!(header->nlmsg_flags & NLM_F_ACK_TLVS))
        return;
    if (!(header->nlmsg_flags & NLM_F_CAPPED)) {
        if (report->msg.nlmsg_len < sizeof(report->msg) || report->msg.nlmsg_len > payload)
            return;
        offset += aligned(report->msg.nlmsg_len - sizeof(report->msg));
    }
    while (offset + sizeof(struct nlattr) <= payload) {
        const struct nlattr *attribute = (const void *)((const char *)report + offset);

        if (!mnl_attr_ok(attribute, (int)(payload - offset)))
            return;
        if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_MSG)
            reply_take_text(reply, attribute);
        offset += aligned(attribute->nla_len);
    }
}

static void reply_take_outcome(struct reply *reply, const struct nlmsghdr *header, size_t message,
                               int error_number)
{
    if (reply->answered[message])
        return;
    reply->answered[message] = 1;
    if (reply_is_boundary(reply, message))
        reply->refused |= error_number != 0;
    else if (reply_is_awaited(reply, message))
        reply->outstanding--;
    /* The first that failed, in the order of the batch: the rest follow from it. */
    if (error_number == 0 || (reply->error_number != 0 && reply->error_message <= message))
        return;
    reply->error_number = error_number;
    reply->error_message = message;
    reply->error_text[0] = '\0';
    if (header->nlmsg_type == NLMSG_ERROR)
        reply_take_extended(reply, header, mnl_nlmsg_get_payload(header));
}

static void reply_take(struct reply *reply, const struct nlmsghdr *header)
{
    uint32_t message = header->nlmsg_seq - reply->first;
    int number = 0;

    if (header->nlmsg_type == NLMSG_OVERRUN)
        reply->lost = true;
    if (header->nlmsg_pid != reply->port || message >= reply->count)
        return;
    if (header->nlmsg_flags & NLM_F_DUMP_INTR)
        reply->interrupted = true;
    if (header->nlmsg_type >= NLMSG_MIN_TYPE) {
        if (reply->data && !reply->answered[message])
            reply->data(header, reply->context);
        return;
    }
    switch (header->nlmsg_type) {
    case NLMSG_ERROR:
        if (mnl_nlmsg_get_payload_len(header) < sizeof(struct nlmsgerr))
            return;
        number = ((const struct nlmsgerr *)mnl_nlmsg_get_payload(header))->error;
        break;
    case NLMSG_DONE:
        if (reply->atomic)
            return;
        if (mnl_nlmsg_get_payload_len(header) >= sizeof(number))
            memcpy(&number, mnl_nlmsg_get_payload(header), sizeof(number));
        break;
    default:
        return;
    }
    /* The kernel's errors are negative; anything else that is not 0 is none of its own. */
    if (number <= 0 && number >= -4095)
        reply_take_outcome(reply, header, message, -number);
}

void reply_consume(struct reply *reply, const void *bytes, size_t length)
{
    size_t offset = 0;

    /* Not mnl_nlmsg_ok: it takes a length above INT_MAX for a negative one, and so for good. */
    while (length - offset >= sizeof(struct nlmsghdr)) {
        const struct nlmsghdr *header = (const void *)((const char *)bytes + offset);

        if (header->nlmsg_len < sizeof(*header) || header->nlmsg_len > length - offset)
            return;
        reply_take(reply, header);
        offset += aligned(header->nlmsg_len);
        if (offset > length)
            return;
    }
}

bool reply_is_complete(const struct reply *reply)
{
    return reply->refused || reply->outstanding == 0;
}
