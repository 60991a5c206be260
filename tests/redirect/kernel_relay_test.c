// SPDX-License-Identifier: GPL-2.0-or-later
/* The pass in a real kernel, with real TCP: production sees the visitor's address and port, and
 * never an address of this host in its place. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"
#include "sample.h"
#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* An upstream connection: from an address of this host to one, for a visitor. */
struct way {
    const char *source, *to, *visitor;
};

static const struct way ways[] = {
    {"127.5.6.7", "10.77.1.1", "10.77.1.2"}, {"10.77.1.1", "10.77.1.1", "10.77.1.2"},
    {"10.77.1.3", "10.77.1.1", "10.77.1.2"}, {"::1", "fd77:1::1", "fd77:1::2"},
    {"fd77:1::1", "fd77:1::1", "fd77:1::2"},
};

static void must(int outcome, const struct error *error)
{
    if (outcome < 0)
        fail_msg("%d: %s", error->exit_code, error->text);
}

static struct redirect *install(const struct config *config, bool without_owner)
{
    struct redirect *redirect = NULL;
    struct error error;

    must(redirect_create(&redirect, config, without_owner, &error), &error);
    must(redirect_install(redirect, &error), &error);
    return redirect;
}

static enum redirect_family family_of(const struct way *way)
{
    return strchr(way->to, ':') ? REDIRECT_IPV6 : REDIRECT_IPV4;
}

static struct redirect_count count(struct redirect *redirect, const struct way *way)
{
    struct redirect_counters counters;
    struct error error;

    must(redirect_read_counters(redirect, &counters, &error), &error);
    return counters.family[family_of(way)];
}

static struct redirect_relay relay_for(const struct way *way, uint16_t port)
{
    int family = family_of(way) == REDIRECT_IPV6 ? AF_INET6 : AF_INET;
    struct redirect_relay relay = {.family = family, .port = port};

    assert_int_equal(inet_pton(family, way->source, relay.source), 1);
    assert_int_equal(inet_pton(family, way->visitor, relay.visitor), 1);
    return relay;
}

static void add(struct redirect *redirect, const struct redirect_relay *relay)
{
    struct error error;

    must(redirect_relay(redirect, relay, 1, NULL, 0, &error), &error);
}

static void take_away(struct redirect *redirect, const struct redirect_relay *relay)
{
    struct error error;

    must(redirect_relay(redirect, NULL, 0, relay, 1, &error), &error);
}

/* A socket of this host's, bound and on its way to port 80. */
static int set_out(const struct lab *lab, const struct way *way, uint16_t port)
{
    struct sockaddr_storage own, to;
    socklen_t length = lab_parse(&own, way->source, port);
    int on = 1;

    lab_parse(&to, way->to, LAB_PRODUCTION);
    int fd = lab_socket(lab, LAB_HOST, own.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&own, length), 0);
    if (connect(fd, (const struct sockaddr *)&to, length) < 0)
        assert_int_equal(errno, EINPROGRESS);
    return fd;
}

/* Whom the server sees: the visitor's address, and his port. */
static void assert_peer(int server, const struct way *way, uint16_t port)
{
    struct sockaddr_in6 peer;
    socklen_t length = sizeof(peer);
    char text[INET6_ADDRSTRLEN], expected[INET6_ADDRSTRLEN];

    assert_int_equal(getpeername(server, (struct sockaddr *)&peer, &length), 0);
    inet_ntop(AF_INET6, &peer.sin6_addr, text, sizeof(text));
    snprintf(expected, sizeof(expected), "%s%s", family_of(way) == REDIRECT_IPV4 ? "::ffff:" : "",
             way->visitor);
    assert_string_equal(text, expected);
    assert_int_equal(ntohs(peer.sin6_port), port);
}

static void assert_talks(int a, int b)
{
    assert_true(lab_passes_byte(a, b));
    assert_true(lab_passes_byte(b, a));
}

/* Passes one visitor to `listener`, who sees him. Returns with the relay taken away and both ends
 * open. */
