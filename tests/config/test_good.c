// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wicket/config.h"

#define THUMBPRINT "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"

static struct config_errors errors;

static void parse(struct config *config, const char *text)
{
    if (config_parse(config, "w.yaml", text, strlen(text), &errors) != 0)
        fail_msg("%s", errors.lines[0]);
    assert_int_equal(errors.count, 0);
}

static void test_admission(void **state)
{
    (void)state;
    struct config config;
    parse(&config, "redirect:\n"
                   "  admit:\n"
                   "    - {family: inet, table: filter, chain: input}\n"
                   "    - chain: INPUT\n"
                   "      table: 'filter'\n"
                   "      family: ip6\n"
                   "ledger: {file: none}\n");
    assert_int_equal(config.redirect.admit_count, 2);
    assert_string_equal(config.redirect.admit[0].family, "inet");
    assert_string_equal(config.redirect.admit[0].table, "filter");
    assert_string_equal(config.redirect.admit[0].chain, "input");
    assert_string_equal(config.redirect.admit[1].family, "ip6");
    assert_string_equal(config.redirect.admit[1].chain, "INPUT");
    assert_int_equal(config.other_requests, CONFIG_OTHER_NOT_FOUND);
    assert_string_equal(config.ledger.file, "");
    config_deinit(&config);

    parse(&config, "redirect:\n"
                   "  admit: [{family: ip, table: f, chain: i}]\n"
                   "  pass_admitted: true\n"
                   "other_requests: pass\n");
    assert_int_equal(config.other_requests, CONFIG_OTHER_PASS);
    config_deinit(&config);

    /* An empty list of them is none. */
    parse(&config, "redirect:\n  admit: []\n");
    assert_int_equal(config.other_requests, CONFIG_OTHER_PASS);
    config_deinit(&config);
}

static void test_every_key(void **state)
{
    (void)state;
    struct config config;
    parse(&config, "responder:\n"
                   "  port: 18402\n"
                   "  user: _wicket\n"
                   "  undecided: 65536\n"
                   "  undecided_per_address: 65536\n"
                   "  first_byte: 999ms\n"
                   "  deadline: 1000ms\n"
                   "redirect:\n"
                   "  port: 65535\n"
                   "  method: tproxy\n"
                   "  interfaces: [eth0, 'wlan0.7', \"br-0\"]\n"
                   "  addresses:\n"
                   "    - 192.0.2.1\n"
                   "    - 2001:db8::1\n"
                   "  sources: [198.51.100.0/24, '2001:db8::/32', 203.0.113.9]\n"
                   "  sources_file: /etc/wicket/sources\n"
                   "  local: true\n"
                   "  admit: []\n"
                   "  pass_admitted: true\n"
                   "window:\n"
                   "  lease: 60s\n"
                   "  token_lifetime: \"24h\"\n"
                   "  limit: 24h\n"
                   "  drain: 90s\n"
                   "other_requests: https\n"
                   "tokens:\n"
                   "  webroot: '/srv/with space/gr\xc3\xbcn'\n"
                   "  accounts:\n"
                   "  - " THUMBPRINT "\n"
                   "  stateless: [" THUMBPRINT "]\n"
                   "control:\n"
                   "  socket: /run/w.sock\n"
                   "  group: www-data\n"
                   "ledger:\n"
                   "  file: /srv/l\n"
                   "  size: 1024\n");
    assert_string_equal(config.path, "w.yaml");
    assert_int_equal(config.redirect.method, CONFIG_METHOD_TPROXY);
    assert_string_equal(config.redirect.sources_file, "/etc/wicket/sources");
    assert_true(config.redirect.pass_admitted);
    assert_true(config.other_requests_given);
    assert_string_equal(config.ledger.file, "/srv/l");
    assert_int_equal(config.ledger.size, 1024);
    assert_true(config.file_exists);
    assert_int_equal(config.responder.port, 18402);
    assert_string_equal(config.responder.user, "_wicket");
    assert_true(config.responder.user_given);
    assert_int_equal(config.responder.undecided, 65536);
    assert_int_equal(config.responder.undecided_per_address, 65536);
    assert_int_equal(config.responder.first_byte_ms, 999);
    assert_int_equal(config.responder.deadline_ms, 1000);
    assert_int_equal(config.redirect.port, 65535);
    assert_int_equal(config.redirect.interface_count, 3);
    assert_string_equal(config.redirect.interfaces[0], "eth0");
    assert_string_equal(config.redirect.interfaces[1], "wlan0.7");
    assert_string_equal(config.redirect.interfaces[2], "br-0");
    assert_int_equal(config.redirect.address_count, 2);
    assert_int_equal(config.redirect.addresses[0].family, AF_INET);
    assert_int_equal(config.redirect.addresses[0].prefix, 32);
    assert_int_equal(config.redirect.addresses[0].address.v4.s_addr, inet_addr("192.0.2.1"));
    assert_int_equal(config.redirect.addresses[1].family, AF_INET6);
    assert_int_equal(config.redirect.addresses[1].prefix, 128);
    assert_int_equal(config.redirect.addresses[1].address.v6.s6_addr[15], 1);
    assert_int_equal(config.redirect.source_count, 3);
    assert_int_equal(config.redirect.sources[0].prefix, 24);
    assert_int_equal(config.redirect.sources[1].family, AF_INET6);
    assert_int_equal(config.redirect.sources[1].prefix, 32);
    assert_int_equal(config.redirect.sources[2].prefix, 32);
    assert_true(config.redirect.local);
    assert_int_equal(config.window.lease_ms, 60000);
    assert_int_equal(config.window.token_lifetime_ms, 86400000);
    assert_int_equal(config.window.limit_ms, 86400000);
    assert_int_equal(config.window.drain_ms, 90000);
    assert_int_equal(config.other_requests, CONFIG_OTHER_HTTPS);
    assert_string_equal(config.tokens.webroot, "/srv/with space/gr\xc3\xbcn");
    assert_int_equal(config.tokens.account_count, 1);
    assert_string_equal(config.tokens.accounts[0], THUMBPRINT);
    assert_int_equal(config.tokens.stateless_count, 1);
    assert_string_equal(config.tokens.stateless[0], THUMBPRINT);
    assert_string_equal(config.control.socket, "/run/w.sock");
    assert_string_equal(config.control.group, "www-data");
    assert_true(config.control.group_given);
    config_deinit(&config);
    config_deinit(&config);
}

