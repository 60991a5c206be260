// SPDX-License-Identifier: GPL-2.0-or-later
/* The pass in a real kernel, with real TCP: production sees the visitor's address and port, and
 * never an address of this host in its place. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab.h"
#include "sample.h"
#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define OTHER_PORT 2222 /* of another server of this host */

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

static struct redirect_counters read_all(struct redirect *redirect)
{
    struct redirect_counters counters;
    struct error error;

    must(redirect_read_counters(redirect, &counters, &error), &error);
    return counters;
}

static struct redirect_count count(struct redirect *redirect, const struct way *way)
{
    return read_all(redirect).family[family_of(way)];
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

/* A socket of this host's, bound and on its way to `to_port`. */
static int set_out_to(const struct lab *lab, const struct way *way, uint16_t port, bool upstream,
                      uint16_t to_port)
{
    int priority = REDIRECT_PRIORITY;
    struct sockaddr_storage own, to;
    socklen_t length = lab_parse(&own, way->source, port);
    int on = 1;

    lab_parse(&to, way->to, to_port);
    int fd = lab_socket(lab, LAB_HOST, own.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    if (upstream)
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority)), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&own, length), 0);
    if (connect(fd, (const struct sockaddr *)&to, length) < 0)
        assert_int_equal(errno, EINPROGRESS);
    return fd;
}

static int set_out(const struct lab *lab, const struct way *way, uint16_t port)
{
    return set_out_to(lab, way, port, true, LAB_PRODUCTION);
}

/* Another server of this host. */
static int listen_beside(const struct lab *lab)
{
    struct sockaddr_storage any;
    socklen_t length = lab_parse(&any, "::", OTHER_PORT);
    int fd = lab_socket(lab, LAB_HOST, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&any, length), 0);
    assert_int_equal(listen(fd, 16), 0);
    return fd;
}

