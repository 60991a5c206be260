// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "redirect/ruleset.h"
#include "sample.h"
#include "unit.h"

static bool rule_has(const struct ruleset_rule *rule, enum ruleset_statement_type type)
{
    for (size_t i = 0; i < rule->statement_count; i++)
        if (rule->statements[i].type == type)
            return true;
    return false;
}

static void init(struct ruleset *ruleset, struct config *config, struct sample sample)
{
    struct error error;

    sample_config(config, &sample);
    if (ruleset_init(ruleset, config, &error) < 0)
        fail_msg("%s", error.text);
}

static void deinit(struct ruleset *ruleset, struct config *config)
{
    ruleset_deinit(ruleset);
    sample_free(config);
}

static void test_priorities(void **state)
{
    struct ruleset ruleset;
    struct config config;

    (void)state;
    init(&ruleset, &config, (struct sample){0});
    assert_int_equal(ruleset.chains[0].priority, -110);
    assert_int_equal(ruleset.chains[1].priority, -110);
    assert_int_equal(ruleset.chains[2].priority, -10);
    assert_int_equal(ruleset.chains[3].priority, 400);
    deinit(&ruleset, &config);
}

static void test_guard_admits_before_it_drops(void **state)
{
    struct ruleset ruleset;
    struct config config;

    (void)state;
    init(&ruleset, &config, (struct sample){0});
    const struct ruleset_chain *input = &ruleset.chains[2];
    assert_int_equal(input->rule_count, 2);
    assert_true(rule_has(&input->rules[0], RULESET_CT_DNAT));
    assert_true(rule_has(&input->rules[0], RULESET_ACCEPT));
    assert_true(rule_has(&input->rules[1], RULESET_DROP));
    assert_false(rule_has(&input->rules[1], RULESET_CT_DNAT));
    deinit(&ruleset, &config);
}

static void test_every_redirect_is_local_and_leased(void **state)
{
    (void)state;
    for (size_t i = 0; i < sample_count; i++) {
        struct ruleset ruleset;
        struct config config;

        init(&ruleset, &config, samples[i]);
        for (size_t c = 0; c < ruleset.chain_count; c++)
            for (size_t r = 0; r < ruleset.chains[c].rule_count; r++) {
                const struct ruleset_rule *rule = &ruleset.chains[c].rules[r];

                if (!rule_has(rule, RULESET_REDIRECT))
                    continue;
                assert_true(rule_has(rule, RULESET_DADDR_LOCAL));
                assert_true(rule_has(rule, RULESET_DPORT_IN));
                /* Whatever can meet a connection that is older than the table. */
                assert_true(rule_has(rule, RULESET_SYN) || rule_has(rule, RULESET_SPORT_IN));
            }
        deinit(&ruleset, &config);
    }
}

/* The rules of a family: one that notes the source, and one that redirects. */
static void assert_family(const struct ruleset *ruleset, size_t first,
                          enum ruleset_statement_type match, enum ruleset_statement_type add)
{
    const struct ruleset_rule *rules = &ruleset->chains[0].rules[first];

    assert_true(ruleset->chains[0].rule_count >= first + 2);
    assert_true(rule_has(&rules[0], match));
    assert_true(rule_has(&rules[1], match));
    assert_true(rule_has(&rules[0], add));
    assert_true(rule_has(&rules[1], RULESET_REDIRECT));
    assert_false(rule_has(&rules[0], RULESET_REDIRECT));
    assert_false(rule_has(&rules[1], add)); /* it ends a rule when the set is full */
    /* Nobody is noted who is not redirected, and the other way round. */
    size_t matches = rules[0].statement_count - 1;
    assert_int_equal(rules[1].statement_count, matches + 2);
    for (size_t i = 0; i < matches; i++) {
        assert_int_equal(rules[0].statements[i].type, rules[1].statements[i].type);
        assert_ptr_equal(rules[0].statements[i].set, rules[1].statements[i].set);
    }
}

