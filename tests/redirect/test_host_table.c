// SPDX-License-Identifier: GPL-2.0-or-later
/* What is made of rules of the host's own: those that iptables-nft writes, and those that nobody
 * here has seen before. What nft writes is judged in kernel_admit_test.c, as the kernel gives it
 * back. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_tcpudp.h>

#include "redirect/admission.h"
#include "redirect/host_place.h"
#include "redirect/host_rule.h"
#include "redirect/host_table.h"
#include "redirect/ruleset.h"

static const struct host_subject redirected = {.port = 8402, .redirected = true};
static const struct host_subject own = {.port = 80};

static unsigned int asked; /* so often about a key */

static enum host_answer find_nothing(void *context, const char *name, const void *key,
                                     size_t length, struct host_verdict *verdict)
{
    (void)context;
    (void)name;
    (void)key;
    (void)length;
    (void)verdict;
    asked++;
    return HOST_UNKNOWN;
}

/* Map "fates": some are let in, some go on in chain "mapped". */
static bool list_fates(void *context, const char *name, struct host_verdicts *out)
{
    (void)context;
    if (strcmp(name, "fates") != 0)
        return false;
    out->list[0] = (struct host_verdict){.act = HOST_ACCEPTS};
    out->list[1] = (struct host_verdict){.act = HOST_JUMPS, .chain = "mapped"};
    out->count = 2;
    return true;
}

static bool late;

static bool are_late(void *context)
{
    (void)context;
    return late;
}

static const struct host_sets sets = {
    .find = find_nothing, .list = list_fates, .are_late = are_late};

static struct nftnl_rule *new_rule(const char *chain, uint64_t handle)
{
    struct nftnl_rule *rule = nftnl_rule_alloc();

    assert_non_null(rule);
    nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, NFPROTO_IPV4);
    nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain);
    nftnl_rule_set_u64(rule, NFTNL_RULE_HANDLE, handle);
    return rule;
}

static struct nftnl_expr *add(struct nftnl_rule *rule, const char *name)
{
    struct nftnl_expr *e = nftnl_expr_alloc(name);

    assert_non_null(e);
    nftnl_rule_add_expr(rule, e);
    return e;
}

static void add_match(struct nftnl_rule *rule, const char *name, uint32_t revision,
                      const void *info, uint32_t length)
{
    struct nftnl_expr *e = add(rule, "match");
    void *copy = malloc(length);

    assert_non_null(copy);
    memcpy(copy, info, length);
    nftnl_expr_set_str(e, NFTNL_EXPR_MT_NAME, name);
    nftnl_expr_set_u32(e, NFTNL_EXPR_MT_REV, revision);
    nftnl_expr_set(e, NFTNL_EXPR_MT_INFO, copy, length);
}

static void add_verdict(struct nftnl_rule *rule, int verdict, const char *chain)
{
    struct nftnl_expr *e = add(rule, "immediate");

    nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, (uint32_t)verdict);
    if (chain)
        nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, chain);
}

static void add_source(struct nftnl_rule *rule)
{
    struct nftnl_expr *e = add(rule, "payload");
    uint32_t address = htonl(0xc0000207);

    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, 12);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, 4);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
    e = add(rule, "cmp");
    nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
    nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
    nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, &address, sizeof(address));
}

/* The rule is freed. */
static void assert_match(struct nftnl_rule *rule, const struct host_subject *subject,
                         enum host_match match)
{
    struct host_judgement judgement;

    host_rule_judge(&judgement, rule, subject, &sets);
    assert_int_equal(judgement.match, match);
    nftnl_rule_free(rule);
}

static struct nftnl_rule *conntrack(uint16_t states, bool inverted, uint16_t flags)
{
    struct xt_conntrack_mtinfo3 info = {
        .match_flags = flags,
        .invert_flags = inverted ? XT_CONNTRACK_STATE : 0,
        .state_mask = states,
    };
    struct nftnl_rule *rule = new_rule("INPUT", 1);

    add_match(rule, "conntrack", 3, &info, sizeof(info));
    return rule;
}