/* Whom the server sees: the visitor's address, and his port. */
static void assert_peer(int server, const struct way *way, uint16_t port)
{
    struct sockaddr_in6 peer = {0};
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

/* What the kernel counts when it drops a first packet. */
struct drops {
    uint64_t closed, looped;
};

static struct drops count_drops(struct redirect *redirect, const struct way *way)
{
    struct redirect_counters counters = read_all(redirect);

    return (struct drops){counters.family[family_of(way)].closed, counters.looped};
}

/* Sets out to `to_port`, and waits until the first packet was dropped; no server of this host was
 * asked. `other`: one more, or -1. */
static struct drops drop(const struct lab *lab, struct redirect *redirect, const struct way *way,
                         uint16_t port, uint16_t to_port, int other)
{
    struct drops before = count_drops(redirect, way);
    struct drops now = before;
    int64_t begin_ns = lab_now_ns();
    int fd = set_out_to(lab, way, port, true, to_port);
    struct pollfd items[] = {{.fd = fd, .events = POLLOUT},
                             {.fd = lab->production, .events = POLLIN},
                             {.fd = lab->responder, .events = POLLIN},
                             {.fd = other, .events = POLLIN}};

    while (now.closed + now.looped == before.closed + before.looped) {
        assert_true(lab_now_ns() - begin_ns < 2000000000);
        now = count_drops(redirect, way);
    }
    assert_int_equal(poll(items, COUNT(items), 0), 0);
    lab_close(fd);
    return (struct drops){now.closed - before.closed, now.looped - before.looped};
}

static void assert_closed(const struct lab *lab, struct redirect *redirect, const struct way *way,
                          uint16_t port)
{
    struct drops drops = drop(lab, redirect, way, port, LAB_PRODUCTION, -1);

    assert_int_equal(drops.closed, 1);
    assert_int_equal(drops.looped, 0);
}

static void test_unmapped_is_closed(void **state)
{
    const struct lab *lab = *state;
    struct config config;

    for (int local = 0; local < 2; local++) {
        sample_defaults(&config);
        config.redirect.local = local;
        struct redirect *redirect = install(&config, false);
        for (size_t i = 0; i < COUNT(ways); i++) {
            uint16_t port = (uint16_t)(40000 + i);
            int ends[2];

            assert_closed(lab, redirect, &ways[i], port); /* never mapped */
            pass(lab, redirect, &ways[i], port, lab->production, ends);
            lab_close(ends[0]);
            lab_close(ends[1]);
            assert_closed(lab, redirect, &ways[i], port); /* no more */
        }
        redirect_destroy(redirect);
    }
}

static void test_expired_is_closed(void **state)
{
    const struct lab *lab = *state;
    struct config config;
    struct error error;

    sample_defaults(&config);
    struct redirect *redirect = install(&config, true); /* the map is somebody else's to change */
    for (size_t i = 0; i < COUNT(ways); i++) {
        int64_t begin_ns = lab_now_ns();
        char family = family_of(&ways[i]) == REDIRECT_IPV4 ? '4' : '6';
        char command[192];

        snprintf(command, sizeof(command),
                 "nft 'add element inet wicket relay%c { %s . 40000 timeout 100ms : %s }'", family,
                 ways[i].source, ways[i].visitor);
        assert_true(lab_shell(command));
        snprintf(command, sizeof(command), "nft list map inet wicket relay%c | grep -q 40000",
                 family);
        while (lab_shell(command))
            assert_true(lab_now_ns() - begin_ns < 2000000000);
        assert_closed(lab, redirect, &ways[i], 40000);
    }
    must(redirect_remove(redirect, &error), &error);
    redirect_destroy(redirect);
}

/* What conntrack does not see is not given another address, whoever it speaks for. */
static void test_untracked_is_closed(void **state)
{
    const struct lab *lab = *state;
    struct config config;

    assert_true(lab_shell("nft 'table inet rawish { chain early { type filter hook output priority "
                          "raw; oif lo notrack; }; }'"));
    for (int local = 0; local < 2; local++) {
        sample_defaults(&config);
        config.redirect.local = local;
        struct redirect *redirect = install(&config, false);
        for (size_t i = 0; i < COUNT(ways); i++) {
            struct redirect_relay relay = relay_for(&ways[i], (uint16_t)(40000 + i));

            assert_closed(lab, redirect, &ways[i], relay.port);
            add(redirect, &relay);
            assert_closed(lab, redirect, &ways[i], relay.port);
            take_away(redirect, &relay);
            assert_int_equal(count(redirect, &ways[i]).here, 0);
        }
        redirect_destroy(redirect);
    }
}

/* Somebody else's NAT comes too late: production sees the visitor, or nobody. */
static void test_rivals(void **state)
{
    static const int priorities[] = {-198, 0, 89, 100};
    static const char *const rivals[] = {"oif lo masquerade",
                                         "oif lo snat ip to 127.0.0.1; oif lo snat ip6 to ::1"};
    const struct lab *lab = *state;
    struct config config;

    for (int local = 0; local < 2; local++) {
        sample_defaults(&config);
        config.redirect.local = local;
        struct redirect *redirect = install(&config, false);
        for (size_t r = 0; r < COUNT(rivals) * COUNT(priorities); r++) {
            char command[256];

            snprintf(command, sizeof(command),
                     "nft 'table inet rival { chain post { type nat hook postrouting priority %d; "
                     "%s; }; }'",
                     priorities[r % COUNT(priorities)], rivals[r / COUNT(priorities)]);
            assert_true(lab_shell(command));
            for (size_t i = 0; i < COUNT(ways); i++) {
                uint16_t port = (uint16_t)(40000 + r * COUNT(ways) + i);
                int ends[2];

                pass(lab, redirect, &ways[i], port, lab->production, ends);
                lab_close(ends[0]);
                lab_close(ends[1]);
                assert_closed(lab, redirect, &ways[i], port);
            }
            assert_true(lab_shell("nft delete table inet rival"));
        }
        redirect_destroy(redirect);
    }
}

/* To another port nobody is spoken for, even where somebody's DNAT makes production of it. */
static void test_another_port_is_closed(void **state)
{
    static const char *const rules[] = {"counter", "tcp dport 2222 redirect to :80"};
    const struct lab *lab = *state;
    int other = listen_beside(lab);
    struct config config;

    for (int local = 0; local < 2; local++) {
        sample_defaults(&config);
        config.redirect.local = local;
        struct redirect *redirect = install(&config, false);
        for (size_t r = 0; r < COUNT(rules); r++) {
            char command[192];

            snprintf(command, sizeof(command),
                     "nft 'table inet rival { chain out { type nat hook output priority -100; %s; "
                     "}; }'",
                     rules[r]);
            assert_true(lab_shell(command));
            for (size_t i = 0; i < COUNT(ways); i++) {
                struct redirect_relay relay = relay_for(&ways[i], (uint16_t)(40000 + i));

                add(redirect, &relay);
                struct drops drops = drop(lab, redirect, &ways[i], relay.port, OTHER_PORT, other);
                assert_int_equal(drops.closed, 1);
                assert_int_equal(drops.looped, 0);
                take_away(redirect, &relay);
            }
            assert_true(lab_shell("nft delete table inet rival"));
        }
        redirect_destroy(redirect);
    }
    close(other);
}

/* Production may be wherever somebody's DNAT sends port 80. */
static void test_production_on_another_port(void **state)
{
    const struct lab *lab = *state;
    int other = listen_beside(lab);
    struct config config;

    sample_defaults(&config);
    struct redirect *redirect = install(&config, false);
    assert_true(lab_shell("nft 'table inet rival { chain out { type nat hook output priority -100; "
                          "ip daddr 10.77.1.1 tcp dport 80 dnat ip to 10.77.1.1:2222; "
                          "ip6 daddr fd77:1::1 tcp dport 80 dnat ip6 to [fd77:1::1]:2222; }; }'"));
    for (size_t i = 0; i < COUNT(ways); i++) {
        int ends[2];

        pass(lab, redirect, &ways[i], (uint16_t)(40000 + i), other, ends);
        lab_close(ends[0]);
        lab_close(ends[1]);
        assert_int_equal(count(redirect, &ways[i]).closed, 0);
    }
    close(other);
    redirect_destroy(redirect);
}

/* Production's port leads to the responder: the visitor would come round for ever. */
static void test_loop(void **state)
{
    static const char *const rules[] = {
        "tcp dport 80 redirect to :8402",
        "ip daddr 10.77.1.1 tcp dport 80 dnat ip to 10.77.1.1:8402; "
        "ip6 daddr fd77:1::1 tcp dport 80 dnat ip6 to [fd77:1::1]:8402",
    };
    const struct lab *lab = *state;
    struct config config;

    for (int local = 0; local < 2; local++) {
        sample_defaults(&config);
        config.redirect.local = local;
        struct redirect *redirect = install(&config, false);
        for (size_t r = 0; r < COUNT(rules); r++) {
            char command[384];

            snprintf(command, sizeof(command),
                     "nft 'table inet rival { chain out { type nat hook output priority -100; %s; "
                     "}; }'",
                     rules[r]);
            assert_true(lab_shell(command));
            for (size_t i = 0; i < COUNT(ways); i++) {
                struct redirect_relay relay = relay_for(&ways[i], (uint16_t)(40000 + i));

                add(redirect, &relay);
                struct drops drops = drop(lab, redirect, &ways[i], relay.port, LAB_PRODUCTION, -1);
                assert_int_equal(drops.looped, 1);
                assert_int_equal(drops.closed, 0);
                take_away(redirect, &relay);
            }
            assert_true(lab_shell("nft delete table inet rival"));
        }
        redirect_destroy(redirect);
    }
}

static const struct way local_ways[] = {
    {"127.5.6.7", "10.77.1.1", "10.77.1.3"}, {"127.5.6.7", "10.77.1.1", "10.77.1.1"},
    {"10.77.1.3", "10.77.1.1", "10.77.1.1"}, {"127.5.6.7", "127.0.0.1", "127.0.0.1"},
    {"::1", "fd77:1::1", "fd77:1::1"},
};

/* A visitor who is this host itself comes through the window and is passed on. */
static void test_local_visitor(void **state)
{
    const struct lab *lab = *state;
    struct config config;
    struct error error;

    sample_defaults(&config);
    config.window.lease_ms = 60000;
    config.redirect.local = true;
    struct redirect *redirect = install(&config, false);
    must(redirect_arm(redirect, &error), &error);
    for (size_t i = 0; i < COUNT(local_ways); i++) {
        const struct way *way = &local_ways[i];
        const struct way own = {way->visitor, way->to, way->visitor};
        uint16_t port = (uint16_t)(40000 + i);
        int ends[2];

        int visitor = set_out_to(lab, &own, port, false, LAB_PRODUCTION);
        int front = lab_accept(lab->responder);
        assert_peer(front, way, port);
        assert_closed(lab, redirect, way, port);
        pass(lab, redirect, way, port, lab->production, ends);
        assert_talks(visitor, front);
        assert_talks(ends[0], ends[1]);
        lab_close(ends[0]);
        lab_close(ends[1]);
        lab_close(visitor);
        lab_close(front);
    }
    redirect_destroy(redirect);
}

/* Without `local` no address of this host can be a visitor's, whatever the map says. */
static void test_no_local_visitor_unless_asked_for(void **state)
{
    const struct lab *lab = *state;
    struct config config;

    sample_defaults(&config);
    struct redirect *redirect = install(&config, false);
    for (size_t i = 0; i < COUNT(local_ways); i++) {
        struct redirect_relay relay = relay_for(&local_ways[i], (uint16_t)(40000 + i));

        add(redirect, &relay);
        assert_closed(lab, redirect, &local_ways[i], relay.port);
        take_away(redirect, &relay);
    }
    redirect_destroy(redirect);
}

/* This host's other connections are none of the pass's business, even from a port that is left in
 * the map. */
static void test_others_are_untouched(void **state)
{
    static const uint16_t to_ports[] = {LAB_PRODUCTION, OTHER_PORT};
    const struct lab *lab = *state;
    const int listeners[] = {lab->production, listen_beside(lab)};
    struct config config;

    sample_defaults(&config);
    struct redirect *redirect = install(&config, false);
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct redirect_relay relay = relay_for(&ways[i], (uint16_t)(40000 + i));
        struct way same = {ways[i].source, ways[i].to, ways[i].source};

        add(redirect, &relay);
        for (size_t t = 0; t < COUNT(to_ports); t++) {
            int client = set_out_to(lab, &same, relay.port, false, to_ports[t]);
            int server = lab_accept(listeners[t]);

            assert_peer(server, &same, relay.port);
            assert_talks(client, server);
            lab_close(client);
            lab_close(server);
        }
        struct redirect_count now = count(redirect, &ways[i]);
        assert_int_equal(now.here + now.elsewhere + now.closed, 0);
    }
    close(listeners[1]);
    redirect_destroy(redirect);
}

