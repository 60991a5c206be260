// SPDX-License-Identifier: GPL-2.0-or-later
#include "redirect/ruleset_tproxy.h"

#include "redirect/ruleset_build.h"
#include "redirect/ruleset_pass.h"

/*
 * Behind every DNAT, which come at -100: what somebody's DNAT sends elsewhere, to a container for
 * example, is not for this host any more, so that its connections are none of ours. Before it, a
 * packet that has our socket and is sent elsewhere nevertheless would be dropped by the kernel.
 * Whatever the host's own rules say at any priority holds: a socket is no verdict.
 */
#define PRIORITY_TPROXY (-50)

/* The vocabulary of an address family. */
struct family {
    enum ruleset_statement_type tproxy, dnat_same, add_source, delete_source;
    enum ruleset_statement_type socket_in, update_socket;
    const char *redirected, *arrived; /* tags */
    const char *missing, *taken;      /* sets */
    const char *timeout;
    bool ipv6;
    enum ruleset_key socket;
};

#define FAMILIES 2

static const struct family families[FAMILIES] = {
    {.tproxy = RULESET_TPROXY4,
     .dnat_same = RULESET_DNAT_SAME4,
     .add_source = RULESET_ADD_SADDR4,
     .delete_source = RULESET_DELETE_SADDR4,
     .socket_in = RULESET_SOCKET4_IN,
     .update_socket = RULESET_UPDATE_SOCKET4,
     .redirected = RULESET_TAG_REDIRECTED4,
     .arrived = RULESET_TAG_ARRIVED4,
     .missing = RULESET_SET_MISSING4,
     .taken = RULESET_SET_TAKEN4,
     .timeout = RULESET_TIMEOUT_TAKEN4,
     .socket = RULESET_KEY_IPV4_PORT},
    {.tproxy = RULESET_TPROXY6,
     .dnat_same = RULESET_DNAT_SAME6,
     .add_source = RULESET_ADD_SADDR6,
     .delete_source = RULESET_DELETE_SADDR6,
     .socket_in = RULESET_SOCKET6_IN,
     .update_socket = RULESET_UPDATE_SOCKET6,
     .redirected = RULESET_TAG_REDIRECTED6,
     .arrived = RULESET_TAG_ARRIVED6,
     .missing = RULESET_SET_MISSING6,
     .taken = RULESET_SET_TAKEN6,
     .timeout = RULESET_TIMEOUT_TAKEN6,
     .ipv6 = true,
     .socket = RULESET_KEY_IPV6_PORT},
};

static struct ruleset_rule *add_outside(struct ruleset_chain *chain, const struct scope *scope,
                                        size_t family, const char *comment)
{
    struct ruleset_rule *rule = chain_add_rule(chain, comment);

    rule_add_plain(rule, RULESET_NOT_LOOPBACK);
    rule_add_scope(rule, scope, family);
    return rule;
}

/* Only what the listener takes is counted. The source comes last: that the set is full ends the
 * rule. */
static void add_first(struct ruleset *ruleset, struct ruleset_chain *chain,
                      const struct config *config, const struct scope *scope, size_t family)
{
    const struct ruleset_set *missing = ruleset_add_missing(ruleset, family);
    struct ruleset_rule *rule = add_outside(chain, scope, family, families[family].redirected);

    rule_add_first_packet(rule);
    rule_add_port(rule, families[family].tproxy, config->responder.port);
    rule_add_plain(rule, RULESET_COUNTER);
    rule_add_set(rule, families[family].add_source, missing->name);
}

/* Where there is NAT for the pass, a visitor whose port has been lent to another connection to
 * production, with its address, gets a new one on the way in, behind this chain: what has no socket
 * here will have one there. */
static void rule_add_unchanged(struct ruleset_rule *rule, const struct config *config)
{
    if (config->other_requests == CONFIG_OTHER_PASS)
        rule_add_plain(rule, RULESET_CT_NOT_SNAT);
}

/*
 * Of a handshake that was answered with a SYN cookie the kernel remembers nothing: the packet that
 * ends it belongs to nobody, and production's listener would reset it. So who has begun one with
 * the responder is noted, and ends it there, also after the lease; and no other, whose cookie is
 * production's. In a flood there are too many to be noted: then whoever ends one while there is a
 * lease is taken to have begun it here. A packet of a connection that exists goes there in any
 * case.
 */