static void test_both_families(void **state)
{
    struct ruleset ruleset;
    struct config config;

    (void)state;
    init(&ruleset, &config, (struct sample){.interfaces = "eth0"});
    assert_int_equal(ruleset.chains[0].rule_count, 4);
    assert_family(&ruleset, 0, RULESET_FAMILY4, RULESET_ADD_SADDR4);
    assert_family(&ruleset, 2, RULESET_FAMILY6, RULESET_ADD_SADDR6);
    for (size_t i = 0; i < 4; i++) {
        assert_true(rule_has(&ruleset.chains[0].rules[i], RULESET_IIFNAME_IN));
        assert_true(rule_has(&ruleset.chains[0].rules[i], RULESET_SADDR_REAL));
    }
    assert_int_equal(ruleset.chains[3].rule_count, 2);
    assert_true(rule_has(&ruleset.chains[3].rules[0], RULESET_DELETE_SADDR4));
    assert_true(rule_has(&ruleset.chains[3].rules[1], RULESET_DELETE_SADDR6));
    deinit(&ruleset, &config);
}

static void test_family_left_out_is_not_redirected(void **state)
{
    struct ruleset ruleset;
    struct config config;

    (void)state;
    init(&ruleset, &config, (struct sample){.sources = "192.0.2.0/24"});
    assert_int_equal(ruleset.chains[0].rule_count, 2);
    assert_family(&ruleset, 0, RULESET_FAMILY4, RULESET_ADD_SADDR4);
    assert_true(rule_has(&ruleset.chains[0].rules[1], RULESET_SADDR4_IN));
    assert_null(ruleset_find_set(&ruleset, "sources6"));
    assert_null(ruleset_find_set(&ruleset, "missing6"));
    assert_int_equal(ruleset.chains[3].rule_count, 1);
    deinit(&ruleset, &config);

    init(&ruleset, &config,
         (struct sample){.sources = "192.0.2.0/24 2001:db8::/32", .addresses = "2001:db8::1"});
    assert_int_equal(ruleset.chains[0].rule_count, 2);
    assert_family(&ruleset, 0, RULESET_FAMILY6, RULESET_ADD_SADDR6);
    assert_true(rule_has(&ruleset.chains[0].rules[1], RULESET_SADDR6_IN));
    assert_true(rule_has(&ruleset.chains[0].rules[1], RULESET_DADDR6_IN));
    assert_null(ruleset_find_set(&ruleset, "missing4"));
    assert_int_equal(ruleset.chains[3].rule_count, 1);
    assert_true(rule_has(&ruleset.chains[3].rules[0], RULESET_DELETE_SADDR6));
    deinit(&ruleset, &config);
}

static void test_no_common_family(void **state)
{
    struct ruleset ruleset;
    struct config config;
    struct error error;

    (void)state;
    sample_config(&config, &(struct sample){.sources = "192.0.2.0/24", .addresses = "2001:db8::1"});
    assert_int_equal(ruleset_init(&ruleset, &config, &error), -1);
    assert_int_equal(error.exit_code, EX_CONFIG);
    assert_non_null(strstr(error.text, "redirect.sources"));
    deinit(&ruleset, &config);
}

static void test_interface_names(void **state)
{
    static const char *const bad[] = {"sixteen-is-a-lot", "a/b", "eth*", "a\"b", "a\\b",
                                      "b\xc3\xa4r",       "a\tb"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ruleset ruleset;
        struct config config;
        struct error error;

        sample_config(&config, &(struct sample){.interfaces = bad[i]});
        assert_int_equal(ruleset_init(&ruleset, &config, &error), -1);
        assert_int_equal(error.exit_code, EX_CONFIG);
        assert_non_null(strstr(error.text, "redirect.interfaces"));
        deinit(&ruleset, &config);
    }
}

static void test_local(void **state)
{
    struct ruleset ruleset;
    struct config config;

    (void)state;
    for (int local = 0; local < 2; local++) {
        init(&ruleset, &config, (struct sample){.local = local});
        const struct ruleset_chain *output = &ruleset.chains[1];
        const struct ruleset_rule *last = &output->rules[output->rule_count - 1];
        assert_true(rule_has(last, RULESET_REDIRECT));
        assert_true(rule_has(last, RULESET_SPORT_IN) == !local);
        deinit(&ruleset, &config);
    }
}

