// SPDX-License-Identifier: GPL-2.0-or-later
/* Which addresses and ports of this host are tried for a visitor, and in which order. */
#include "keeper/pass_source.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS   UINT64_C(1000000)
#define PORT     40001
#define DISTRUST 10000

#define OTHER_A "192.0.2.10"
#define OTHER_B "192.0.2.11"
#define OTHER_C "192.0.2.12"
#define OTHER_D "192.0.2.13"

static union address address_of(const char *text, uint16_t port)
{
    union address address = {0};

    if (inet_pton(AF_INET, text, &address.v4.sin_addr) == 1) {
        address.any.sa_family = AF_INET;
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &address.v6.sin6_addr), 1);
        address.any.sa_family = AF_INET6;
    }
    address_set_port(&address, port);
    return address;
}

static struct pass_visitor visitor_of(const char *from, const char *to)
{
    return (struct pass_visitor){.from = address_of(from, PORT), .to = address_of(to, 80)};
}

/* With these addresses of this host, whatever it has. */
static void start(struct pass_sources *sources, const char *const *others, size_t count)
{
    pass_sources_init(sources);
    for (size_t i = 0; i < count; i++)
        sources->others[i] = address_of(others[i], 0);
    sources->other_count = count;
    sources->others_until_ms = UINT64_MAX;
}

static void start_usual(struct pass_sources *sources)
{
    static const char *const others[] = {OTHER_A,        "2001:db8::10", OTHER_B,
                                         "2001:db8::11", OTHER_C,        OTHER_D};
    start(sources, others, sizeof(others) / sizeof(others[0]));
}

static void note(struct pass_sources *sources, enum redirect_family family, uint64_t here,
                 uint64_t elsewhere)
{
    struct redirect_counters counters = {0};

    counters.family[family].here = here;
    counters.family[family].elsewhere = elsewhere;
    pass_sources_note(sources, &counters);
}

static const char *text_of(const union address *address, char out[INET6_ADDRSTRLEN])
{
    size_t length;
    const void *bytes = address_bytes(address, &length);

    return inet_ntop(address->any.sa_family, bytes, out, INET6_ADDRSTRLEN);
}

/* What is tried first, with the visitor's own port: these, "loopback" standing for such a one. */
static void assert_first(struct pass_sources *sources, const struct pass_visitor *visitor,
                         uint64_t now_ms, const char *const *expected)
{
    char text[INET6_ADDRSTRLEN];
    union address found;
    size_t count = 0;

    for (unsigned int attempt = 0; attempt < PASS_SOURCE_TRIES; attempt++) {
        if (!pass_sources_find(sources, visitor, attempt, now_ms, &found))
            continue;
        assert_int_equal(found.any.sa_family, visitor->from.any.sa_family);
        if (expected[count] == NULL) {
            /* All of them are tried before another port is. */
            assert_int_not_equal(address_port(&found), PORT);
            return;
        }
        assert_int_equal(address_port(&found), PORT);
        if (strcmp(expected[count], "loopback") == 0)
            assert_true(address_is_loopback(&found));
        else
            assert_string_equal(text_of(&found, text), expected[count]);
        count++;
    }
    assert_null(expected[0]);
}

#define FIRST(sources, visitor, now_ms, ...) \
    assert_first((sources), (visitor), (now_ms), (const char *const[]){__VA_ARGS__, NULL})

