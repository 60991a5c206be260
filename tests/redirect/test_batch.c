// SPDX-License-Identifier: GPL-2.0-or-later
#include <malloc.h>
#include <string.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "redirect/batch.h"
#include "unit.h"

/* An attribute of this length has padding behind it, which libmnl does not write. */
#define NAME "wicket"

static void add_name(struct batch *batch)
{
    const struct batch_object object = {.kind = "table"};
    struct nlmsghdr *header = batch_begin_message(batch, NFT_MSG_NEWTABLE, 0, BATCH_ROOM, object);

    assert_non_null(header);
    mnl_attr_put_strz(header, NFTA_TABLE_NAME, NAME);
    batch_end_message(batch);
}

/* What is sent is what was put there and zeros, however often the batch had to grow. */
static void test_padding_is_zero(void **state)
{
    (void)state;
    struct batch batch;
    size_t messages = 0;

    /* What malloc gives is full of 0xfe from here on; what a sanitizer gives, of bytes of its own.
     */
    mallopt(M_PERTURB, 1);
    batch_init(&batch, BATCH_ATOMIC);
    for (int i = 0; i < 1000; i++)
        add_name(&batch);
    assert_true(batch_finish(&batch));
    assert_true(batch.capacity > 2 * BATCH_ROOM);
    for (size_t at = 0; at < batch.length;) {
        const struct nlmsghdr *header = (const struct nlmsghdr *)(const void *)(batch.bytes + at);
        size_t length = (header->nlmsg_len + 3) & ~(size_t)3;

        /* The padding of the name is the last byte of its message. */
        if (header->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE)) {
            assert_int_equal(batch.bytes[at + length - 1], 0);
            messages++;
        }
        at += length;
    }
    assert_int_equal(messages, 1000);
    batch_deinit(&batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_padding_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