static void pass(const struct lab *lab, struct redirect *redirect, const struct way *way,
                 uint16_t port, int listener, int ends[2])
{
    struct redirect_relay relay = relay_for(way, port);

    add(redirect, &relay);
    ends[0] = set_out(lab, way, port);
    ends[1] = lab_accept(listener);
    assert_peer(ends[1], way, port);
    assert_talks(ends[0], ends[1]);
    take_away(redirect, &relay);
    assert_talks(ends[0], ends[1]);
}

static void test_production_sees_the_visitor(void **state)
{
    const struct lab *lab = *state;
    struct config config;
    uint64_t here[REDIRECT_FAMILIES] = {0};

    sample_defaults(&config);
    struct redirect *redirect = install(&config, false);
    for (size_t i = 0; i < COUNT(ways); i++) {
        int ends[2];

        pass(lab, redirect, &ways[i], (uint16_t)(40000 + i), lab->production, ends);
        lab_close(ends[0]);
        lab_close(ends[1]);
        struct redirect_count now = count(redirect, &ways[i]);
        assert_int_equal(now.here, ++here[family_of(&ways[i])]);
        assert_int_equal(now.elsewhere + now.closed, 0);
    }
    redirect_destroy(redirect);
}

/* Two visitors may have the same port: the upstream sockets differ in their addresses. */
static void test_same_port_of_two_visitors(void **state)
{
    static const struct way pair[] = {{"127.5.6.7", "10.77.1.1", "10.77.1.2"},
                                      {"127.5.6.8", "10.77.1.1", "10.77.1.4"}};
    const struct lab *lab = *state;
    struct config config;
    int ends[2][2];

    sample_defaults(&config);
    struct redirect *redirect = install(&config, false);
    for (size_t i = 0; i < 2; i++)
        pass(lab, redirect, &pair[i], 40000, lab->production, ends[i]);
    for (size_t i = 0; i < 2; i++) {
        assert_talks(ends[i][0], ends[i][1]);
        lab_close(ends[i][0]);
        lab_close(ends[i][1]);
    }
    redirect_destroy(redirect);
}

/* Sets out, and waits until the first packet was dropped; production was never asked. */
static void assert_closed(const struct lab *lab, struct redirect *redirect, const struct way *way,
                          uint16_t port)
{
    uint64_t before = count(redirect, way).closed;
    int64_t begin_ns = lab_now_ns();
    int fd = set_out(lab, way, port);
    struct pollfd items[] = {{.fd = fd, .events = POLLOUT},
                             {.fd = lab->production, .events = POLLIN}};

    while (count(redirect, way).closed == before)
        assert_true(lab_now_ns() - begin_ns < 2000000000);
    assert_int_equal(poll(items, COUNT(items), 0), 0);
    lab_close(fd);
}

static void test_unmapped_is_closed(void **state)
{
    const struct lab *lab = *state;
    struct config config;
    struct error error;

    sample_defaults(&config);
    struct redirect *redirect = install(&config, true); /* the map is somebody else's to change */
    for (size_t i = 0; i < COUNT(ways); i++) {
        uint16_t port = (uint16_t)(40000 + i);
        struct redirect_relay relay = relay_for(&ways[i], port);
        char command[128];

        add(redirect, &relay);
        snprintf(command, sizeof(command), "nft 'delete element inet wicket relay%c { %s . %u }'",
                 relay.family == AF_INET ? '4' : '6', ways[i].source, (unsigned)port);
        assert_true(lab_shell(command));
        assert_closed(lab, redirect, &ways[i], port);
    }
    must(redirect_remove(redirect, &error), &error);
    redirect_destroy(redirect);
}

/* What conntrack does not see is not given another address either. */
static void test_untracked_is_closed(void **state)
{
    const struct lab *lab = *state;
    struct config config;

    sample_defaults(&config);
    struct redirect *redirect = install(&config, false);
    assert_true(lab_shell("nft 'table inet rawish { chain early { type filter hook output priority "
                          "raw; oif lo notrack; }; }'"));
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct redirect_relay relay = relay_for(&ways[i], (uint16_t)(40000 + i));

        add(redirect, &relay);
        assert_closed(lab, redirect, &ways[i], relay.port);
        take_away(redirect, &relay);
        assert_int_equal(count(redirect, &ways[i]).here, 0);
    }
    redirect_destroy(redirect);
}