static void order_of_addresses(void **state)
{
    struct pass_visitor visitor = visitor_of("198.51.100.7", "192.0.2.1");
    struct pass_visitor visitor6 = visitor_of("2001:db8:1::7", "2001:db8::1");
    struct pass_sources sources;

    (void)state;
    start_usual(&sources);
    /* Nothing is known: loopback addresses come last. */
    FIRST(&sources, &visitor, NOW_MS, "192.0.2.1", OTHER_A, OTHER_B, OTHER_C, "loopback");
    FIRST(&sources, &visitor6, NOW_MS, "2001:db8::1", "2001:db8::10", "2001:db8::11", "::1");

    /* They stay on this host: loopback addresses come first. Each family for itself. */
    note(&sources, REDIRECT_IPV4, 1, 0);
    FIRST(&sources, &visitor, NOW_MS, "loopback", "192.0.2.1", OTHER_A, OTHER_B, OTHER_C);
    FIRST(&sources, &visitor6, NOW_MS, "2001:db8::1", "2001:db8::10", "2001:db8::11", "::1");
    note(&sources, REDIRECT_IPV6, 1, 0);
    FIRST(&sources, &visitor, NOW_MS, "192.0.2.1", OTHER_A, OTHER_B, OTHER_C, "loopback");
    FIRST(&sources, &visitor6, NOW_MS, "::1", "2001:db8::1", "2001:db8::10", "2001:db8::11");

    /* One that goes elsewhere is enough for none of them. */
    note(&sources, REDIRECT_IPV4, 1000, 1);
    FIRST(&sources, &visitor, NOW_MS, "192.0.2.1", OTHER_A, OTHER_B, OTHER_C);
    note(&sources, REDIRECT_IPV6, 0, 1);
    FIRST(&sources, &visitor6, NOW_MS, "2001:db8::1", "2001:db8::10", "2001:db8::11");
}

/* One from a loopback address got no answer: for a while none is tried, of that family. */
static void distrust(void **state)
{
    struct pass_visitor visitor = visitor_of("198.51.100.7", "192.0.2.1");
    struct pass_visitor visitor6 = visitor_of("2001:db8:1::7", "2001:db8::1");
    struct redirect_counters counters = {0};
    struct pass_sources sources;

    (void)state;
    start(&sources, NULL, 0);
    counters.family[REDIRECT_IPV4].here = counters.family[REDIRECT_IPV6].here = 1;
    pass_sources_note(&sources, &counters);
    pass_sources_distrust(&sources, AF_INET, NOW_MS);
    FIRST(&sources, &visitor, NOW_MS, "192.0.2.1");
    FIRST(&sources, &visitor6, NOW_MS, "::1", "2001:db8::1");
    FIRST(&sources, &visitor, NOW_MS + DISTRUST - 1, "192.0.2.1");
    /* What the table has counted does not take it back. */
    pass_sources_note(&sources, &counters);
    FIRST(&sources, &visitor, NOW_MS + DISTRUST - 1, "192.0.2.1");
    FIRST(&sources, &visitor, NOW_MS + DISTRUST, "loopback", "192.0.2.1");
    pass_sources_distrust(&sources, AF_INET6, NOW_MS);
    FIRST(&sources, &visitor6, NOW_MS, "2001:db8::1");
    FIRST(&sources, &visitor, NOW_MS + DISTRUST, "loopback", "192.0.2.1");
}

/* What has the visitor's own address leaves as it is, mapped or not. */
static void never_the_visitors_own(void **state)
{
    struct pass_visitor own = visitor_of("192.0.2.1", "192.0.2.1");
    struct pass_visitor other = visitor_of(OTHER_B, "192.0.2.1");
    struct pass_visitor own6 = visitor_of("::1", "2001:db8::1");
    struct pass_sources sources;
    union address loopback;

    (void)state;
    start_usual(&sources);
    FIRST(&sources, &own, NOW_MS, OTHER_A, OTHER_B, OTHER_C, "loopback");
    FIRST(&sources, &other, NOW_MS, "192.0.2.1", OTHER_A, OTHER_C, "loopback");
    FIRST(&sources, &own6, NOW_MS, "2001:db8::1", "2001:db8::10", "2001:db8::11");
    start(&sources, NULL, 0);
    FIRST(&sources, &own, NOW_MS, "loopback");
    note(&sources, REDIRECT_IPV6, 1, 0);
    FIRST(&sources, &own6, NOW_MS, "2001:db8::1");

    /* Whoever has a loopback address: none of these visitors is spoken for from its own. */
    struct pass_visitor visitor = visitor_of("127.0.0.1", "192.0.2.1");
    note(&sources, REDIRECT_IPV4, 1, 0);
    for (uint32_t bits = 1; bits < 0x400000; bits += 2) {
        visitor.from.v4.sin_addr.s_addr = htonl(0x7f800000 | bits);
        if (pass_sources_find(&sources, &visitor, 0, NOW_MS, &loopback))
            assert_int_not_equal(loopback.v4.sin_addr.s_addr, visitor.from.v4.sin_addr.s_addr);
    }
}

