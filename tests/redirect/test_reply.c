// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netlink.h>

#include "redirect/reply.h"
#include "unit.h"

#define PORT  4711
#define FIRST 0xfffffffeU /* so that the numbers wrap within a batch */

/* BEGIN, three commands, END. */
#define MESSAGES 5
#define LAST     3

/* Bytes as the kernel would send them. */
struct datagram {
    alignas(struct nlmsghdr) uint8_t bytes[4096];
    size_t length;
};

static struct nlmsghdr *put(struct datagram *datagram, uint16_t type, uint16_t flags,
                            uint32_t sequence)
{
    struct nlmsghdr *header = mnl_nlmsg_put_header(datagram->bytes + datagram->length);

    header->nlmsg_type = type;
    header->nlmsg_flags = flags;
    header->nlmsg_seq = sequence;
    header->nlmsg_pid = PORT;
    return header;
}

static void put_end(struct datagram *datagram, const struct nlmsghdr *header)
{
    datagram->length += (header->nlmsg_len + 3U) & ~3U;
}

static void put_error(struct datagram *datagram, uint32_t message, int number)
{
    struct nlmsghdr *header = put(datagram, NLMSG_ERROR, NLM_F_CAPPED, FIRST + message);
    struct nlmsgerr *report = mnl_nlmsg_put_extra_header(header, sizeof(*report));

    report->error = -number;
    report->msg.nlmsg_len = sizeof(report->msg);
    put_end(datagram, header);
}

/* The extended form; `echoed` bytes of our own message come back when it is not capped. */
static void put_extended(struct datagram *datagram, uint32_t message, int number, const char *text,
                         uint16_t flags, size_t echoed)
{
    struct nlmsghdr *header = put(datagram, NLMSG_ERROR, flags, FIRST + message);
    struct nlmsgerr *report = mnl_nlmsg_put_extra_header(header, sizeof(*report));

    report->error = -number;
    report->msg.nlmsg_len = (uint32_t)(sizeof(report->msg) + echoed);
    mnl_nlmsg_put_extra_header(header, echoed);
    mnl_attr_put_u32(header, NLMSGERR_ATTR_OFFS, 20);
    mnl_attr_put_strz(header, NLMSGERR_ATTR_MSG, text);
    put_end(datagram, header);
}

static void begin(struct reply *reply)
{
    assert_true(reply_init(reply, PORT, FIRST, MESSAGES, true));
    assert_int_equal(reply->outstanding, 1);
}

static void consume(struct reply *reply, const struct datagram *datagram)
{
    reply_consume(reply, datagram->bytes, datagram->length);
}

/* Of a good batch only the last command is answered. */
static void test_ack(void **state)
{
    struct datagram datagram = {0};
    struct reply reply;

    (void)state;
    begin(&reply);
    assert_false(reply_is_complete(&reply));
    put_error(&datagram, LAST, 0);
    consume(&reply, &datagram);
    assert_true(reply_is_complete(&reply));
    assert_int_equal(reply.error_number, 0);
    reply_deinit(&reply);
}

static void test_ack_missing(void **state)
{
    struct datagram datagram = {0};
    struct reply reply;

    (void)state;
    begin(&reply);
    put_error(&datagram, 1, 0); /* nobody asked for them */
    put_error(&datagram, 2, 0);
    put_error(&datagram, 2, 0);
    put_error(&datagram, 0, 0); /* BEGIN and END are no commands */
    put_error(&datagram, 4, 0);
    consume(&reply, &datagram);
    assert_false(reply_is_complete(&reply));
    assert_int_equal(reply.outstanding, 1);
    reply_deinit(&reply);
}

/* An error alone is not the end: the kernel has more to say. */
static void test_error_before_the_ack(void **state)
{
    struct datagram error = {0}, ack = {0};
    struct reply reply;

    (void)state;
    begin(&reply);
    put_error(&error, 2, ENOENT);
    consume(&reply, &error);
    assert_false(reply_is_complete(&reply));
    put_error(&ack, LAST, 0);
    consume(&reply, &ack);
    assert_true(reply_is_complete(&reply));
    assert_int_equal(reply.error_number, ENOENT);
    assert_int_equal(reply.error_message, 2);
    reply_deinit(&reply);
}

