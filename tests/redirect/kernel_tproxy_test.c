// SPDX-License-Identifier: GPL-2.0-or-later
/* What is tproxy's own: nothing is rewritten, nothing is tracked, and handshakes end where they
 * began. That it redirects whom redirect does is in the other kernel tests. */
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"
#include "redirect/ruleset.h"
#include "sample.h"
#include "spoof.h"
#include "unit.h"

static const char *const outer[] = {"10.77.1.1", "fd77:1::1"}; /* the host's, as seen outside */
static const char *const own[] = {"127.0.0.1", "::1", "10.77.1.1", "fd77:1::1"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void must(int outcome, const struct error *error)
{
    if (outcome < 0)
        fail_msg("%d: %s", error->exit_code, error->text);
}

static struct redirect *install_armed(struct config *config, enum config_other_requests other)
{
    struct redirect *redirect = NULL;
    struct error error;

    sample_defaults(config);
    config->window.lease_ms = 60000;
    config->other_requests = other;
    must(redirect_create(&redirect, config, false, &error), &error);
    must(redirect_install(redirect, &error), &error);
    must(redirect_arm(redirect, &error), &error);
    return redirect;
}

static struct redirect_count count(struct redirect *redirect)
{
    struct redirect_counters counters;
    struct error error;

    must(redirect_read_counters(redirect, &counters, &error), &error);
    struct redirect_count sum = redirect_count_sum(&counters);
    must(redirect_read_connections(redirect, &counters, &error), &error);
    struct redirect_count again = redirect_count_sum(&counters);
    assert_true(again.redirected >= sum.redirected && again.arrived >= sum.arrived);
    return sum;
}

static long read_figure(const char *command)
{
    char *text = lab_output(command);
    long figure = strtol(text, NULL, 10);

    free(text);
    return figure;
}

static void test_nothing_is_rewritten(void **state)
{
    const struct lab *lab = *state;
    struct config config;
    struct redirect *redirect = install_armed(&config, CONFIG_OTHER_PASS);

    for (size_t i = 0; i < COUNT(outer); i++) {
        struct sockaddr_storage address, expected;
        struct sockaddr_in6 mapped = {0}, here = {0};
        socklen_t length = sizeof(address);
        int client = lab_connect(lab, LAB_OUTSIDE, outer[i], LAB_PRODUCTION, 0);
        int server = lab_accept(lab->responder);

        assert_int_equal(getsockname(server, (struct sockaddr *)&address, &length), 0);
        memcpy(&here, &address, sizeof(here));
        assert_int_equal(ntohs(here.sin6_port), LAB_PRODUCTION);
        lab_parse(&expected, i == 0 ? "::ffff:10.77.1.1" : outer[i], LAB_PRODUCTION);
        memcpy(&mapped, &expected, sizeof(mapped));
        assert_memory_equal(&here.sin6_addr, &mapped.sin6_addr, sizeof(here.sin6_addr));
        lab_close(client);
        lab_close(server);
    }
    redirect_destroy(redirect);
}

/* Without the pass connection tracking does not wake; with it, it does. */
static void test_conntrack_sleeps(void **state)
{
    static const char *const tracked = "cat /proc/sys/net/netfilter/nf_conntrack_count";
    const struct lab *lab = *state;

    for (int passes = 0; passes < 2; passes++) {
        struct config config;
        struct redirect *redirect =
            install_armed(&config, passes ? CONFIG_OTHER_PASS : CONFIG_OTHER_NOT_FOUND);

        for (size_t i = 0; i < 10; i++)
            assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, outer[i % 2], 0), LAB_RESPONDER);
        if (passes)
            assert_true(read_figure(tracked) > 0);
        else
            assert_int_equal(read_figure(tracked), 0);
        redirect_destroy(redirect);
    }
}

/* Who cannot be handed to anybody is production's, and does not count. */
static void test_without_a_listener(void **state)
{
    struct lab *lab = *state;
    struct config config;
    struct redirect *redirect = install_armed(&config, CONFIG_OTHER_PASS);

    close(lab->responder);
    lab->responder = -1;
    for (size_t i = 0; i < COUNT(outer); i++)
        assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, outer[i], 0), LAB_PRODUCTION);
    assert_int_equal(count(redirect).redirected, 0);
    assert_int_equal(count(redirect).missing, 0);
    redirect_destroy(redirect);
}

/* Nor to one that is not transparent. */
static void test_an_ordinary_listener(void **state)
{
    const struct lab *lab = *state;
    struct config config;
    struct redirect *redirect = install_armed(&config, CONFIG_OTHER_PASS);
    int off = 0;

    assert_int_equal(setsockopt(lab->responder, IPPROTO_IPV6, IPV6_TRANSPARENT, &off, sizeof(off)),
                     0);
    for (size_t i = 0; i < COUNT(outer); i++)
        assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, outer[i], 0), LAB_PRODUCTION);
    assert_int_equal(count(redirect).redirected, 0);
    redirect_destroy(redirect);
}