/* This host's other connections are none of the pass's business. */
static void test_others_are_untouched(void **state)
{
    const struct lab *lab = *state;
    struct config config;

    sample_defaults(&config);
    struct redirect *redirect = install(&config, false);
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct redirect_relay relay = relay_for(&ways[i], (uint16_t)(40000 + i));
        struct way same = {ways[i].source, ways[i].to, ways[i].source};

        add(redirect, &relay);
        int client = set_out(lab, &same, (uint16_t)(relay.port + 1000));
        int server = lab_accept(lab->production);
        assert_peer(server, &same, (uint16_t)(relay.port + 1000));
        assert_talks(client, server);
        lab_close(client);
        lab_close(server);
        struct redirect_count now = count(redirect, &ways[i]);
        assert_int_equal(now.here + now.elsewhere + now.closed, 0);
    }
    redirect_destroy(redirect);
}

/* Production in a container: somebody's DNAT sends port 80 inside, and masquerades. */
static void test_production_elsewhere(void **state)
{
    const struct lab *lab = *state;
    struct config config;

    sample_defaults(&config);
    struct redirect *redirect = install(&config, false);
    assert_true(lab_shell(
        "nft 'table inet rival { chain out { type nat hook output priority -100; "
        "ip daddr 10.77.1.1 tcp dport 80 dnat ip to 10.77.2.2; "
        "ip6 daddr fd77:1::1 tcp dport 80 dnat ip6 to fd77:2::2; }; "
        "chain post { type nat hook postrouting priority 100; oifname in masquerade; }; }'"));
    for (size_t i = 0; i < COUNT(ways); i++) {
        const struct way *way = &ways[i];
        uint64_t before = count(redirect, way).elsewhere;
        int ends[2];

        if (strcmp(way->source, "::1") == 0 || strncmp(way->source, "127.", 4) == 0)
            continue; /* nothing leaves this host from there */
        pass(lab, redirect, way, (uint16_t)(40000 + i), lab->inside, ends);
        lab_close(ends[0]);
        lab_close(ends[1]);
        struct redirect_count now = count(redirect, way);
        assert_int_equal(now.elsewhere, before + 1);
        assert_int_equal(now.here + now.closed, 0);
    }
    redirect_destroy(redirect);
}

/* Neither as connections of this host nor because their port is a self-check's too. */
static void test_never_back_to_the_responder(void **state)
{
    const struct lab *lab = *state;
    struct config config;
    struct error error;

    for (int local = 0; local < 2; local++) {
        sample_defaults(&config);
        config.window.lease_ms = 60000;
        config.redirect.local = local;
        struct redirect *redirect = install(&config, false);
        must(redirect_arm(redirect, &error), &error);
        for (size_t i = 0; i < COUNT(ways); i++) {
            uint16_t port = (uint16_t)(40000 + i);
            int ends[2];

            must(redirect_probe(redirect, port, 60000, &error), &error);
            pass(lab, redirect, &ways[i], port, lab->production, ends);
            lab_close(ends[0]);
            lab_close(ends[1]);
            /* Once it is no upstream socket's any more, the port is as redirected as it was. */
            ends[0] = set_out(lab, &ways[i], port);
            ends[1] = lab_accept(lab->responder);
            lab_close(ends[0]);
            lab_close(ends[1]);
        }
        redirect_destroy(redirect);
    }
}

/* Whether conntrack knows a connection from this port. */
static bool is_tracked(uint16_t port)
{
    char command[64];

    snprintf(command, sizeof(command), "grep -q ' sport=%u ' /proc/net/nf_conntrack",
             (unsigned)port);
    return lab_shell(command);
}

enum ending { ENDING_VISITOR, ENDING_PRODUCTION, ENDING_RESET, ENDINGS };

static void end(int ends[2], enum ending ending)
{
    int first = ending == ENDING_PRODUCTION;
    struct pollfd item = {.fd = ends[!first], .events = POLLIN};

    if (ending == ENDING_RESET)
        lab_close(ends[first]);
    else
        close(ends[first]);
    assert_int_equal(poll(&item, 1, 2000), 1);
    close(ends[!first]);
}