/* With tproxy the visitor's port is taken: another, of those that systems leave alone, and then of
 * all. */
static void never_a_taken_port(void **state)
{
    struct pass_visitor visitor = visitor_of("198.51.100.7", "192.0.2.1");
    struct pass_sources sources;
    unsigned int quiet = 0, others = 0;

    (void)state;
    start_usual(&sources);
    visitor.port_is_taken = true;
    for (unsigned int visit = 0; visit < 70000; visit++)
        for (unsigned int attempt = 0; attempt < PASS_SOURCE_TRIES; attempt += 13) {
            union address found;

            address_set_port(&visitor.from, (uint16_t)(visit % 64512 + 1024));
            if (!pass_sources_find(&sources, &visitor, attempt, NOW_MS, &found))
                continue;
            uint16_t port = address_port(&found);
            assert_int_not_equal(port, address_port(&visitor.from));
            assert_true(port >= 1024);
            if (attempt == 0)
                assert_in_range(port, 10240, 32767);
            *(port >= 10240 && port < 32768 ? &quiet : &others) += 1;
        }
    assert_true(quiet > 0 && others > 0);
}

/* What is of one link is reached from its own address only. */
static void of_one_link(void **state)
{
    struct pass_visitor visitor = visitor_of("fe80::7", "fe80::1");
    struct pass_sources sources;

    (void)state;
    start_usual(&sources);
    FIRST(&sources, &visitor, NOW_MS, "fe80::1");
    note(&sources, REDIRECT_IPV6, 1, 0);
    FIRST(&sources, &visitor, NOW_MS, "fe80::1");
}

/* Nowhere to go from: production is at the visitor's own address, and all else leads elsewhere. */
static void none_at_all(void **state)
{
    struct pass_visitor visitor = visitor_of("192.0.2.1", "192.0.2.1");
    struct pass_sources sources;
    union address found;

    (void)state;
    start(&sources, NULL, 0);
    note(&sources, REDIRECT_IPV4, 0, 1);
    for (unsigned int attempt = 0; attempt < PASS_SOURCE_TRIES; attempt++)
        assert_false(pass_sources_find(&sources, &visitor, attempt, NOW_MS, &found));
}

static void loopback_addresses(void **state)
{
    struct pass_sources sources;
    uint32_t seen[256];

    (void)state;
    start(&sources, NULL, 0);
    note(&sources, REDIRECT_IPV4, 1, 0);
    for (uint32_t i = 0; i < 256; i++) {
        struct pass_visitor visitor = visitor_of("198.51.100.0", "192.0.2.1");
        union address found, again;

        visitor.from.v4.sin_addr.s_addr = htonl(0xc6336400 | i);
        assert_true(pass_sources_find(&sources, &visitor, 0, NOW_MS, &found));
        uint32_t address = ntohl(found.v4.sin_addr.s_addr);
        /* Within 127.128.0.0/10, and no network's own. */
        assert_int_equal(address & 0xffc00000, 0x7f800000);
        assert_int_not_equal(address & 0xff, 0);
        assert_true(address_is_loopback(&found));
        /* The same for another port of the same visitor. */
        address_set_port(&visitor.from, 12345);
        assert_true(pass_sources_find(&sources, &visitor, 0, NOW_MS, &again));
        assert_int_equal(again.v4.sin_addr.s_addr, found.v4.sin_addr.s_addr);
        assert_int_equal(address_port(&again), 12345);
        for (uint32_t j = 0; j < i; j++)
            assert_int_not_equal(seen[j], address);
        seen[i] = address;
    }
    const struct {
        const char *address;
        bool loopback;
    } others[] = {{"127.0.0.1", true},
                  {"127.255.255.254", true},
                  {"128.0.0.1", false},
                  {"126.0.0.1", false},
                  {"::1", true},
                  {"::2", false},
                  {"::ffff:127.0.0.1", false}};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        union address address = address_of(others[i].address, 1);
        assert_int_equal(address_is_loopback(&address), others[i].loopback);
    }
}

