// SPDX-License-Identifier: GPL-2.0-or-later
#include "host.h"

#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

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

static size_t notes(const struct host *host)
{
    return findings_count(&host->findings, LEVEL_NOTE);
}

static void assert_finding(const struct host *host, const char *part, const char *mend)
{
    const struct findings_line *found = host_finding(host);

    assert_non_null(found);
    assert_non_null(strstr(found->text, part));
    assert_non_null(strstr(found->mend, mend));
}

static void test_no_rules(void **state)
{
    struct host *host = *state;

    host_judge(host);
    assert_null(host_finding(host));
    assert_int_equal(notes(host), 0);
}

static void admit(struct host *host, struct firewall_chain *chain)
{
    struct rule_build build;

    rule_build_init(&build);
    rule_dnat_status(&build);
    rule_port(&build, 8402);
    rule_build_verdict(&build, NF_ACCEPT, NULL);
    host_add_rule(host, chain, &build);
}

static void test_drop_by_default(void **state)
{
    struct host *host = *state;
    struct firewall_chain *chain = host_add_base(host, "input", NF_INET_LOCAL_IN, 0, NF_DROP);

    host_add_simple(host, chain, 80, NF_ACCEPT);
    host_judge(host);
    assert_finding(host, "inet filter input, its policy drops",
                   "nft insert rule inet filter input ct status dnat tcp dport 8402 accept");
    admit(host, chain);
    host_judge(host);
    assert_null(host_finding(host));
}

/* A chain that admits while a window is open needs no static rule. */
static void test_admitted(void **state)
{
    struct host *host = *state;
    struct firewall_chain *chain = host_add_base(host, "input", NF_INET_LOCAL_IN, 0, NF_DROP);
    struct config_chain one = {.family = "inet", .table = "filter", .chain = "input"};

    host_add_simple(host, chain, 80, NF_ACCEPT);
    host->config.redirect.admit = &one;
    host->config.redirect.admit_count = 1;
    host->config.other_requests = CONFIG_OTHER_NOT_FOUND;
    host_judge(host);
    host->config.redirect.admit = NULL;
    host->config.redirect.admit_count = 0;
    assert_null(host_finding(host));
}

static void test_tproxy_asks_for_port_80(void **state)
{
    struct host *host = *state;
    struct firewall_chain *chain = host_add_base(host, "input", NF_INET_LOCAL_IN, 0, NF_DROP);

    host->config.redirect.method = CONFIG_METHOD_TPROXY;
    host_judge(host);
    assert_finding(host, "its policy drops", "input tcp dport 80 accept");
    host_add_simple(host, chain, 80, NF_ACCEPT);
    host_judge(host);
    assert_null(host_finding(host));
}

static void test_notrack(void **state)
{
    struct host *host = *state;
    struct firewall_chain *chain = host_add_base(host, "raw", NF_INET_PRE_ROUTING, -300, NF_ACCEPT);
    struct rule_build build;

    host->config.other_requests = CONFIG_OTHER_NOT_FOUND;
    rule_build_init(&build);
    rule_port(&build, 80);
    rule_build_plain(&build, "notrack");
    host_add_rule(host, chain, &build);
    host_judge(host);
    assert_finding(host, "nothing can be redirected", "");
    /* TPROXY needs no connection tracking. */
    host->config.redirect.method = CONFIG_METHOD_TPROXY;
    host_judge(host);
    assert_null(host_finding(host));
}

/* The same rule before and behind the redirect. */
static void test_order(void **state)
{
    struct host *host = *state;
    struct firewall_chain *chain =
        host_add_base(host, "early", NF_INET_PRE_ROUTING, -150, NF_ACCEPT);

    host->config.other_requests = CONFIG_OTHER_NOT_FOUND;
    host_add_simple(host, chain, 80, NF_DROP);
    host_judge(host);
    assert_finding(host, "before the redirect", "");
    chain->priority = 0;
    host_judge(host);
    assert_null(host_finding(host));
}

static void test_bans(void **state)
{
    struct host *host = *state;
    struct firewall_chain *chain = host_add_base(host, "input", NF_INET_LOCAL_IN, 0, NF_ACCEPT);
    struct rule_build build;

    rule_build_init(&build);
    rule_source(&build, "192.0.2.1");
    rule_port(&build, 80);
    rule_build_verdict(&build, NF_DROP, NULL);
    host_add_rule(host, chain, &build);
    host_judge(host);
    assert_null(host_finding(host));
    assert_int_equal(notes(host), 1);
}

static void test_unnumbered(void **state)
{
    struct host *host = *state;
    struct network_interface *other = network_add_interface(&host->network, 3, "ppp0");

    assert_non_null(other);
    other->up = true;
    host_judge(host);
    assert_null(host_finding(host)); /* nothing is routed there */
    other->routed[NETWORK_IPV4] = true;
    host_judge(host);
    assert_finding(host, "interface ppp0 has no IPv4 address", "tproxy");
}

static void test_limits_are_no_bans(void **state)
{
    struct host *host = *state;
    struct firewall_chain *chain = host_add_base(host, "input", NF_INET_LOCAL_IN, 0, NF_ACCEPT);
    struct rule_build build;

    rule_build_init(&build);
    rule_build_meta(&build, NFT_META_IIFNAME);
    rule_build_compare(&build, NFT_CMP_EQ, "lo", 3);
    rule_build_verdict(&build, NF_ACCEPT, NULL);
    host_add_rule(host, chain, &build);
    rule_build_init(&build);
    rule_port(&build, 80);
    rule_build_match(&build, "connlimit", 1, (const uint8_t[40]){0}, 40);
    rule_build_verdict(&build, NF_DROP, NULL);
    host_add_rule(host, chain, &build);
    host_judge(host);
    assert_null(host_finding(host));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_rules, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_drop_by_default, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_admitted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tproxy_asks_for_port_80, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_notrack, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bans, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unnumbered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limits_are_no_bans, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