static void test_empty_batch(void **state)
{
    struct reply reply;

    (void)state;
    assert_true(reply_init(&reply, PORT, FIRST, 2, true));
    assert_true(reply_is_complete(&reply));
    reply_deinit(&reply);
}

static void test_foreign_messages(void **state)
{
    struct datagram datagram = {0};
    struct reply reply;

    (void)state;
    begin(&reply);
    put_error(&datagram, MESSAGES, EPERM);   /* of a later batch */
    put_error(&datagram, UINT32_MAX, EPERM); /* of an earlier one */
    struct nlmsghdr *header = (void *)(datagram.bytes + datagram.length);
    put_error(&datagram, LAST, EPERM);
    header->nlmsg_pid = PORT + 1;
    consume(&reply, &datagram);
    assert_int_equal(reply.outstanding, 1);
    assert_int_equal(reply.error_number, 0);
    reply_deinit(&reply);
}

static void test_first_error_counts(void **state)
{
    struct datagram datagram = {0};
    struct reply reply;

    (void)state;
    begin(&reply);
    put_error(&datagram, 3, ENOENT);
    put_error(&datagram, 1, 0);
    put_error(&datagram, 2, EOPNOTSUPP);
    consume(&reply, &datagram);
    assert_true(reply_is_complete(&reply));
    assert_false(reply.refused);
    assert_int_equal(reply.error_number, EOPNOTSUPP);
    assert_int_equal(reply.error_message, 2);
    reply_deinit(&reply);
}

static void test_refused_as_a_whole(void **state)
{
    struct datagram datagram = {0};
    struct reply reply;

    (void)state;
    begin(&reply);
    put_error(&datagram, 0, EPERM);
    consume(&reply, &datagram);
    assert_true(reply_is_complete(&reply));
    assert_true(reply.refused);
    assert_int_equal(reply.error_number, EPERM);
    assert_int_equal(reply.error_message, 0);
    reply_deinit(&reply);
}

