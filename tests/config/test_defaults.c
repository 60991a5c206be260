// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "build.h"
#include "config/schema.h"
#include "wicket/config.h"

static void test_defaults(void **state)
{
    (void)state;
    struct config config;
    memset(&config, 0xff, sizeof(config));
    config_init(&config);
    assert_string_equal(config.path, "");
    assert_false(config.file_exists);
    assert_int_equal(config.responder.port, 8402);
    assert_string_equal(config.responder.user, "wicket");
    assert_false(config.responder.user_given);
    assert_int_equal(config.responder.undecided, 1024);
    assert_int_equal(config.responder.undecided_per_address, 32);
    assert_int_equal(config.responder.first_byte_ms, 1000);
    assert_int_equal(config.responder.deadline_ms, 10000);
    assert_int_equal(config.redirect.port, 80);
    assert_null(config.redirect.interfaces);
    assert_int_equal(config.redirect.interface_count, 0);
    assert_null(config.redirect.addresses);
    assert_int_equal(config.redirect.address_count, 0);
    assert_null(config.redirect.sources);
    assert_int_equal(config.redirect.source_count, 0);
    assert_int_equal(config.redirect.method, CONFIG_METHOD_REDIRECT);
    assert_string_equal(config.redirect.sources_file, "");
    assert_false(config.redirect.local);
    assert_null(config.redirect.admit);
    assert_int_equal(config.redirect.admit_count, 0);
    assert_false(config.redirect.pass_admitted);
    assert_int_equal(config.window.lease_ms, 5000);
    assert_int_equal(config.window.token_lifetime_ms, 600000);
    assert_int_equal(config.window.limit_ms, 3600000);
    assert_int_equal(config.window.drain_ms, 300000);
    assert_int_equal(config.other_requests, CONFIG_OTHER_PASS);
    assert_false(config.other_requests_given);
    assert_string_equal(config.tokens.webroot, "/var/lib/wicket/webroot");
    assert_null(config.tokens.accounts);
    assert_int_equal(config.tokens.account_count, 0);
    assert_null(config.tokens.stateless);
    assert_int_equal(config.tokens.stateless_count, 0);
    assert_string_equal(config.control.socket, WICKET_RUNTIME_DIR "/control.sock");
    assert_string_equal(config.control.group, "wicket");
    assert_false(config.control.group_given);
    assert_string_equal(config.ledger.file, "/var/lib/wicket/ledger.jsonl");
    assert_int_equal(config.ledger.size, 8);
    config_deinit(&config);
    config_deinit(&config);
}

static void test_every_key_has_a_place_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < SCHEMA_KEY_COUNT; i++) {
        const struct schema_key *key = &schema_keys[i];
        const char *dot = strchr(key->name, '.');
        const char *leaf = dot ? dot + 1 : key->name;
        char section[32] = "";
        if (dot)
            memcpy(section, key->name, (size_t)(dot - key->name));
        assert_int_equal(schema_find(dot ? section : NULL, leaf, strlen(leaf)), i);
        assert_int_not_equal(key->size, 0);
        assert_true(schema_is_list(key) == (key->count_offset != 0));
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(schema_keys[j].name, key->name);
            assert_int_not_equal(schema_keys[j].offset, key->offset);
        }
        char text[SCHEMA_TEXT];
        assert_in_range(strlen(schema_describe(text, sizeof(text), key)), 1, SCHEMA_TEXT - 2);
    }
    assert_int_equal(schema_find(NULL, "port", 4), -1);
    assert_int_equal(schema_find("responder", "por", 3), -1);
    assert_int_equal(schema_find("responde", "port", 4), -1);
    assert_int_equal(schema_find_section("other_requests", 14), -1);
    assert_int_equal(schema_find_section("", 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_every_key_has_a_place_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
