// SPDX-License-Identifier: GPL-2.0-or-later
#include "host.h"

#include <arpa/inet.h>
#include <string.h>

#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_tcpudp.h>

#include "check/rule_text.h"

static int set_up(void **state)
{
    static struct host host;

    host_init(&host);
    *state = &host;
    return 0;
}

static int tear_down(void **state)
{
    host_deinit(*state);
    return 0;
}

static void test_policy(void **state)
{
    struct host *host = *state;
    struct firewall_chain *chain = host_add_base(host, "input", NF_INET_LOCAL_IN, 0, NF_DROP);

    host_add_simple(host, chain, 80, NF_ACCEPT);
    assert_int_equal(host_truth(host, chain, 80, false, FATE_ACCEPT), TRUTH_YES);
    assert_int_equal(host_truth(host, chain, 80, false, FATE_DROP), TRUTH_NO);
    assert_int_equal(host_truth(host, chain, 8402, true, FATE_ACCEPT), TRUTH_NO);
    assert_int_equal(host_truth(host, chain, 8402, true, FATE_DROP), TRUTH_YES);
}

/* An address that is named is hardly the visitor's; one that is not, hardly is not. */
static void test_unknown_source(void **state)
{
    struct host *host = *state;
    struct firewall_chain *chain = host_add_base(host, "input", NF_INET_LOCAL_IN, 0, NF_ACCEPT);
    struct rule_build build;

    rule_build_init(&build);
    rule_source(&build, "192.0.2.1");
    rule_build_verdict(&build, NF_DROP, NULL);
    host_add_rule(host, chain, &build);
    assert_int_equal(host_truth(host, chain, 80, false, FATE_DROP), TRUTH_UNLIKELY);
    assert_int_equal(host_truth(host, chain, 80, false, FATE_ACCEPT), TRUTH_LIKELY);
}

static void add_interval(struct host *host)
{
    static const struct {
        const char *key;
        uint32_t flags;
    } ends[] = {{"0.0.0.0", NFT_SET_ELEM_INTERVAL_END},
                {"10.0.0.0", 0},
                {"11.0.0.0", NFT_SET_ELEM_INTERVAL_END}};
    struct nftnl_set *set = nftnl_set_alloc();

    assert_non_null(set);
    nftnl_set_set_u32(set, NFTNL_SET_FAMILY, NFPROTO_INET);
    nftnl_set_set_str(set, NFTNL_SET_TABLE, "filter");
    nftnl_set_set_str(set, NFTNL_SET_NAME, "private");
    nftnl_set_set_u32(set, NFTNL_SET_FLAGS, NFT_SET_INTERVAL);
    nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, 4);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct nftnl_set_elem *element = nftnl_set_elem_alloc();
        struct in_addr key;

        assert_non_null(element);
        assert_int_equal(inet_pton(AF_INET, ends[i].key, &key), 1);
        nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, &key, sizeof(key));
        nftnl_set_elem_set_u32(element, NFTNL_SET_ELEM_FLAGS, ends[i].flags);
        nftnl_set_elem_add(set, element);
    }
    assert_true(firewall_add_set(&host->firewall, set));
}

static enum truth truth_from(const struct host *host, const struct firewall_chain *chain,
                             const char *address)
{
    struct packet_address source = {.known = true}, unknown = {0};
    struct evaluation evaluation;
    struct packet packet;

    assert_int_equal(inet_pton(AF_INET, address, source.bytes), 1);
    packet_init(&packet, NFPROTO_IPV4, &source, &unknown, 80);
    evaluate(&host->firewall, chain, &packet, &evaluation);
    return evaluation_truth(&evaluation, FATE_DROP);
}

static void test_interval(void **state)
{
    struct host *host = *state;
    struct firewall_chain *chain = host_add_base(host, "input", NF_INET_LOCAL_IN, 0, NF_ACCEPT);
    struct rule_build build;
    char text[RULE_TEXT];

    add_interval(host);
    rule_build_init(&build);
    rule_build_payload(&build, NFT_PAYLOAD_NETWORK_HEADER, 12, 4);
    rule_build_lookup(&build, "private", false);
    rule_build_verdict(&build, NF_DROP, NULL);
    host_add_rule(host, chain, &build);
    assert_int_equal(truth_from(host, chain, "9.255.255.255"), TRUTH_NO);
    assert_int_equal(truth_from(host, chain, "10.0.0.0"), TRUTH_YES);
    assert_int_equal(truth_from(host, chain, "10.255.255.255"), TRUTH_YES);
    assert_int_equal(truth_from(host, chain, "11.0.0.0"), TRUTH_NO);
    assert_int_equal(host_truth(host, chain, 80, false, FATE_DROP), TRUTH_UNLIKELY);
    assert_string_equal(rule_text(text, sizeof(text), &host->firewall, chain, chain->rules[0]),
                        "ip saddr @private drop");
}