static void test_table_may_go(void **state)
{
    const struct lab *lab = *state;
    int clients[COUNT(outer)], servers[COUNT(outer)];

    for (int passes = 0; passes < 2; passes++) {
        struct config config;
        struct error error;
        struct redirect *redirect =
            install_armed(&config, passes ? CONFIG_OTHER_PASS : CONFIG_OTHER_NOT_FOUND);

        for (size_t i = 0; i < COUNT(outer); i++) {
            clients[i] = lab_connect(lab, LAB_OUTSIDE, outer[i], LAB_PRODUCTION, 0);
            servers[i] = lab_accept(lab->responder);
        }
        must(redirect_remove(redirect, &error), &error);
        for (size_t i = 0; i < COUNT(outer); i++) {
            assert_true(lab_passes_byte(clients[i], servers[i]));
            assert_true(lab_passes_byte(servers[i], clients[i]));
            lab_close(clients[i]);
            lab_close(servers[i]);
        }
        redirect_destroy(redirect);
    }
}

/* A visitor uses its port again while the kernel still remembers the connection that had it, be it
 * production's or the responder's. */
static void test_port_is_used_again(void **state)
{
    const struct lab *lab = *state;
    struct config config;
    struct error error;
    struct redirect *redirect = install_armed(&config, CONFIG_OTHER_NOT_FOUND);

    must(redirect_shut(redirect, &error), &error);
    for (int round = 0; round < 4; round++) {
        bool armed = round == 1 || round == 2;
        int client, server;

        must(armed ? redirect_arm(redirect, &error) : redirect_shut(redirect, &error), &error);
        client = lab_connect(lab, LAB_OUTSIDE, outer[0], LAB_PRODUCTION, 30000);
        server = lab_accept(armed ? lab->responder : lab->production);
        assert_true(lab_passes_byte(client, server));
        /* The server ends first and is left with the TIME_WAIT; the client's port is free. */
        shutdown(server, SHUT_WR);
        struct pollfd ended = {.fd = client, .events = POLLIN};
        assert_int_equal(poll(&ended, 1, 2000), 1);
        close(client);
        ended = (struct pollfd){.fd = server, .events = POLLIN};
        assert_int_equal(poll(&ended, 1, 2000), 1);
        close(server);
    }
    redirect_destroy(redirect);
}

/* The kernel remembers nothing between the first packet and the third. */
static void test_syn_cookies(void **state)
{
    const struct lab *lab = *state;
    struct config config;
    struct error error;

    assert_true(lab_shell("echo 2 > /proc/sys/net/ipv4/tcp_syncookies"));
    for (int passes = 0; passes < 2; passes++) {
        struct redirect *redirect =
            install_armed(&config, passes ? CONFIG_OTHER_PASS : CONFIG_OTHER_NOT_FOUND);

        for (size_t i = 0; i < COUNT(outer); i++)
            assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, outer[i], 0), LAB_RESPONDER);
        for (size_t i = 0; i < COUNT(own); i++) {
            assert_int_equal(lab_reaches(lab, LAB_HOST, own[i], 0), LAB_PRODUCTION);
            must(redirect_probe(redirect, (uint16_t)(20000 + i), 60000, &error), &error);
            assert_int_equal(lab_reaches(lab, LAB_HOST, own[i], (uint16_t)(20000 + i)),
                             LAB_RESPONDER);
        }
        assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, "10.77.2.2", 0), 0);
        must(redirect_shut(redirect, &error), &error);
        for (size_t i = 0; i < COUNT(outer); i++)
            assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, outer[i], 0), LAB_PRODUCTION);
        redirect_destroy(redirect);
    }
}

static bool outside_shell(const struct lab *lab, const char *command)
{
    char text[512];

    snprintf(text, sizeof(text), "nsenter --net=/proc/%d/fd/%d sh -ec '%s'", (int)getpid(),
             lab->namespaces[LAB_OUTSIDE], command);
    return lab_shell(text);
}

/* The cookie comes back when the lease is over. */
static void test_cookie_after_the_lease(void **state)
{
    const struct lab *lab = *state;

    assert_true(lab_shell("echo 2 > /proc/sys/net/ipv4/tcp_syncookies"));
    for (size_t i = 0; i < COUNT(outer); i++) {
        struct config config;
        struct error error;
        struct redirect *redirect = install_armed(&config, CONFIG_OTHER_NOT_FOUND);

        assert_true(outside_shell(lab, "nft \"table inet hold { chain out { type filter hook "
                                       "output priority 0; tcp dport 80 tcp flags & (syn | ack) == "
                                       "ack drop; }; }\""));
        int client = lab_connect(lab, LAB_OUTSIDE, outer[i], LAB_PRODUCTION, 0);
        struct pollfd connected = {.fd = client, .events = POLLOUT};
        assert_int_equal(poll(&connected, 1, 2000), 1);
        must(redirect_shut(redirect, &error), &error);
        assert_true(outside_shell(lab, "nft delete table inet hold"));
        assert_int_equal(send(client, "x", 1, MSG_NOSIGNAL), 1);
        int server = lab_accept(lab->responder);
        assert_true(lab_passes_byte(server, client));
        lab_close(client);
        lab_close(server);
        redirect_destroy(redirect);
    }
}