static void test_conntrack(void **state)
{
    const uint16_t is_new = XT_CONNTRACK_STATE_BIT(IP_CT_NEW);
    const uint16_t established = XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED);

    (void)state;
    assert_match(conntrack(is_new, false, XT_CONNTRACK_STATE), &own, HOST_ALWAYS);
    assert_match(conntrack(is_new, true, XT_CONNTRACK_STATE), &own, HOST_NEVER);
    assert_match(conntrack(established, false, XT_CONNTRACK_STATE), &own, HOST_NEVER);
    assert_match(conntrack(XT_CONNTRACK_STATE_INVALID, false, XT_CONNTRACK_STATE), &redirected,
                 HOST_NEVER);
    assert_match(
        conntrack(XT_CONNTRACK_STATE_DNAT, false, XT_CONNTRACK_STATE | XT_CONNTRACK_STATE_ALIAS),
        &redirected, HOST_ALWAYS);
    assert_match(conntrack(XT_CONNTRACK_STATE_DNAT, false, XT_CONNTRACK_STATE), &own, HOST_NEVER);
    assert_match(conntrack(0, false, XT_CONNTRACK_ORIGSRC), &redirected, HOST_BY_SOURCE);
    assert_match(conntrack(0, false, XT_CONNTRACK_STATUS), &redirected, HOST_PERHAPS);
}

static struct nftnl_rule *multiport(uint8_t flags, bool range, bool inverted)
{
    struct xt_multiport_v1 info = {.flags = flags,
                                   .count = 3,
                                   .ports = {22, 80, 90},
                                   .pflags = {0, range},
                                   .invert = inverted};
    struct nftnl_rule *rule = new_rule("INPUT", 1);

    add_match(rule, "multiport", 1, &info, sizeof(info));
    return rule;
}

static void test_ports(void **state)
{
    struct xt_tcp tcp = {.spts = {0, 65535}, .dpts = {80, 80}};
    struct nftnl_rule *rule = new_rule("INPUT", 1);
    const struct host_subject within = {.port = 85};

    (void)state;
    assert_match(multiport(XT_MULTIPORT_DESTINATION, false, false), &own, HOST_ALWAYS);
    assert_match(multiport(XT_MULTIPORT_DESTINATION, false, false), &within, HOST_NEVER);
    assert_match(multiport(XT_MULTIPORT_DESTINATION, true, false), &within, HOST_ALWAYS);
    assert_match(multiport(XT_MULTIPORT_DESTINATION, false, true), &redirected, HOST_ALWAYS);
    assert_match(multiport(XT_MULTIPORT_SOURCE, false, false), &own, HOST_PERHAPS);
    add_match(rule, "tcp", 0, &tcp, sizeof(tcp));
    assert_match(rule, &own, HOST_ALWAYS);
    rule = new_rule("INPUT", 1);
    add_match(rule, "tcp", 0, &tcp, sizeof(tcp));
    assert_match(rule, &redirected, HOST_NEVER);
    tcp.invflags = XT_TCP_INV_DSTPT;
    rule = new_rule("INPUT", 1);
    add_match(rule, "tcp", 0, &tcp, sizeof(tcp));
    assert_match(rule, &redirected, HOST_ALWAYS);
}

static void test_others(void **state)
{
    static const struct {
        const char *name;
        enum host_match match;
    } rows[] = {
        {"comment", HOST_ALWAYS},    {"set", HOST_BY_SOURCE},     {"recent", HOST_BY_SOURCE},
        {"iprange", HOST_BY_SOURCE}, {"rt", HOST_NEVER},          {"limit", HOST_PERHAPS},
        {"conntrack", HOST_PERHAPS}, {"multiport", HOST_PERHAPS}, {"unheard-of", HOST_PERHAPS},
    };
    struct xt_addrtype_info_v1 local = {.dest = XT_ADDRTYPE_LOCAL};
    struct nftnl_rule *rule;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rule = new_rule("INPUT", 1);
        add_match(rule, rows[i].name, 9, "cut", 4);
        assert_match(rule, &redirected, rows[i].match);
    }
    rule = new_rule("INPUT", 1);
    add_match(rule, "addrtype", 1, &local, sizeof(local));
    assert_match(rule, &redirected, HOST_ALWAYS);
    local.flags = XT_ADDRTYPE_INVERT_DEST;
    rule = new_rule("INPUT", 1);
    add_match(rule, "addrtype", 1, &local, sizeof(local));
    assert_match(rule, &redirected, HOST_NEVER);
    /* Also in doubt, but by source first; and an expression from the future. */
    rule = new_rule("INPUT", 1);
    add_match(rule, "limit", 0, "cut", 4);
    add_source(rule);
    assert_match(rule, &redirected, HOST_BY_SOURCE);
    rule = new_rule("INPUT", 1);
    add(rule, "numgen");
    assert_match(rule, &redirected, HOST_PERHAPS);
}

