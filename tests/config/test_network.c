// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "config/network.h"

static void test_format_is_canonical(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int family;
        uint8_t prefix;
        const char *formatted;
    } rows[] = {
        {"192.0.2.1", AF_INET, 32, "192.0.2.1"},
        {"192.0.2.1/32", AF_INET, 32, "192.0.2.1"},
        {"0.0.0.0/0", AF_INET, 0, "0.0.0.0/0"},
        {"10.0.0.0/8", AF_INET, 8, "10.0.0.0/8"},
        {"192.0.2.128/25", AF_INET, 25, "192.0.2.128/25"},
        {"::/0", AF_INET6, 0, "::/0"},
        {"2001:DB8:0:0::1", AF_INET6, 128, "2001:db8::1"},
        {"2001:db8::/33", AF_INET6, 33, "2001:db8::/33"},
        {"::1/128", AF_INET6, 128, "::1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config_network network;
        char out[NETWORK_TEXT];
        assert_int_equal(network_parse(&network, rows[i].text, NULL), 0);
        assert_int_equal(network.family, rows[i].family);
        assert_int_equal(network.prefix, rows[i].prefix);
        assert_string_equal(network_format(out, sizeof(out), &network), rows[i].formatted);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *text, *reason;
    } rows[] = {
        {"", "\"\" is no IPv4 or IPv6 address or network"},
        {"/8", "\"/8\" is no IPv4 or IPv6 address or network"},
        {"10.0.0/8", "\"10.0.0/8\" is no IPv4 or IPv6 address or network"},
        {"010.0.0.1", "\"010.0.0.1\" is no IPv4 or IPv6 address or network"},
        {"fe80::1%eth0", "\"fe80::1%eth0\" is no IPv4 or IPv6 address or network"},
        {"example.org", "\"example.org\" is no IPv4 or IPv6 address or network"},
        {"10.0.0.0/", "\"10.0.0.0/\": the prefix must be a number from 0 to 32"},
        {"10.0.0.0/33", "\"10.0.0.0/33\": the prefix must be a number from 0 to 32"},
        {"10.0.0.0/08", "\"10.0.0.0/08\": the prefix must be a number from 0 to 32"},
        {"10.0.0.0/-1", "\"10.0.0.0/-1\": the prefix must be a number from 0 to 32"},
        {"10.0.0.0/8/8", "\"10.0.0.0/8/8\": the prefix must be a number from 0 to 32"},
        {"10.0.0.0/255.0.0.0", "\"10.0.0.0/255.0.0.0\": the prefix must be a number from 0 to 32"},
        {"::/129", "\"::/129\": the prefix must be a number from 0 to 128"},
        {"::/0128", "\"::/0128\": the prefix must be a number from 0 to 128"},
        {"10.0.0.1/8",
         "\"10.0.0.1/8\" is not a network, since bits behind the prefix are set: 10.0.0.0/8 is"},
        {"192.0.2.255/31", "\"192.0.2.255/31\" is not a network, since bits behind the prefix are "
                           "set: 192.0.2.254/31 is"},
        {"2001:db8::1/64", "\"2001:db8::1/64\" is not a network, since bits behind the prefix are "
                           "set: 2001:db8::/64 is"},
        {"0.0.0.1/0",
         "\"0.0.0.1/0\" is not a network, since bits behind the prefix are set: 0.0.0.0/0 is"},
        {"::ffff:192.0.2.1",
         "\"::ffff:192.0.2.1\" is an IPv4 address in IPv6 form: write it as IPv4"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config_network network;
        struct error error = {0};
        assert_int_equal(network_parse(&network, rows[i].text, &error), -1);
        assert_string_equal(error.text, rows[i].reason);
    }
}

static void test_contains(void **state)
{
    (void)state;
    static const struct {
        const char *outer, *inner;
        bool contains;
    } rows[] = {
        {"10.0.0.0/8", "10.0.0.0/8", true},
        {"10.0.0.0/8", "10.255.255.255", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.1.0.0/16", "10.0.0.0/8", false},
        {"0.0.0.0/0", "192.0.2.1", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "2001:db8::1", true},
        {"2001:db8::/32", "2001:db8:ffff::/48", true},
        {"2001:db8::/33", "2001:db8:8000::/33", false},
        {"192.0.2.1", "192.0.2.2", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config_network outer;
        struct config_network inner;
        assert_int_equal(network_parse(&outer, rows[i].outer, NULL), 0);
        assert_int_equal(network_parse(&inner, rows[i].inner, NULL), 0);
        assert_int_equal(network_contains(&outer, &inner), rows[i].contains);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format_is_canonical),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_contains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