static const struct ruleset_chain *find_chain(const struct ruleset *ruleset, const char *name)
{
    size_t i = 0;

    while (i + 1 < ruleset->chain_count && strcmp(ruleset->chains[i].name, name) != 0)
        i++;
    assert_string_equal(ruleset->chains[i].name, name);
    return &ruleset->chains[i];
}

static const struct ruleset_set *find_set(const struct ruleset *ruleset, const char *name)
{
    size_t i = 0;

    while (i + 1 < ruleset->set_count && strcmp(ruleset->sets[i].name, name) != 0)
        i++;
    assert_string_equal(ruleset->sets[i].name, name);
    return &ruleset->sets[i];
}

static void assert_ends(const struct ruleset_rule *rule, enum ruleset_statement_type end)
{
    assert_int_equal(rule->statements[rule->statement_count - 1].type, end);
}

/* The rule is for the upstream sockets of family `i`, and ends with `end`. */
static void assert_upstream(const struct ruleset_rule *rule, size_t i,
                            enum ruleset_statement_type end)
{
    static const enum ruleset_statement_type matches[] = {RULESET_FAMILY4, RULESET_FAMILY6};

    assert_int_equal(rule->statements[0].type, RULESET_UPSTREAM);
    assert_true(rule_has(rule, matches[i]));
    assert_ends(rule, end);
}

static void test_no_pass_unless_asked_for(void **state)
{
    static const enum config_other_requests others[] = {CONFIG_OTHER_NOT_FOUND, CONFIG_OTHER_HTTPS};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct ruleset ruleset;
        struct config config;

        init(&ruleset, &config, (struct sample){.other = others[i], .local = true});
        assert_int_equal(ruleset.chain_count, 4);
        assert_int_equal(ruleset.timeout_count, 0);
        assert_null(ruleset_find_set(&ruleset, RULESET_MAP_RELAY4));
        assert_null(ruleset_find_set(&ruleset, RULESET_MAP_RELAY6));
        assert_int_equal(ruleset.chains[1].rule_count, 1);
        deinit(&ruleset, &config);
    }
}

static void test_upstream_sockets_are_never_redirected(void **state)
{
    (void)state;
    for (int local = 0; local < 2; local++) {
        struct ruleset ruleset;
        struct config config;

        init(&ruleset, &config, (struct sample){.local = local});
        const struct ruleset_chain *output = &ruleset.chains[1];
        assert_int_equal(output->rule_count, 3);
        for (size_t i = 0; i < 2; i++) {
            assert_upstream(&output->rules[i], i, RULESET_RETURN);
            assert_true(rule_has(&output->rules[i], RULESET_CT_TIMEOUT));
            assert_int_equal(output->rules[i].statement_count, 4);
        }
        deinit(&ruleset, &config);
    }
}

static void assert_snat(const struct ruleset_rule *rule, size_t i)
{
    static const enum ruleset_statement_type snats[] = {RULESET_SNAT4, RULESET_SNAT6};
    static const char *const maps[] = {RULESET_MAP_RELAY4, RULESET_MAP_RELAY6};
    const struct ruleset_statement *end = &rule->statements[rule->statement_count - 1];

    assert_int_equal(rule->statements[0].type, RULESET_UPSTREAM);
    assert_int_equal(end->type, snats[i]);
    assert_string_equal(end->set, maps[i]);
    /* Nobody is spoken for to another port. */
    assert_int_equal(end[-1].type, RULESET_CT_DPORT);
    assert_int_equal(end[-1].port, 8080);
}