static void add_cookies(struct ruleset *ruleset, struct ruleset_chain *chain,
                        const struct config *config, const struct scope *scope, size_t family)
{
    struct ruleset_set *taken =
        ruleset_add_set(ruleset, families[family].taken, families[family].socket,
                        "who was redirected and may have been answered with a SYN cookie");
    struct ruleset_rule *rule = add_outside(chain, scope, family, NULL);

    taken->timeout = true;
    taken->size_max = RULESET_TAKEN_MAX;
    taken->timeout_ms = RULESET_TAKEN_MS;
    rule_add_first_packet(rule);
    rule_add_set(rule, families[family].update_socket, taken->name);
    rule_add_plain(rule, RULESET_RETURN);

    rule = add_outside(chain, scope, family, NULL);
    rule_add_first_packet(rule);
    rule_add_set(rule, RULESET_UPDATE_DPORT, RULESET_SET_CROWDED);

    rule = add_outside(chain, scope, family, NULL);
    rule_add_plain(rule, RULESET_ACK);
    rule_add_set(rule, families[family].socket_in, taken->name);
    rule_add_unchanged(rule, config);
    rule_add_plain(rule, RULESET_DADDR_LOCAL);
    rule_add_port(rule, families[family].tproxy, config->responder.port);

    rule = add_outside(chain, scope, family, NULL);
    rule_add_plain(rule, RULESET_ACK);
    rule_add_set(rule, RULESET_DPORT_IN, RULESET_SET_PORTS);
    rule_add_set(rule, RULESET_DPORT_IN, RULESET_SET_CROWDED);
    rule_add_unchanged(rule, config);
    rule_add_plain(rule, RULESET_DADDR_LOCAL);
    rule_add_port(rule, families[family].tproxy, config->responder.port);
}

/* Of this host's own: the self-check, or with `local` all. */
static void rule_add_chosen(struct ruleset_rule *rule, const struct config *config)
{
    if (!config->redirect.local)
        rule_add_set(rule, RULESET_SPORT_IN, RULESET_SET_PROBE);
    rule_add_set(rule, RULESET_DPORT_IN, RULESET_SET_PORTS);
}

/* First packets, and those that bring a cookie back: nothing lies between them here. */
static void add_own(struct ruleset_chain *chain, const struct config *config,
                    enum ruleset_statement_type packet, const char *comment)
{
    struct ruleset_rule *rule = chain_add_rule(chain, comment);

    rule_add_plain(rule, RULESET_LOOPBACK);
    if (config->redirect.local && config->other_requests == CONFIG_OTHER_PASS)
        rule_add_plain(rule, RULESET_NOT_UPSTREAM);
    rule_add_chosen(rule, config);
    rule_add_plain(rule, packet);
    rule_add_plain(rule, RULESET_DADDR_LOCAL);
    rule_add_port(rule, RULESET_TPROXY, config->responder.port);
    if (comment)
        rule_add_plain(rule, RULESET_COUNTER);
}

static void add_prerouting(struct ruleset *ruleset, const struct config *config,
                           const struct scope *scope)
{
    struct ruleset_chain *chain = ruleset_add_chain(
        ruleset,
        (struct ruleset_chain){.name = RULESET_CHAIN_PREROUTING,
                               .note = "new connections, while there is a lease: from outside, "
                                       "and of this host's own the self-check",
                               .hook = RULESET_HOOK_PREROUTING,
                               .priority = PRIORITY_TPROXY});
    struct ruleset_set *crowded =
        ruleset_add_set(ruleset, RULESET_SET_CROWDED, RULESET_KEY_PORT,
                        "the port, while there are more of them than can be noted");

    if (config->redirect.local)
        chain->note = "new connections, this host's own too, while there is a lease";
    crowded->timeout = true;
    crowded->size_max = RULESET_CROWDED_MAX;
    crowded->timeout_ms = RULESET_TAKEN_MS;

    /* A filter chain sees every packet: most others leave it at the first rule. */
    struct ruleset_rule *rule = chain_add_rule(chain, NULL);
    rule_add_port(rule, RULESET_NOT_DPORT, config->redirect.port);
    rule_add_plain(rule, RULESET_RETURN);

    for (size_t i = 0; i < FAMILIES; i++) {
        if (!scope_has_family(scope, i))
            continue;
        add_first(ruleset, chain, config, scope, i);
        add_cookies(ruleset, chain, config, scope, i);
    }
    add_own(chain, config, RULESET_SYN, RULESET_TAG_PROBED);
    add_own(chain, config, RULESET_ACK, NULL);
}

