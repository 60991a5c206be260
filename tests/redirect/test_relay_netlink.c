// SPDX-License-Identifier: GPL-2.0-or-later
/* The relays' messages against those that libnftnl makes, byte for byte. */
#include <arpa/inet.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libnftnl/common.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "redirect/relay_netlink.h"
#include "redirect/ruleset.h"
#include "unit.h"

#define MANY           700 /* more than a message takes */
#define RELAYS_AT_ONCE 512

static struct redirect_relay relay_make(size_t i, bool ipv6)
{
    struct redirect_relay relay = {.family = ipv6 ? AF_INET6 : AF_INET,
                                   .port = (uint16_t)(1024 + i)};
    char text[INET6_ADDRSTRLEN];

    snprintf(text, sizeof(text), ipv6 ? "::%zx" : "127.0.1.%zu", i % 250 + 1);
    assert_int_equal(inet_pton(relay.family, text, relay.source), 1);
    snprintf(text, sizeof(text), ipv6 ? "2001:db8::%zx" : "198.51.100.%zu", i % 200);
    assert_int_equal(inet_pton(relay.family, text, relay.visitor), 1);
    return relay;
}

/* What is expected of a message. */
struct expectation {
    const char *name;
    int family;
    bool added;
};

static void add_element(struct nftnl_set *set, const struct expectation *expected,
                        const struct redirect_relay *relay)
{
    struct nftnl_set_elem *element = nftnl_set_elem_alloc();
    uint32_t length = expected->family == AF_INET ? 4 : 16;
    uint16_t port = htons(relay->port);
    uint8_t key[20] = {0};

    assert_non_null(element);
    memcpy(key, relay->source, length);
    memcpy(key + length, &port, sizeof(port));
    nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, key, length + 4);
    if (expected->added)
        nftnl_set_elem_set_u64(element, NFTNL_SET_ELEM_TIMEOUT, REDIRECT_RELAY_MS);
    if (expected->added)
        nftnl_set_elem_set(element, NFTNL_SET_ELEM_DATA, relay->visitor, length);
    nftnl_set_elem_add(set, element);
}

static void assert_message(const struct nlmsghdr *header, const struct expectation *expected,
                           const struct redirect_relay *relays, size_t count)
{
    static alignas(struct nlmsghdr) char bytes[1 << 16];
    struct nftnl_set *set = nftnl_set_alloc();

    assert_non_null(set);
    nftnl_set_set_str(set, NFTNL_SET_TABLE, REDIRECT_TABLE);
    nftnl_set_set_str(set, NFTNL_SET_NAME, expected->name);
    for (size_t i = 0; i < count; i++)
        if (relays[i].family == expected->family)
            add_element(set, expected, &relays[i]);
    memset(bytes, 0, sizeof(bytes));
    struct nlmsghdr *wanted =
        nftnl_nlmsg_build_hdr(bytes, expected->added ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
                              NFPROTO_INET, expected->added ? NLM_F_CREATE | NLM_F_EXCL : 0, 0);
    nftnl_set_elems_nlmsg_build_payload(wanted, set);
    nftnl_set_free(set);
    assert_int_equal(header->nlmsg_len, wanted->nlmsg_len);
    assert_memory_equal(header, wanted, wanted->nlmsg_len);
}

static void assert_batch(const struct redirect_relay *relays, size_t count)
{
    static const struct expectation expectations[] = {
        {"relay4", AF_INET, true},
        {"relay6", AF_INET6, true},
        {"relay4", AF_INET, false},
        {"relay6", AF_INET6, false},
    };

    for (size_t added = 0; added < 2; added++) {
        struct batch batch;

        batch_init(&batch, BATCH_QUERY); /* without BEGIN and END */
        (added ? relay_netlink_add : relay_netlink_remove)(&batch, relays, count);
        assert_false(batch.out_of_memory);
        const struct nlmsghdr *header = (const void *)batch.bytes;
        size_t message = 0;
        int left = (int)batch.length;
        for (size_t done = 0; done < count; done += RELAYS_AT_ONCE) {
            size_t part = count - done < RELAYS_AT_ONCE ? count - done : RELAYS_AT_ONCE;

            for (size_t i = 0; i < 2; i++) {
                const struct expectation *expected = &expectations[added ? i : 2 + i];
                bool any = false;

                for (size_t j = done; j < done + part; j++)
                    any |= relays[j].family == expected->family;
                if (!any)
                    continue;
                assert_true(mnl_nlmsg_ok(header, left));
                assert_message(header, expected, relays + done, part);
                assert_string_equal(batch.objects[message].kind, "map");
                assert_string_equal(batch.objects[message].name, expected->name);
                header = mnl_nlmsg_next(header, &left);
                message++;
            }
        }
        assert_int_equal(left, 0);
        assert_int_equal(message, batch.count);
        batch_deinit(&batch);
    }
}

static void test_one(void **state)
{
    const struct redirect_relay relays[] = {relay_make(0, false), relay_make(0, true)};

    (void)state;
    assert_batch(&relays[0], 1);
    assert_batch(&relays[1], 1);
    assert_batch(relays, 2);
}

static void test_many(void **state)
{
    static struct redirect_relay relays[MANY];

    (void)state;
    for (int mixed = 0; mixed < 3; mixed++) {
        for (size_t i = 0; i < MANY; i++)
            relays[i] = relay_make(i, mixed == 2 ? i % 3 == 0 : mixed);
        assert_batch(relays, 2);
        assert_batch(relays, 256);
        assert_batch(relays, MANY);
    }
}

static void test_none(void **state)
{
    struct batch batch;

    (void)state;
    batch_init(&batch, BATCH_QUERY);
    relay_netlink_add(&batch, NULL, 0);
    relay_netlink_remove(&batch, NULL, 0);
    assert_int_equal(batch.count, 0);
    assert_int_equal(batch.length, 0);
    batch_deinit(&batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