/* All of these say nothing, and nothing is the defaults. */
static void test_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "\n\n",
        "# a comment\n",
        "\xef\xbb\xbf# a byte order mark\n",
        "---\n",
        "---\n...\n",
        "{}\n",
        "%YAML 1.1\n---\n{}\n",
        "~\n",
        "responder:\nredirect:\n  # port: 81\nwindow: {}\ntokens: ~\ncontrol: null\n",
        "redirect:\r\n  interfaces: []\r\n",
        "redirect: {interfaces: [], addresses: [], sources: []}\ntokens: {accounts: []}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct config config;
        struct config defaults;
        parse(&config, texts[i]);
        config_init(&defaults);
        memcpy(defaults.path, config.path, sizeof(defaults.path));
        defaults.file_exists = true;
        assert_memory_equal(&config, &defaults, sizeof(config));
        config_deinit(&config);
    }
}

static void test_other_requests(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum config_other_requests value;
    } rows[] = {
        {"other_requests: pass", CONFIG_OTHER_PASS},
        {"other_requests: 'pass'", CONFIG_OTHER_PASS},
        {"other_requests: not-found", CONFIG_OTHER_NOT_FOUND},
        {"other_requests: https", CONFIG_OTHER_HTTPS},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config config;
        parse(&config, rows[i].text);
        assert_int_equal(config.other_requests, rows[i].value);
        config_deinit(&config);
    }
}

/* The ends of every range are inside. */
static void test_ends_of_ranges(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "responder: {port: 1}",
        "responder: {port: 65535}",
        "responder: {undecided: 16, undecided_per_address: 16}",
        "responder: {undecided: 65536, undecided_per_address: 1}",
        "responder: {first_byte: 100ms}",
        "responder: {first_byte: 10s}",
        "responder: {first_byte: 7s, deadline: 7s}",
        "responder: {deadline: 1s}",
        "responder: {deadline: 1m}",
        "redirect: {port: 1}",
        "redirect: {port: 65535}",
        "window: {lease: 1s}",
        "window: {lease: 60000ms}",
        "window: {token_lifetime: 1s, limit: 1s}",
        "window: {token_lifetime: 24h, limit: 1440m}",
        /* Longer than a window may last: it is for what comes after it. */
        "window: {drain: 1s, limit: 1h}",
        "window: {drain: 24h, limit: 10m}",
        /* Ports exchanged: only the end counts, not the way there. */
        "responder: {port: 80}\nredirect: {port: 8402}",
        "redirect: {interfaces: [abcdefghijklmno, a, '...', '@%&']}",
        "redirect: {sources: [0.0.0.0/0, '::/0']}",
        "redirect: {sources: [10.0.0.0/9, 10.128.0.0/9]}",
        "redirect: {addresses: [127.0.0.1, '::1']}",
        "responder: {user: abcdefghijklmnopqrstuvwxyz01234}",
        "responder: {user: 'machine$', undecided: 32}",
        "tokens: {webroot: /.well-known/..a}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct config config;
        parse(&config, texts[i]);
        config_deinit(&config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_admission),      cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_nothing),        cmocka_unit_test(test_other_requests),
        cmocka_unit_test(test_ends_of_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