/*
 * Where there is NAT for the pass, others' DNAT of the same packets would come first. It does not
 * touch what has been decided for NAT already, if only that nothing changes.
 *
 * And a visitor who gets another port, see rule_add_unchanged, may get one that production still
 * remembers of a connection that it ended itself: the kernel drops the first packet then. What
 * comes a second later, and is the same packet again, begins anew with another port.
 */
static void add_kept(struct ruleset *ruleset, const struct scope *scope)
{
    struct ruleset_chain *chain = ruleset_add_chain(
        ruleset, (struct ruleset_chain){.name = RULESET_CHAIN_KEPT,
                                        .note = "what is redirected goes nowhere else before",
                                        .nat = true,
                                        .hook = RULESET_HOOK_PREROUTING,
                                        .priority = RULESET_PRIORITY_NAT});

    for (size_t i = 0; i < FAMILIES; i++) {
        if (!scope_has_family(scope, i))
            continue;
        struct ruleset_rule *rule = add_outside(chain, scope, i, NULL);
        rule_add_first_packet(rule);
        rule_add_set(rule, RULESET_CT_TIMEOUT, families[i].timeout);
        rule_add_plain(rule, families[i].dnat_same);
        ruleset->timeouts[ruleset->timeout_count++] = (struct ruleset_timeout){
            .name = families[i].timeout,
            .note = "so that a first packet without an answer is forgotten before it comes again",
            .ipv6 = families[i].ipv6,
            .beginning = true,
        };
    }
}

/* The same for this host's own, once the upstream sockets have left the chain. */
static void add_output(struct ruleset *ruleset, const struct config *config)
{
    struct ruleset_chain *chain = ruleset_add_chain(
        ruleset, (struct ruleset_chain){.name = RULESET_CHAIN_OUTPUT,
                                        .note = "the same for this host's own; and connections "
                                                "that hand visitors on to production",
                                        .nat = true,
                                        .hook = RULESET_HOOK_OUTPUT,
                                        .priority = RULESET_PRIORITY_NAT});

    pass_exempt(chain);
    for (size_t i = 0; i < FAMILIES; i++) {
        struct ruleset_rule *rule = chain_add_rule(chain, NULL);
        rule_add_chosen(rule, config);
        rule_add_plain(rule, RULESET_SYN);
        rule_add_plain(rule, RULESET_DADDR_LOCAL);
        rule_add_plain(rule, families[i].dnat_same);
    }
}

/* Nobody from outside begins a connection to that port: what is redirected has another. One that
 * was rewritten by the other method, before the configuration was read afresh, goes on. */
static void add_guard(struct ruleset *ruleset, const struct config *config)
{
    struct ruleset_chain *chain = ruleset_add_chain(
        ruleset, (struct ruleset_chain){.name = RULESET_CHAIN_INPUT,
                                        .note = "the responder is reached through the window only",
                                        .hook = RULESET_HOOK_INPUT,
                                        .priority = RULESET_PRIORITY_GUARD});
    struct ruleset_rule *rule = chain_add_rule(chain, RULESET_TAG_GUARDED);

    rule_add_plain(rule, RULESET_NOT_LOOPBACK);
    rule_add_port(rule, RULESET_DPORT, config->responder.port);
    rule_add_plain(rule, RULESET_SYN);
    rule_add_plain(rule, RULESET_COUNTER);
    rule_add_plain(rule, RULESET_DROP);
}

/* The very packets that are counted where they are redirected. */
static void add_arrived(struct ruleset *ruleset, const struct scope *scope)
{
    struct ruleset_chain *chain = ruleset_add_chain(
        ruleset, (struct ruleset_chain){.name = RULESET_CHAIN_ARRIVED,
                                        .note = "what the host's own filter let through",
                                        .hook = RULESET_HOOK_INPUT,
                                        .priority = RULESET_PRIORITY_ARRIVED});

    for (size_t i = 0; i < FAMILIES; i++) {
        if (!scope_has_family(scope, i))
            continue;
        struct ruleset_rule *rule = add_outside(chain, scope, i, families[i].arrived);
        rule_add_first_packet(rule);
        rule_add_plain(rule, RULESET_COUNTER);
        rule_add_set(rule, families[i].delete_source, families[i].missing);
    }
}

void tproxy_add(struct ruleset *ruleset, const struct config *config, const struct scope *scope)
{
    bool passes = config->other_requests == CONFIG_OTHER_PASS;

    add_prerouting(ruleset, config, scope);
    if (passes) {
        add_kept(ruleset, scope);
        add_output(ruleset, config);
    }
    add_guard(ruleset, config);
    add_arrived(ruleset, scope);
}