/* In a child: 0 when a process without privileges cannot make its socket an upstream one. */
static int try_priorities(void)
{
    int priority = REDIRECT_PRIORITY;
    int plain = 6;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cap_t none = cap_init();

    if (fd < 0 || !none || cap_set_proc(none) < 0)
        return 2;
    cap_free(none);
    if (setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &plain, sizeof(plain)) < 0)
        return 3;
    return setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority)) == 0 ||
           errno != EPERM;
}

static void test_priority_is_privileged(void **state)
{
    int status;
    pid_t child = fork();

    (void)state;
    if (child == 0)
        _exit(try_priorities());
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
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
            ends[0] = set_out_to(lab, &ways[i], port, false, LAB_PRODUCTION);
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
    assert_false(lab_shell("nft list table inet wicket | grep -q relay"));
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
        LAB_TEST(test_production_sees_the_visitor),
        LAB_TEST(test_same_port_of_two_visitors),
        LAB_TEST(test_unmapped_is_closed),
        LAB_TEST(test_expired_is_closed),
        LAB_TEST(test_untracked_is_closed),
        LAB_TEST(test_rivals),
        LAB_TEST(test_another_port_is_closed),
        LAB_TEST(test_production_on_another_port),
        LAB_TEST(test_loop),
        LAB_TEST(test_local_visitor),
        LAB_TEST(test_no_local_visitor_unless_asked_for),
        LAB_TEST(test_others_are_untouched),
        LAB_TEST(test_priority_is_privileged),
        LAB_TEST(test_production_elsewhere),
        LAB_TEST(test_never_back_to_the_responder),
        LAB_TEST(test_soon_forgotten),
        LAB_TEST(test_relays_outlive_the_table),
        LAB_TEST(test_relays_end_with_the_pass),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