/* More than the queue of the lab's listener, and than can be noted. */
#define FLOOD (RULESET_TAKEN_MAX + 3000)

/* From made-up sources, whose answers nobody gets. */
static void test_flood(void **state)
{
    const struct lab *lab = *state;
    struct config config;
    struct error error;
    struct spoof spoof;
    struct redirect *redirect = install_armed(&config, CONFIG_OTHER_NOT_FOUND);

    assert_true(lab_shell("ip route add 198.18.0.0/15 via 10.77.1.2"));
    assert_true(outside_shell(lab, "ip route add blackhole 198.18.0.0/15"));
    spoof_init(&spoof, lab);
    for (unsigned int i = 0; i < FLOOD; i++) {
        char source[32];

        snprintf(source, sizeof(source), "198.18.%u.%u", i >> 8, i & 255);
        spoof_send(&spoof, source, outer[0], 4000);
    }
    int64_t begin_ns = lab_now_ns();
    while (count(redirect).redirected < FLOOD)
        assert_true(lab_now_ns() - begin_ns < 5000000000);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, outer[i % 2], 0), LAB_RESPONDER);
    assert_true(read_figure("nstat -asz TcpExtSyncookiesRecv | awk '/Syncookies/ { print $2 }'") >
                0);
    must(redirect_shut(redirect, &error), &error);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, outer[i % 2], 0), LAB_PRODUCTION);
    spoof_deinit(&spoof);
    redirect_destroy(redirect);
}

/* From one method to the other, and back, under connections of both. */
static void test_method_is_replaced(void **state)
{
    const struct lab *lab = *state;
    struct config configs[2];
    struct error error;
    int clients[4], servers[4];
    size_t connections = 0;
    struct redirect *redirect = install_armed(&configs[0], CONFIG_OTHER_PASS);

    configs[1] = configs[0];
    configs[1].redirect.method = CONFIG_METHOD_REDIRECT;
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < connections; j++)
            assert_true(lab_passes_byte(clients[j], servers[j]) &&
                        lab_passes_byte(servers[j], clients[j]));
        clients[i] = lab_connect(lab, LAB_OUTSIDE, outer[i % 2], LAB_PRODUCTION, 0);
        servers[i] = lab_accept(lab->responder);
        connections++;
        must(redirect_replace(redirect, &configs[(i + 1) % 2], 60000, NULL, 0, &error), &error);
    }
    for (size_t j = 0; j < connections; j++) {
        assert_true(lab_passes_byte(clients[j], servers[j]));
        assert_true(lab_passes_byte(servers[j], clients[j]));
        lab_close(clients[j]);
        lab_close(servers[j]);
    }
    redirect_destroy(redirect);
}

/* Production may start again: those who hold its port have left it to others. */
static void test_production_starts_again(void **state)
{
    struct lab *lab = *state;
    struct config config;
    struct sockaddr_storage address;
    struct redirect *redirect = install_armed(&config, CONFIG_OTHER_NOT_FOUND);
    socklen_t length = lab_parse(&address, "::", LAB_PRODUCTION);
    int client = lab_connect(lab, LAB_OUTSIDE, outer[0], LAB_PRODUCTION, 0);
    int server = lab_accept(lab->responder);
    int on = 1;

    /* As an ordinary server's, also of those that come while production is away. */
    assert_int_equal(setsockopt(lab->responder, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    close(lab->production);
    int second = lab_connect(lab, LAB_OUTSIDE, outer[1], LAB_PRODUCTION, 0);
    int second_server = lab_accept(lab->responder);
    lab_close(client);
    lab_close(server);
    lab->production = lab_socket(lab, LAB_HOST, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(setsockopt(lab->production, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_int_equal(bind(lab->production, (const struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(lab->production, 8), 0);
    assert_true(lab_passes_byte(second, second_server));
    redirect_destroy(redirect);
    assert_int_equal(lab_reaches(lab, LAB_OUTSIDE, outer[0], 0), LAB_PRODUCTION);
    lab_close(second);
    lab_close(second_server);
}

#define LAB_TEST(test) cmocka_unit_test_setup_teardown(test, lab_setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_nothing_is_rewritten),
        LAB_TEST(test_conntrack_sleeps),
        LAB_TEST(test_without_a_listener),
        LAB_TEST(test_an_ordinary_listener),
        LAB_TEST(test_table_may_go),
        LAB_TEST(test_port_is_used_again),
        LAB_TEST(test_syn_cookies),
        LAB_TEST(test_cookie_after_the_lease),
        LAB_TEST(test_flood),
        LAB_TEST(test_method_is_replaced),
        LAB_TEST(test_production_starts_again),
    };

    sample_method = CONFIG_METHOD_TPROXY;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