static void test_pass_chains(void **state)
{
    struct ruleset ruleset;
    struct config config;

    (void)state;
    struct error error;

    sample_defaults(&config);
    config.redirect.port = 8080;
    assert_int_equal(ruleset_init(&ruleset, &config, &error), 0);
    const struct ruleset_chain *postrouting = find_chain(&ruleset, RULESET_CHAIN_POSTROUTING);
    const struct ruleset_chain *closed = find_chain(&ruleset, RULESET_CHAIN_CLOSED);

    assert_int_equal(postrouting->hook, RULESET_HOOK_POSTROUTING);
    assert_int_equal(postrouting->priority, -199);
    assert_true(postrouting->nat);
    assert_int_equal(closed->hook, RULESET_HOOK_POSTROUTING);
    assert_int_equal(closed->priority, 300);
    assert_false(closed->nat);

    assert_int_equal(postrouting->rule_count, 8);
    for (size_t i = 0; i < 2; i++) {
        const struct ruleset_rule *rules = &postrouting->rules[4 * i];

        assert_upstream(&rules[0], i, RULESET_COUNTER);
        assert_upstream(&rules[1], i, RULESET_COUNTER);
        assert_snat(&rules[2], i);
        assert_upstream(&rules[3], i, RULESET_DROP);
        assert_true(rule_has(&rules[3], RULESET_COUNTER));
        assert_true(rule_has(&rules[3], RULESET_SYN));
    }
    deinit(&ruleset, &config);
}

/* What may leave unless the source is this host's; a local visitor's is, and has to be a given
 * one. */
static void test_closed(void **state)
{
    (void)state;
    for (int local = 0; local < 2; local++) {
        struct ruleset ruleset;
        struct config config;

        init(&ruleset, &config, (struct sample){.local = local});
        const struct ruleset_chain *chain = find_chain(&ruleset, RULESET_CHAIN_CLOSED);
        const struct ruleset_rule *rule = &chain->rules[2];
        assert_int_equal(chain->rule_count, local ? 6 : 5);
        assert_true(rule_has(rule, RULESET_OUT_LOOPBACK));
        assert_int_equal(rule->statements[1].type, RULESET_DPORT);
        assert_int_equal(rule->statements[1].port, 8402);
        assert_ends(rule++, RULESET_DROP);
        if (local) {
            assert_true(rule_has(rule, RULESET_CT_SNAT));
            assert_ends(rule++, RULESET_RETURN);
        }
        for (size_t i = 0; i < 2; i++, rule++) {
            assert_true(rule_has(rule, i ? RULESET_FAMILY6 : RULESET_FAMILY4));
            assert_true(rule_has(rule, RULESET_SADDR_LOCAL) == !local);
            assert_true(rule_has(rule, RULESET_COUNTER));
            assert_ends(rule, RULESET_DROP);
        }
        deinit(&ruleset, &config);
    }
}

/* It sees all packets of the host: none but an upstream socket's costs more than a rule. */
static void test_closed_looks_at_upstream_first(void **state)
{
    struct ruleset ruleset;
    struct config config;

    (void)state;
    init(&ruleset, &config, (struct sample){0});
    const struct ruleset_chain *chain = find_chain(&ruleset, RULESET_CHAIN_CLOSED);

    static const enum ruleset_statement_type first[] = {RULESET_NOT_UPSTREAM, RULESET_NOT_SYN};

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(chain->rules[i].statements[0].type, first[i]);
        assert_int_equal(chain->rules[i].statements[1].type, RULESET_RETURN);
        assert_int_equal(chain->rules[i].statement_count, 2);
    }
    deinit(&ruleset, &config);
}

static void test_relay_maps(void **state)
{
    struct ruleset ruleset;
    struct config config;

    (void)state;
    init(&ruleset, &config, (struct sample){0});
    const struct ruleset_set *relay4 = find_set(&ruleset, RULESET_MAP_RELAY4);
    const struct ruleset_set *relay6 = find_set(&ruleset, RULESET_MAP_RELAY6);
    assert_true(relay4->map && relay6->map && relay4->timeout && relay6->timeout);
    assert_int_equal(ruleset_key_length(relay4->key), 8);
    assert_int_equal(ruleset_key_length(relay4->value), 4);
    assert_int_equal(ruleset_key_length(relay6->key), 20);
    assert_int_equal(ruleset_key_length(relay6->value), 16);
    deinit(&ruleset, &config);
}