static void test_soon_forgotten(void **state)
{
    const struct lab *lab = *state;
    struct config config;
    int ends[COUNT(ways)][2];

    sample_defaults(&config);
    struct redirect *redirect = install(&config, false);
    for (enum ending ending = 0; ending < ENDINGS; ending++) {
        for (size_t i = 0; i < COUNT(ways); i++) {
            pass(lab, redirect, &ways[i], (uint16_t)(40000 + i), lab->production, ends[i]);
            assert_true(is_tracked((uint16_t)(40000 + i)));
        }
        for (size_t i = 0; i < COUNT(ways); i++)
            end(ends[i], ending);
        int64_t ended_ns = lab_now_ns();
        for (size_t i = 0; i < COUNT(ways); i++)
            while (is_tracked((uint16_t)(40000 + i))) {
                assert_true(lab_now_ns() - ended_ns < 2500000000);
                poll(NULL, 0, 20);
            }
        /* The next round uses the same ports for the same visitors. */
    }
    redirect_destroy(redirect);
}

/* Whoever is on the way when the table is replaced gets there, and who has got there stays. */
static void test_relays_outlive_the_table(void **state)
{
    const struct lab *lab = *state;
    struct redirect_relay relays[COUNT(ways)];
    struct config config, fresh;
    struct error error;
    int before[COUNT(ways)][2];

    sample_defaults(&config);
    sample_defaults(&fresh);
    fresh.redirect.local = true;
    struct redirect *redirect = install(&config, false);
    for (size_t i = 0; i < COUNT(ways); i++) {
        pass(lab, redirect, &ways[i], (uint16_t)(41000 + i), lab->production, before[i]);
        relays[i] = relay_for(&ways[i], (uint16_t)(40000 + i));
        add(redirect, &relays[i]);
    }
    must(redirect_replace(redirect, &fresh, 60000, relays, COUNT(ways), &error), &error);
    config = fresh;
    for (size_t i = 0; i < COUNT(ways); i++) {
        int client = set_out(lab, &ways[i], relays[i].port);
        int server = lab_accept(lab->production);

        assert_peer(server, &ways[i], relays[i].port);
        assert_talks(client, server);
        take_away(redirect, &relays[i]);
        lab_close(client);
        lab_close(server);
        assert_talks(before[i][0], before[i][1]);
        lab_close(before[i][0]);
        lab_close(before[i][1]);
    }
    redirect_destroy(redirect);
}

/* Without the pass the table has no place for relays, and the ones under way are left out. */
static void test_relays_end_with_the_pass(void **state)
{
    const struct lab *lab = *state;
    struct redirect_relay relay = relay_for(&ways[0], 40000);
    struct config config, fresh;
    struct error error;
    int ends[2];

    sample_defaults(&config);
    sample_defaults(&fresh);
    fresh.other_requests = CONFIG_OTHER_NOT_FOUND;
    struct redirect *redirect = install(&config, false);
    pass(lab, redirect, &ways[0], 41000, lab->production, ends);
    add(redirect, &relay);
    must(redirect_replace(redirect, &fresh, 0, &relay, 1, &error), &error);
    config = fresh;
    assert_false(lab_shell("nft list table inet wicket | grep -q passing"));
    assert_talks(ends[0], ends[1]);
    lab_close(ends[0]);
    lab_close(ends[1]);
    assert_int_equal(count(redirect, &ways[0]).here, 0);
    redirect_destroy(redirect);
}

#define LAB_TEST(test) cmocka_unit_test_setup_teardown(test, lab_setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_production_sees_the_visitor), LAB_TEST(test_same_port_of_two_visitors),
        LAB_TEST(test_unmapped_is_closed),          LAB_TEST(test_untracked_is_closed),
        LAB_TEST(test_others_are_untouched),        LAB_TEST(test_production_elsewhere),
        LAB_TEST(test_never_back_to_the_responder), LAB_TEST(test_soon_forgotten),
        LAB_TEST(test_relays_outlive_the_table),    LAB_TEST(test_relays_end_with_the_pass),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
