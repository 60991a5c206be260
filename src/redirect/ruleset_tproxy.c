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
    const char *redirected, *arrived; /* tags */
    const char *missing;
};

#define FAMILIES 2

static const struct family families[FAMILIES] = {
    {RULESET_TPROXY4, RULESET_DNAT_SAME4, RULESET_ADD_SADDR4, RULESET_DELETE_SADDR4,
     RULESET_TAG_REDIRECTED4, RULESET_TAG_ARRIVED4, RULESET_SET_MISSING4},
    {RULESET_TPROXY6, RULESET_DNAT_SAME6, RULESET_ADD_SADDR6, RULESET_DELETE_SADDR6,
     RULESET_TAG_REDIRECTED6, RULESET_TAG_ARRIVED6, RULESET_SET_MISSING6},
};

/* Only what the listener takes is counted, and notes that the handshake may go on after the lease.
 * The source comes last: that the set is full ends the rule. */
static void add_outside(struct ruleset *ruleset, struct ruleset_chain *chain,
                        const struct config *config, const struct scope *scope, size_t family)
{
    const struct ruleset_set *missing = ruleset_add_missing(ruleset, family);
    struct ruleset_rule *rule = chain_add_rule(chain, families[family].redirected);

    rule_add_plain(rule, RULESET_NOT_LOOPBACK);
    rule_add_scope(rule, scope, family);
    rule_add_first_packet(rule);
    rule_add_port(rule, families[family].tproxy, config->responder.port);
    rule_add_plain(rule, RULESET_COUNTER);
    rule_add_set(rule, RULESET_UPDATE_DPORT, RULESET_SET_ANSWERING);
    rule_add_set(rule, families[family].add_source, missing->name);
}

/* Of a handshake that was answered with a SYN cookie the kernel remembers nothing: the packet that
 * ends it belongs to nobody, and production's listener would reset it. One that belongs to a
 * connection of this host is not handed to the listener. */
static void rule_add_answer(struct ruleset_rule *rule, enum ruleset_statement_type tproxy,
                            const struct config *config)
{
    rule_add_set(rule, RULESET_DPORT_IN, RULESET_SET_ANSWERING);
    rule_add_plain(rule, RULESET_ACK);
    rule_add_plain(rule, RULESET_DADDR_LOCAL);
    rule_add_port(rule, tproxy, config->responder.port);
}

static void add_outside_answers(struct ruleset_chain *chain, const struct config *config,
                                const struct scope *scope, size_t family)
{
    struct ruleset_rule *rule = chain_add_rule(chain, NULL);

    rule_add_plain(rule, RULESET_NOT_LOOPBACK);
    rule_add_scope(rule, scope, family);
    rule_add_answer(rule, families[family].tproxy, config);
}

/* This host's own: the self-check, or with `local` everybody but the upstream sockets. */
static void rule_add_own(struct ruleset_rule *rule, const struct config *config)
{
    rule_add_plain(rule, RULESET_LOOPBACK);
    if (!config->redirect.local)
        rule_add_set(rule, RULESET_SPORT_IN, RULESET_SET_PROBE);
    else if (config->other_requests == CONFIG_OTHER_PASS)
        rule_add_plain(rule, RULESET_NOT_UPSTREAM);
}

static void add_own(struct ruleset_chain *chain, const struct config *config)
{
    struct ruleset_rule *rule = chain_add_rule(chain, RULESET_TAG_PROBED);

    rule_add_own(rule, config);
    rule_add_set(rule, RULESET_DPORT_IN, RULESET_SET_PORTS);
    rule_add_plain(rule, RULESET_SYN);
    rule_add_plain(rule, RULESET_DADDR_LOCAL);
    rule_add_port(rule, RULESET_TPROXY, config->responder.port);
    rule_add_plain(rule, RULESET_COUNTER);
    rule_add_set(rule, RULESET_UPDATE_DPORT, RULESET_SET_ANSWERING);

    rule = chain_add_rule(chain, NULL);
    rule_add_own(rule, config);
    rule_add_answer(rule, RULESET_TPROXY, config);
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
    struct ruleset_set *answering =
        ruleset_add_set(ruleset, RULESET_SET_ANSWERING, RULESET_KEY_PORT,
                        "the port, for as long as SYN cookies of the responder's may come back");

    if (config->redirect.local)
        chain->note = "new connections, this host's own too, while there is a lease";
    answering->timeout = true;
    answering->size_max = RULESET_ANSWERING_MAX;
    answering->timeout_ms = RULESET_ANSWERING_MS;

    /* A filter chain sees every packet: most others leave it at the first rule. */
    struct ruleset_rule *rule = chain_add_rule(chain, NULL);
    rule_add_port(rule, RULESET_NOT_DPORT, config->redirect.port);
    rule_add_plain(rule, RULESET_RETURN);

    for (size_t i = 0; i < FAMILIES; i++) {
        if (!scope_has_family(scope, i))
            continue;
        add_outside(ruleset, chain, config, scope, i);
        add_outside_answers(chain, config, scope, i);
    }
    add_own(chain, config);
}

/* Where there is NAT for the pass, others' DNAT of the same packets would come first. It does not
 * touch what has been decided for NAT already, if only that nothing changes. */
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
        struct ruleset_rule *rule = chain_add_rule(chain, NULL);
        rule_add_plain(rule, RULESET_NOT_LOOPBACK);
        rule_add_scope(rule, scope, i);
        rule_add_first_packet(rule);
        rule_add_plain(rule, families[i].dnat_same);
    }
}

static void add_output(struct ruleset *ruleset)
{
    pass_exempt(ruleset_add_chain(
        ruleset, (struct ruleset_chain){.name = RULESET_CHAIN_OUTPUT,
                                        .note = "connections that hand visitors on to production",
                                        .nat = true,
                                        .hook = RULESET_HOOK_OUTPUT,
                                        .priority = RULESET_PRIORITY_NAT}));
}

/* Nobody from outside has business with that port: what is redirected has another. */
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
    rule_add_plain(rule, RULESET_COUNTER);
    rule_add_plain(rule, RULESET_DROP);
}

/* First packets, as many of each connection as are counted where they are redirected. */
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
        struct ruleset_rule *rule = chain_add_rule(chain, families[i].arrived);
        rule_add_plain(rule, RULESET_NOT_LOOPBACK);
        rule_add_scope(rule, scope, i);
        rule_add_set(rule, RULESET_DPORT_IN, RULESET_SET_PORTS);
        rule_add_plain(rule, RULESET_SYN);
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
        add_output(ruleset);
    }
    add_guard(ruleset, config);
    add_arrived(ruleset, scope);
}