static void test_kernels_words(void **state)
{
    static const struct {
        uint16_t flags;
        size_t echoed;
        const char *expected;
    } cases[] = {
        {NLM_F_CAPPED | NLM_F_ACK_TLVS, 0, "no such ?chain"},
        {NLM_F_ACK_TLVS, 30, "no such ?chain"},
        {NLM_F_CAPPED, 0, ""}, /* it does not say that there are any */
        {NLM_F_ACK_TLVS, 3000, "no such ?chain"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct datagram datagram = {0};
        struct reply reply;

        begin(&reply);
        put_extended(&datagram, 2, ENOENT, "no such \nchain", cases[i].flags, cases[i].echoed);
        consume(&reply, &datagram);
        assert_int_equal(reply.error_number, ENOENT);
        assert_string_equal(reply.error_text, cases[i].expected);
        reply_deinit(&reply);
    }
}

static void test_words_too_long(void **state)
{
    struct datagram datagram = {0};
    struct reply reply;
    char text[REPLY_TEXT_MAX * 2];

    (void)state;
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    begin(&reply);
    put_extended(&datagram, 1, EINVAL, text, NLM_F_CAPPED | NLM_F_ACK_TLVS, 0);
    consume(&reply, &datagram);
    assert_int_equal(strlen(reply.error_text), REPLY_TEXT_MAX - 1);
    reply_deinit(&reply);
}

/* Every cut of an answer, and every wrong length in it, leaves it unanswered or answered, and
 * nothing is read behind it. */
static void test_cut_short(void **state)
{
    struct datagram datagram = {0};

    (void)state;
    put_extended(&datagram, LAST, ENOENT, "words", NLM_F_ACK_TLVS, 24);
    for (size_t length = 0; length < datagram.length; length++) {
        uint8_t *exact = malloc(length > 0 ? length : 1);
        struct reply reply;

        assert_non_null(exact);
        memcpy(exact, datagram.bytes, length);
        begin(&reply);
        reply_consume(&reply, exact, length);
        assert_int_equal(reply.outstanding, 1);
        if (length >= sizeof(struct nlmsghdr)) {
            ((struct nlmsghdr *)(void *)exact)->nlmsg_len = (uint32_t)length;
            reply_consume(&reply, exact, length);
            bool whole = length >= sizeof(struct nlmsghdr) + sizeof(struct nlmsgerr);
            assert_int_equal(reply.outstanding, whole ? 0 : 1);
        }
        reply_deinit(&reply);
        free(exact);
    }
}

static void test_impossible_length(void **state)
{
    static const uint32_t lengths[] = {0, 1, 15, 5000, INT32_MAX, 0x80000010, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct datagram datagram = {0};
        struct nlmsghdr *header = (void *)datagram.bytes;
        struct reply reply;

        put_error(&datagram, LAST, 0);
        put_error(&datagram, LAST, 0);
        header->nlmsg_len = lengths[i];
        begin(&reply);
        consume(&reply, &datagram);
        assert_int_equal(reply.outstanding, 1);
        reply_deinit(&reply);
    }
}

static void test_no_errno(void **state)
{
    struct datagram datagram = {0};
    struct reply reply;

    (void)state;
    begin(&reply);
    put_error(&datagram, LAST, -5);
    put_error(&datagram, LAST, INT32_MAX);
    consume(&reply, &datagram);
    assert_int_equal(reply.outstanding, 1);
    reply_deinit(&reply);
}

static void test_overrun(void **state)
{
    struct datagram datagram = {0};
    struct reply reply;

    (void)state;
    begin(&reply);
    put_end(&datagram, put(&datagram, NLMSG_OVERRUN, 0, 0));
    consume(&reply, &datagram);
    assert_true(reply.lost);
    reply_deinit(&reply);
}

static void count_data(const struct nlmsghdr *header, void *context)
{
    (void)header;
    ++*(int *)context;
}

static void test_dump(void **state)
{
    struct datagram datagram = {0};
    struct reply reply;
    int objects = 0;

    (void)state;
    assert_true(reply_init(&reply, PORT, FIRST, 1, false));
    reply.data = count_data;
    reply.context = &objects;
    put_end(&datagram, put(&datagram, 0xa06, NLM_F_MULTI, FIRST));
    put_end(&datagram, put(&datagram, 0xa06, NLM_F_MULTI, FIRST));
    put_end(&datagram, put(&datagram, 0xa06, NLM_F_MULTI, FIRST + 1)); /* not ours */
    consume(&reply, &datagram);
    assert_false(reply_is_complete(&reply));
    assert_int_equal(objects, 2);

    datagram.length = 0;
    struct nlmsghdr *header = put(&datagram, NLMSG_DONE, NLM_F_MULTI, FIRST);
    *(int *)mnl_nlmsg_put_extra_header(header, sizeof(int)) = 0;
    put_end(&datagram, header);
    consume(&reply, &datagram);
    assert_true(reply_is_complete(&reply));
    assert_int_equal(reply.error_number, 0);
    assert_false(reply.interrupted);
    reply_deinit(&reply);
}

static void test_dump_fails(void **state)
{
    struct datagram datagram = {0};
    struct reply reply;

    (void)state;
    assert_true(reply_init(&reply, PORT, FIRST, 1, false));
    struct nlmsghdr *header = put(&datagram, NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR, FIRST);
    *(int *)mnl_nlmsg_put_extra_header(header, sizeof(int)) = -ENOENT;
    put_end(&datagram, header);
    consume(&reply, &datagram);
    assert_true(reply_is_complete(&reply));
    assert_true(reply.interrupted);
    assert_int_equal(reply.error_number, ENOENT);
    reply_deinit(&reply);
}

/* A dump's end cannot stand for the ack of a command. */
static void test_done_in_a_batch(void **state)
{
    struct datagram datagram = {0};
    struct reply reply;

    (void)state;
    begin(&reply);
    put_end(&datagram, put(&datagram, NLMSG_DONE, NLM_F_MULTI, FIRST + LAST));
    consume(&reply, &datagram);
    assert_int_equal(reply.outstanding, 1);
    reply_deinit(&reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ack),
        cmocka_unit_test(test_ack_missing),
        cmocka_unit_test(test_error_before_the_ack),
        cmocka_unit_test(test_empty_batch),
        cmocka_unit_test(test_foreign_messages),
        cmocka_unit_test(test_first_error_counts),
        cmocka_unit_test(test_refused_as_a_whole),
        cmocka_unit_test(test_kernels_words),
        cmocka_unit_test(test_words_too_long),
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_impossible_length),
        cmocka_unit_test(test_no_errno),
        cmocka_unit_test(test_overrun),
        cmocka_unit_test(test_dump),
        cmocka_unit_test(test_dump_fails),
        cmocka_unit_test(test_done_in_a_batch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