/* The elements of set `name` as "first-last" texts, for a list of sources. */
static void assert_ranges(const char *sources, const char *name, const char *expected)
{
    struct ruleset ruleset;
    struct config config;
    char text[512] = "";
    size_t length = 0;

    init(&ruleset, &config, (struct sample){.sources = sources});
    const struct ruleset_set *set = ruleset_find_set(&ruleset, name);
    if (!set) {
        fail_msg("no set %s", name);
        return;
    }
    for (size_t i = 0; i < set->element_count; i++) {
        int family = set->key == RULESET_KEY_IPV4 ? AF_INET : AF_INET6;
        char first[INET6_ADDRSTRLEN], last[INET6_ADDRSTRLEN];

        inet_ntop(family, set->elements[i].first, first, sizeof(first));
        inet_ntop(family, set->elements[i].last, last, sizeof(last));
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s-%s", i ? " " : "",
                                   first, last);
    }
    assert_string_equal(text, expected);
    deinit(&ruleset, &config);
}

static void test_ranges(void **state)
{
    (void)state;
    assert_ranges("192.0.2.1", "sources4", "192.0.2.1-192.0.2.1");
    assert_ranges("0.0.0.0/0 10.0.0.0/8", "sources4", "0.0.0.0-255.255.255.255");
    assert_ranges("10.0.0.0/8 10.1.0.0/16 10.255.255.255", "sources4", "10.0.0.0-10.255.255.255");
    assert_ranges("10.128.0.0/9 10.0.0.0/9", "sources4", "10.0.0.0-10.255.255.255");
    assert_ranges("10.0.0.3 10.0.0.1 10.0.0.1", "sources4", "10.0.0.1-10.0.0.1 10.0.0.3-10.0.0.3");
    assert_ranges("255.255.255.255 0.0.0.0", "sources4",
                  "0.0.0.0-0.0.0.0 255.255.255.255-255.255.255.255");
    /* Host bits, should any be left, do not count. */
    assert_ranges("10.1.2.3/8", "sources4", "10.0.0.0-10.255.255.255");
    assert_ranges("2001:db8::/33 2001:db8:8000::/33 ::1", "sources6",
                  "::1-::1 2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff");
    assert_ranges("ffff::/16 10.0.0.0/8", "sources6",
                  "ffff::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

static void test_next_key(void **state)
{
    uint8_t out[RULESET_KEY_MAX];
    uint8_t key[RULESET_KEY_MAX] = {10, 0, 255, 255};
    static const uint8_t expected[] = {10, 1, 0, 0};

    (void)state;
    assert_true(ruleset_key_next(out, key, RULESET_KEY_IPV4));
    assert_memory_equal(out, expected, sizeof(expected));
    memset(key, 255, 4);
    assert_false(ruleset_key_next(out, key, RULESET_KEY_IPV4));
    assert_true(ruleset_key_next(out, key, RULESET_KEY_IPV6));
}

#define TPROXY .method = CONFIG_METHOD_TPROXY

static bool is_tproxy(const struct ruleset_rule *rule)
{
    return rule_has(rule, RULESET_TPROXY) || rule_has(rule, RULESET_TPROXY4) ||
           rule_has(rule, RULESET_TPROXY6);
}

/* Whatever is handed to the responder is this host's, and begins a connection or ends a handshake
 * that nobody else has; and never an upstream socket's. */
static void test_tproxy_takes_what_redirect_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < sample_count; i++) {
        struct ruleset ruleset;
        struct config config;

        init(&ruleset, &config, samples[i]);
        bool any = false;
        for (size_t c = 0; c < ruleset.chain_count; c++)
            for (size_t r = 0; r < ruleset.chains[c].rule_count; r++) {
                const struct ruleset_rule *rule = &ruleset.chains[c].rules[r];

                if (!is_tproxy(rule))
                    continue;
                any = true;
                assert_int_equal(c, 0);
                assert_true(rule_has(rule, RULESET_DADDR_LOCAL));
                assert_true(rule_has(rule, RULESET_SYN) || rule_has(rule, RULESET_ACK));
                assert_true(rule_has(rule, RULESET_LOOPBACK) !=
                            rule_has(rule, RULESET_NOT_LOOPBACK));
                if (rule_has(rule, RULESET_SYN))
                    assert_true(rule_has(rule, RULESET_DPORT_IN));
                if (rule_has(rule, RULESET_LOOPBACK))
                    assert_true(rule_has(rule, RULESET_SPORT_IN) ||
                                rule_has(rule, RULESET_NOT_UPSTREAM) ||
                                config.other_requests != CONFIG_OTHER_PASS);
            }
        assert_int_equal(any, config.redirect.method == CONFIG_METHOD_TPROXY);
        deinit(&ruleset, &config);
    }
}