/* `ban`: the handle of the rule that is overruled there, 0: none. */
static void assert_place_before_ban(const struct host_table *table, uint64_t before, uint64_t ban)
{
    const struct host_ports ports = {.production = 80, .responder = 8402};
    struct host_place place;

    assert_true(host_place_find(&place, table, "INPUT", &ports, &sets));
    assert_int_equal(place.at_end, before == 0);
    if (before != 0)
        assert_int_equal(place.before, before);
    assert_int_equal(place.overruled.handle, ban);
    assert_int_equal(place.overruled.chain[0] == '\0', ban == 0);
}

static void assert_place(const struct host_table *table, uint64_t before)
{
    assert_place_before_ban(table, before, 0);
}

static void test_place(void **state)
{
    struct host_table table = {0};
    struct nftnl_rule *rule;

    (void)state;
    assert_place(&table, 0);
    rule = new_rule("INPUT", 1);
    add_source(rule);
    add_verdict(rule, NF_DROP, NULL);
    host_table_add(&table, rule);
    rule = new_rule("INPUT", 2);
    add_verdict(rule, NFT_JUMP, "f2b");
    host_table_add(&table, rule);
    rule = new_rule("f2b", 3);
    add_source(rule);
    nftnl_expr_set_str(add(rule, "target"), NFTNL_EXPR_TG_NAME, "REJECT");
    host_table_add(&table, rule);
    assert_place(&table, 0);
    rule = new_rule("INPUT", 4);
    nftnl_expr_set_str(add(rule, "target"), NFTNL_EXPR_TG_NAME, "LOG");
    host_table_add(&table, rule);
    assert_place(&table, 0);
    rule = new_rule("INPUT", 5);
    nftnl_expr_set_str(add(rule, "target"), NFTNL_EXPR_TG_NAME, "NFQUEUE");
    host_table_add(&table, rule);
    assert_place(&table, 5);
    /* What is jumped to may drop anybody. */
    rule = new_rule("f2b", 6);
    add_verdict(rule, NF_DROP, NULL);
    host_table_add(&table, rule);
    assert_place_before_ban(&table, 2, 3);
    host_table_deinit(&table);
}

/* Of what comes behind the place only that counts which keeps somebody from production. */
static void test_overruled(void **state)
{
    struct host_table table = {0};
    struct nftnl_rule *rule;

    (void)state;
    rule = new_rule("INPUT", 1); /* perhaps */
    add(rule, "numgen");
    add_verdict(rule, NF_DROP, NULL);
    host_table_add(&table, rule);
    rule = new_rule("INPUT", 2); /* by source, and lets in */
    add_source(rule);
    add_verdict(rule, NF_ACCEPT, NULL);
    host_table_add(&table, rule);
    rule = new_rule("INPUT", 3); /* calls by source what drops nobody */
    add_source(rule);
    add_verdict(rule, NFT_JUMP, "some");
    host_table_add(&table, rule);
    rule = new_rule("some", 4);
    add_verdict(rule, NFT_RETURN, NULL);
    host_table_add(&table, rule);
    rule = new_rule("some", 5); /* nobody comes here */
    add_verdict(rule, NF_DROP, NULL);
    host_table_add(&table, rule);
    assert_place(&table, 1);
    rule = new_rule("INPUT", 6); /* whoever it is */
    add_verdict(rule, NFT_JUMP, "all");
    host_table_add(&table, rule);
    rule = new_rule("all", 7);
    add(rule, "numgen");
    add_verdict(rule, NF_DROP, NULL);
    host_table_add(&table, rule);
    assert_place(&table, 1);
    rule = new_rule("INPUT", 8); /* calls by source what drops whoever comes there */
    add_source(rule);
    add_verdict(rule, NFT_GOTO, "all");
    host_table_add(&table, rule);
    assert_place_before_ban(&table, 1, 7);
    host_table_deinit(&table);

    rule = new_rule("INPUT", 1);
    add(rule, "numgen");
    add_verdict(rule, NF_DROP, NULL);
    host_table_add(&table, rule);
    rule = new_rule("INPUT", 2); /* everybody is let in, so that what follows bans nobody */
    add_verdict(rule, NF_ACCEPT, NULL);
    host_table_add(&table, rule);
    rule = new_rule("INPUT", 3);
    add_source(rule);
    add_verdict(rule, NF_DROP, NULL);
    host_table_add(&table, rule);
    assert_place(&table, 1);
    host_table_deinit(&table);
}