/* After the visitor's own port the usual ones, each another, and then all others. */
static void ports(void **state)
{
    struct pass_visitor visitor = visitor_of("198.51.100.7", "192.0.2.1");
    struct pass_sources sources;
    union address found;
    unsigned int own = 0, usual = 0, wide = 0;
    uint16_t wanted = 2000;

    (void)state;
    start_usual(&sources);
    sources.usual = (struct pass_ports){2000, 2009, 2000};
    sources.wide = (struct pass_ports){5000, 5999, 5998};
    uint16_t wide_wanted = 5998;
    for (unsigned int attempt = 0; attempt < PASS_SOURCE_TRIES; attempt++) {
        if (!pass_sources_find(&sources, &visitor, attempt, NOW_MS, &found))
            continue;
        uint16_t port = address_port(&found);
        if (port == PORT) {
            assert_int_equal(usual + wide, 0);
            own++;
        } else if (port < 5000) {
            assert_int_equal(wide, 0);
            assert_int_equal(port, wanted);
            wanted = wanted == 2009 ? 2000 : (uint16_t)(wanted + 1);
            usual++;
        } else {
            assert_int_equal(port, wide_wanted);
            wide_wanted = wide_wanted == 5999 ? 5000 : (uint16_t)(wide_wanted + 1);
            wide++;
        }
    }
    assert_int_equal(own, 5);
    assert_true(usual >= own && wide >= own);
    /* The next visitor goes on from there. */
    for (unsigned int attempt = 6;; attempt++) {
        if (pass_sources_find(&sources, &visitor, attempt, NOW_MS, &found))
            break;
    }
    assert_int_equal(address_port(&found), wanted);
}

/* As this host is: never privileged ports, never a loopback address among the others. */
static void this_host(void **state)
{
    struct pass_sources sources;
    struct pass_visitor visitors[] = {visitor_of("198.51.100.7", "192.0.2.1"),
                                      visitor_of("2001:db8:1::7", "2001:db8::1")};

    (void)state;
    pass_sources_init(&sources);
    assert_true(sources.usual.low >= 1024 && sources.usual.low < sources.usual.high);
    assert_true(sources.wide.low >= 1024 && sources.wide.low < sources.wide.high);
    for (size_t i = 0; i < REDIRECT_FAMILIES; i++) {
        for (unsigned int attempt = 0; attempt < PASS_SOURCE_TRIES; attempt++) {
            union address found;
            if (!pass_sources_find(&sources, &visitors[i], attempt, NOW_MS, &found))
                continue;
            assert_int_equal(found.any.sa_family, visitors[i].from.any.sa_family);
            assert_true(address_port(&found) >= 1024);
        }
    }
    assert_true(sources.other_count <= PASS_SOURCE_ADDRESSES);
    for (size_t i = 0; i < sources.other_count; i++)
        assert_false(address_is_loopback(&sources.others[i]));
    /* Looked up now and then, not each time. */
    assert_true(sources.others_until_ms > NOW_MS && sources.others_until_ms <= NOW_MS + 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_of_addresses),
        cmocka_unit_test(distrust),
        cmocka_unit_test(never_the_visitors_own),
        cmocka_unit_test(never_a_taken_port),
        cmocka_unit_test(of_one_link),
        cmocka_unit_test(none_at_all),
        cmocka_unit_test(loopback_addresses),
        cmocka_unit_test(ports),
        cmocka_unit_test(this_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