static void test_tproxy_comes_after_every_dnat(void **state)
{
    struct ruleset ruleset;
    struct config config;

    (void)state;
    init(&ruleset, &config, (struct sample){TPROXY});
    assert_string_equal(ruleset.chains[0].name, RULESET_CHAIN_PREROUTING);
    assert_false(ruleset.chains[0].nat);
    assert_true(ruleset.chains[0].priority > -100);
    assert_string_equal(ruleset.chains[1].name, RULESET_CHAIN_KEPT);
    assert_true(ruleset.chains[1].nat);
    assert_true(ruleset.chains[1].priority < -100);
    deinit(&ruleset, &config);
}

/* Nothing of it follows connections, and nothing wakes what does. */
static void test_tproxy_without_the_pass_tracks_nobody(void **state)
{
    static const enum ruleset_statement_type tracking[] = {
        RULESET_CT_DNAT,    RULESET_CT_DNAT_NEW, RULESET_CT_SNAT,    RULESET_CT_DPORT,
        RULESET_CT_TIMEOUT, RULESET_REDIRECT,    RULESET_DNAT_SAME4, RULESET_DNAT_SAME6,
        RULESET_SNAT4,      RULESET_SNAT6,
    };

    (void)state;
    for (int local = 0; local < 2; local++) {
        struct ruleset ruleset;
        struct config config;

        init(&ruleset, &config,
             (struct sample){TPROXY, .local = local, .other = CONFIG_OTHER_HTTPS});
        assert_int_equal(ruleset.timeout_count, 0);
        for (size_t c = 0; c < ruleset.chain_count; c++) {
            assert_false(ruleset.chains[c].nat);
            for (size_t r = 0; r < ruleset.chains[c].rule_count; r++)
                for (size_t t = 0; t < sizeof(tracking) / sizeof(tracking[0]); t++)
                    assert_false(rule_has(&ruleset.chains[c].rules[r], tracking[t]));
        }
        deinit(&ruleset, &config);
    }
}

static void test_deinit_twice(void **state)
{
    struct ruleset ruleset;
    struct config config;

    (void)state;
    init(&ruleset, &config, samples[sample_count - 1]);
    ruleset_deinit(&ruleset);
    deinit(&ruleset, &config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_priorities),
        cmocka_unit_test(test_guard_admits_before_it_drops),
        cmocka_unit_test(test_every_redirect_is_local_and_leased),
        cmocka_unit_test(test_both_families),
        cmocka_unit_test(test_family_left_out_is_not_redirected),
        cmocka_unit_test(test_no_common_family),
        cmocka_unit_test(test_interface_names),
        cmocka_unit_test(test_local),
        cmocka_unit_test(test_no_pass_unless_asked_for),
        cmocka_unit_test(test_upstream_sockets_are_never_redirected),
        cmocka_unit_test(test_pass_chains),
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_closed_looks_at_upstream_first),
        cmocka_unit_test(test_relay_maps),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_next_key),
        cmocka_unit_test(test_tproxy_takes_what_redirect_does),
        cmocka_unit_test(test_tproxy_comes_after_every_dnat),
        cmocka_unit_test(test_tproxy_without_the_pass_tracks_nobody),
        cmocka_unit_test(test_deinit_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