static void add_port(struct nftnl_rule *rule, uint16_t port)
{
    uint16_t wanted = htons(port);
    struct nftnl_expr *e = add(rule, "payload");

    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, 2);
    nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, sizeof(wanted));
    e = add(rule, "cmp");
    nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
    nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
    nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, &wanted, sizeof(wanted));
}

/* Production's visitors are let in where that was called, and come no further. */
static void test_let_in_by_a_called_chain(void **state)
{
    struct host_table table = {0};
    struct nftnl_rule *rule;

    (void)state;
    rule = new_rule("INPUT", 1);
    add_verdict(rule, NFT_JUMP, "services");
    host_table_add(&table, rule);
    rule = new_rule("services", 2);
    add_port(rule, own.port);
    add_verdict(rule, NF_ACCEPT, NULL);
    host_table_add(&table, rule);
    rule = new_rule("services", 3);
    add_verdict(rule, NF_DROP, NULL);
    host_table_add(&table, rule);
    rule = new_rule("INPUT", 4);
    add_source(rule);
    add_verdict(rule, NF_DROP, NULL);
    host_table_add(&table, rule);
    assert_place(&table, 1);
    host_table_deinit(&table);
}

/* iifname vmap @fates, or of another map */
static struct nftnl_rule *mapped(uint64_t handle, const char *map)
{
    struct nftnl_rule *rule = new_rule("INPUT", handle);
    struct nftnl_expr *e = add(rule, "meta");

    nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, NFT_META_IIFNAME);
    nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, NFT_REG_1);
    e = add(rule, "lookup");
    nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
    nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, map);
    return rule;
}

static void test_maps(void **state)
{
    struct host_table table = {0};
    struct nftnl_rule *rule;

    (void)state;
    host_table_add(&table, mapped(1, "fates"));
    rule = new_rule("mapped", 2);
    add_source(rule);
    add_verdict(rule, NF_DROP, NULL);
    host_table_add(&table, rule);
    assert_place(&table, 0);
    rule = new_rule("mapped", 3);
    add_port(rule, own.port);
    add_verdict(rule, NF_ACCEPT, NULL);
    host_table_add(&table, rule);
    assert_place(&table, 0);
    rule = new_rule("mapped", 4);
    add_verdict(rule, NF_DROP, NULL);
    host_table_add(&table, rule);
    assert_place_before_ban(&table, 1, 2);
    host_table_deinit(&table);
    /* What cannot be looked into may have any. */
    host_table_add(&table, mapped(1, "unknown"));
    assert_place_before_ban(&table, 1, 1);
    host_table_deinit(&table);
}

/* For people, whoever has named the chain; and what was given up is not told as a ban. */
static void test_description(void **state)
{
    static const struct config_chain chain = {.family = "inet", .table = "filter"};
    struct host_ban ban = {.chain = "caf\xe9", .handle = 7};
    char text[ADMISSION_BAN_TEXT];

    (void)state;
    admission_describe_ban(text, &ban, &chain);
    assert_string_equal(text, "rule 7 of chain inet filter caf\\xe9");
    ban.given_up = true;
    admission_describe_ban(text, &ban, &chain);
    assert_string_equal(text, "what comes behind rule 7 of chain inet filter caf\\xe9");
}