static void add_jump(struct host *host, struct firewall_chain *chain, uint32_t code,
                     const char *target)
{
    struct rule_build build;

    rule_build_init(&build);
    rule_build_verdict(&build, code, target);
    host_add_rule(host, chain, &build);
}

/* A jump comes back to the next rule, a goto does not. */
static void test_jumps(void **state)
{
    struct host *host = *state;
    struct firewall_chain *chain;
    size_t other;

    assert_non_null(firewall_add_chain(&host->firewall, NFPROTO_INET, "filter", "services"));
    other = host->firewall.chain_count - 1;
    host_add_simple(host, &host->firewall.chains[other], 443, NF_ACCEPT);
    chain = host_add_base(host, "input", NF_INET_LOCAL_IN, 0, NF_DROP);
    add_jump(host, chain, (uint32_t)NFT_JUMP, "services");
    host_add_simple(host, chain, 80, NF_ACCEPT);
    assert_int_equal(host_truth(host, chain, 443, false, FATE_ACCEPT), TRUTH_YES);
    assert_int_equal(host_truth(host, chain, 80, false, FATE_ACCEPT), TRUTH_YES);

    chain = host_add_base(host, "other", NF_INET_LOCAL_IN, 0, NF_DROP);
    add_jump(host, chain, (uint32_t)NFT_GOTO, "services");
    host_add_simple(host, chain, 80, NF_ACCEPT);
    assert_int_equal(host_truth(host, chain, 443, false, FATE_ACCEPT), TRUTH_YES);
    assert_int_equal(host_truth(host, chain, 80, false, FATE_DROP), TRUTH_YES);
}

/* Chains that jump to each other, which the kernel does not take, still come to an end. */
static void test_endless_jumps(void **state)
{
    struct host *host = *state;
    struct firewall_chain *chain = host_add_base(host, "input", NF_INET_LOCAL_IN, 0, NF_DROP);

    add_jump(host, chain, (uint32_t)NFT_JUMP, "input");
    add_jump(host, chain, (uint32_t)NFT_JUMP, "input");
    assert_int_equal(host_truth(host, chain, 80, false, FATE_DROP), TRUTH_YES);
}

static void test_conntrack_match(void **state)
{
    struct host *host = *state;
    struct firewall_chain *chain = host_add_base(host, "input", NF_INET_LOCAL_IN, 0, NF_DROP);
    struct xt_conntrack_mtinfo3 info = {.match_flags = XT_CONNTRACK_STATE,
                                        .state_mask = XT_CONNTRACK_STATE_DNAT};
    struct xt_tcp tcp = {.spts = {0, 65535}, .dpts = {8402, 8402}};
    struct rule_build build;

    rule_build_init(&build);
    rule_build_match(&build, "tcp", 0, &tcp, sizeof(tcp));
    rule_build_match(&build, "conntrack", 3, &info, sizeof(info));
    rule_build_verdict(&build, NF_ACCEPT, NULL);
    host_add_rule(host, chain, &build);
    assert_int_equal(host_truth(host, chain, 8402, true, FATE_ACCEPT), TRUTH_YES);
    assert_int_equal(host_truth(host, chain, 8402, false, FATE_ACCEPT), TRUTH_NO);
    assert_int_equal(host_truth(host, chain, 80, true, FATE_ACCEPT), TRUTH_NO);
}

/* What is not understood is left open, on either side. */
static void test_unknown_match(void **state)
{
    struct host *host = *state;
    struct firewall_chain *chain = host_add_base(host, "input", NF_INET_LOCAL_IN, 0, NF_DROP);
    struct rule_build build;

    rule_build_init(&build);
    rule_build_match(&build, "geoip", 1, "x", 1);
    rule_build_verdict(&build, NF_ACCEPT, NULL);
    host_add_rule(host, chain, &build);
    assert_int_equal(host_truth(host, chain, 80, false, FATE_ACCEPT), TRUTH_OPEN);
    assert_int_equal(host_truth(host, chain, 80, false, FATE_DROP), TRUTH_OPEN);
}

static void test_text(void **state)
{
    struct host *host = *state;
    struct firewall_chain *chain = host_add_base(host, "input", NF_INET_LOCAL_IN, 0, NF_DROP);
    struct rule_build build;
    char text[RULE_TEXT];

    rule_build_init(&build);
    rule_dnat_status(&build);
    rule_source(&build, "192.0.2.1");
    rule_port(&build, 8402);
    rule_build_verdict(&build, (uint32_t)NFT_JUMP, "a\nb");
    host_add_rule(host, chain, &build);
    assert_string_equal(rule_text(text, sizeof(text), &host->firewall, chain, chain->rules[0]),
                        "ct status dnat ip saddr 192.0.2.1 tcp dport 8402 jump a\\x0ab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_policy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown_source, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_interval, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_jumps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_endless_jumps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_conntrack_match, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown_match, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_text, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