/* More rules than there is time for. */
static void test_late(void **state)
{
    struct host_table table = {0};
    struct nftnl_rule *rule;

    (void)state;
    rule = new_rule("INPUT", 1);
    add(rule, "numgen");
    add_verdict(rule, NF_DROP, NULL);
    host_table_add(&table, rule);
    for (uint64_t i = 2; i <= 1000; i++)
        host_table_add(&table, new_rule("INPUT", i));
    assert_place(&table, 1);
    late = true;
    assert_place_before_ban(&table, 1, 64);
    late = false;
    host_table_deinit(&table);
}

/* What a later expression loads is not what an earlier one has. */
static void test_register_of_a_stranger(void **state)
{
    struct nftnl_rule *rule = new_rule("INPUT", 1);
    struct nftnl_expr *e = add(rule, "ct");

    (void)state;
    nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, NFT_CT_STATE);
    nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, NFT_REG_1);
    add(rule, "numgen");
    e = add(rule, "lookup");
    nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
    nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, "fates");
    asked = 0;
    assert_match(rule, &redirected, HOST_PERHAPS);
    assert_int_equal(asked, 0);
}

/* The kernel has no loops; whoever says so is not believed, but not followed for ever either. */
static void test_loop(void **state)
{
    struct host_table table = {0};

    (void)state;
    for (uint64_t i = 1; i <= 40; i++) {
        struct nftnl_rule *rule = new_rule(i == 1 ? "INPUT" : "loop", i);

        add_verdict(rule, NFT_JUMP, "loop");
        host_table_add(&table, rule);
    }
    assert_place_before_ban(&table, 1, 2); /* where it was given up, in the deepest call */
    host_table_deinit(&table);
}

static struct nftnl_rule *commented(const char *comment, int verdict)
{
    struct nftnl_udata_buf *data = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);
    struct nftnl_rule *rule = new_rule("INPUT", 9);

    assert_non_null(data);
    nftnl_udata_put_strz(data, NFTNL_UDATA_RULE_COMMENT, comment);
    nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(data),
                        nftnl_udata_buf_len(data));
    nftnl_udata_buf_free(data);
    add_verdict(rule, verdict, NULL);
    return rule;
}

static void test_admission(void **state)
{
    static const struct {
        const char *comment;
        int verdict;
        bool is;
    } rows[] = {
        {ADMISSION_COMMENT, NF_ACCEPT, true},
        {ADMISSION_COMMENT, NF_DROP, false},
        {ADMISSION_COMMENT " of another", NF_ACCEPT, false},
        {"acme-wicket", NF_ACCEPT, false},
    };
    struct nftnl_rule *plain = new_rule("INPUT", 1);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct nftnl_rule *rule = commented(rows[i].comment, rows[i].verdict);

        assert_int_equal(host_rule_is_admission(rule), rows[i].is);
        nftnl_rule_free(rule);
    }
    add_verdict(plain, NF_ACCEPT, NULL);
    assert_false(host_rule_is_admission(plain));
    nftnl_rule_free(plain);
}

static void test_iptables(void **state)
{
    struct host_table table = {0};
    struct nftnl_rule *rule = new_rule("INPUT", 1);

    (void)state;
    add_source(rule);
    add(rule, "counter");
    add_verdict(rule, NF_DROP, NULL);
    host_table_add(&table, rule);
    assert_true(host_table_is_iptables(&table, "INPUT"));
    rule = new_rule("other", 2);
    add(rule, "ct");
    host_table_add(&table, rule);
    assert_true(host_table_is_iptables(&table, "INPUT"));
    rule = new_rule("INPUT", 3);
    add(rule, "ct");
    host_table_add(&table, rule);
    assert_false(host_table_is_iptables(&table, "INPUT"));
    host_table_deinit(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conntrack),   cmocka_unit_test(test_ports),
        cmocka_unit_test(test_others),      cmocka_unit_test(test_place),
        cmocka_unit_test(test_overruled),   cmocka_unit_test(test_let_in_by_a_called_chain),
        cmocka_unit_test(test_maps),        cmocka_unit_test(test_late),
        cmocka_unit_test(test_description), cmocka_unit_test(test_register_of_a_stranger),
        cmocka_unit_test(test_loop),        cmocka_unit_test(test_admission),
        cmocka_unit_test(test_iptables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
