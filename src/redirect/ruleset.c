// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "redirect/ruleset.h"
#include "redirect/ruleset_build.h"
#include "redirect/ruleset_pass.h"
#include "redirect/ruleset_scope.h"
#include "redirect/ruleset_tproxy.h"
#include "wicket/quote.h"

static_assert(IFNAMSIZ == RULESET_KEY_MAX, "an interface set has keys of 16 bytes");

const struct ruleset_set *ruleset_find_set(const struct ruleset *ruleset, const char *name)
{
    for (size_t i = 0; i < ruleset->set_count; i++)
        if (strcmp(ruleset->sets[i].name, name) == 0)
            return &ruleset->sets[i];
    return NULL;
}

static int set_add_interfaces(struct ruleset *ruleset, const struct config *config,
                              const struct ruleset_set **out, struct error *error)
{
    size_t count = config->redirect.interface_count;

    *out = NULL;
    if (count == 0)
        return 0;
    struct ruleset_set *set = ruleset_add_set(ruleset, "interfaces", RULESET_KEY_INTERFACE,
                                              "where connections must come in to be redirected");
    set->elements = calloc(count, sizeof(*set->elements));
    if (!set->elements)
        return error_set_errno(error, EX_TEMPFAIL, "set interfaces");
    for (size_t i = 0; i < count; i++) {
        const char *name = config->redirect.interfaces[i];
        size_t length = strnlen(name, CONFIG_NAME_MAX);
        bool bad = length == 0 || length >= IFNAMSIZ;

        /* What the kernel forbids, and what nft would read as something else ("eth*"). */
        for (size_t j = 0; j < length; j++)
            bad |= name[j] <= ' ' || name[j] > '~' || strchr("\"*/\\", name[j]);
        if (bad)
            return error_set(error, EX_CONFIG, "redirect.interfaces: %s cannot be an interface",
                             QUOTE(name, length));
        memcpy(set->elements[i].first, name, length);
        memcpy(set->elements[i].last, name, length);
    }
    set->element_count = ruleset_elements_normalise(set->elements, count, set->key, false);
    *out = set;
    return 0;
}

static void element_from_network(struct ruleset_element *element,
                                 const struct config_network *network, enum ruleset_key key)
{
    size_t length = ruleset_key_length(key);

    memcpy(element->first, &network->address, length);
    memcpy(element->last, element->first, length);
    for (size_t bit = network->prefix; bit < length * 8; bit++) {
        uint8_t mask = (uint8_t)(0x80 >> bit % 8);

        element->first[bit / 8] &= (uint8_t)~mask;
        element->last[bit / 8] |= mask;
    }
}

/* The networks of one family; *out is NULL when there is none. */
static int set_add_networks(struct ruleset *ruleset, struct ruleset_set description,
                            const struct config_network *networks, size_t count,
                            const struct ruleset_set **out, struct error *error)
{
    int family = description.key == RULESET_KEY_IPV4 ? AF_INET : AF_INET6;
    size_t wanted = 0;

    *out = NULL;
    for (size_t i = 0; i < count; i++)
        wanted += networks[i].family == family;
    if (wanted == 0)
        return 0;
    struct ruleset_set *set =
        ruleset_add_set(ruleset, description.name, description.key, description.note);
    set->interval = description.interval;
    set->elements = calloc(wanted, sizeof(*set->elements));
    if (!set->elements)
        return error_set_errno(error, EX_TEMPFAIL, "set %s", set->name);
    for (size_t i = 0; i < count; i++)
        if (networks[i].family == family)
            element_from_network(&set->elements[set->element_count++], &networks[i],
                                 description.key);
    set->element_count =
        ruleset_elements_normalise(set->elements, set->element_count, set->key, set->interval);
    *out = set;
    return 0;
}

/* The cheap matches first. */
static void rule_add_leased(struct ruleset_rule *rule, bool syn)
{
    rule_add_set(rule, RULESET_DPORT_IN, RULESET_SET_PORTS);
    if (syn) /* conntrack takes packets of connections it has not seen begin for new ones */
        rule_add_plain(rule, RULESET_SYN);
    rule_add_plain(rule, RULESET_DADDR_LOCAL); /* a router's transit traffic is not ours */
}

static void rule_add_redirect(struct ruleset_rule *rule, const struct config *config)
{
    rule_add_plain(rule, RULESET_COUNTER);
    rule_add_port(rule, RULESET_REDIRECT, config->responder.port);
}

/* The vocabulary of an address family. */
struct family {
    enum ruleset_statement_type match, source_match, address_match, add_source, delete_source;
    const char *redirected, *arrived; /* tags */
    struct ruleset_set addresses, sources, missing;
};

#define FAMILIES 2

static const struct family families[FAMILIES] = {
    {RULESET_FAMILY4, RULESET_SADDR4_IN, RULESET_DADDR4_IN, RULESET_ADD_SADDR4,
     RULESET_DELETE_SADDR4, RULESET_TAG_REDIRECTED4, RULESET_TAG_ARRIVED4,
     .addresses = {.name = "addresses4",
                   .key = RULESET_KEY_IPV4,
                   .note = "local addresses redirected"},
     .sources = {.name = "sources4",
                 .key = RULESET_KEY_IPV4,
                 .interval = true,
                 .note = "who is redirected"},
     .missing = {.name = RULESET_SET_MISSING4, .key = RULESET_KEY_IPV4}},
    {RULESET_FAMILY6, RULESET_SADDR6_IN, RULESET_DADDR6_IN, RULESET_ADD_SADDR6,
     RULESET_DELETE_SADDR6, RULESET_TAG_REDIRECTED6, RULESET_TAG_ARRIVED6,
     .addresses = {.name = "addresses6",
                   .key = RULESET_KEY_IPV6,
                   .note = "local addresses redirected"},
     .sources = {.name = "sources6",
                 .key = RULESET_KEY_IPV6,
                 .interval = true,
                 .note = "who is redirected"},
     .missing = {.name = RULESET_SET_MISSING6, .key = RULESET_KEY_IPV6}},
};

/* What the configuration chooses; NULL: no match. */
struct scope {
    const struct ruleset_set *interfaces, *addresses[FAMILIES], *sources[FAMILIES];
    const struct config *config;
};

bool scope_has_family(const struct scope *scope, size_t family)
{
    return (scope->config->redirect.address_count == 0 || scope->addresses[family]) &&
           (scope->config->redirect.source_count == 0 || scope->sources[family]);
}

static int scope_init(struct scope *scope, struct ruleset *ruleset, const struct config *config,
                      struct error *error)
{
    scope->config = config;
    if (set_add_interfaces(ruleset, config, &scope->interfaces, error) < 0)
        return -1;
    for (size_t i = 0; i < FAMILIES; i++)
        if (set_add_networks(ruleset, families[i].addresses, config->redirect.addresses,
                             config->redirect.address_count, &scope->addresses[i], error) < 0)
            return -1;
    for (size_t i = 0; i < FAMILIES; i++)
        if (set_add_networks(ruleset, families[i].sources, config->redirect.sources,
                             config->redirect.source_count, &scope->sources[i], error) < 0)
            return -1;
    for (size_t i = 0; i < FAMILIES; i++)
        if (scope_has_family(scope, i))
            return 0;
    return error_set(
        error, EX_CONFIG,
        "redirect.addresses and redirect.sources: one has IPv4 only and the other IPv6 only, "
        "nothing would be redirected");
}

void rule_add_scope(struct ruleset_rule *rule, const struct scope *scope, size_t family)
{
    rule_add_plain(rule, families[family].match);
    if (scope->interfaces)
        rule_add_set(rule, RULESET_IIFNAME_IN, scope->interfaces->name);
    if (scope->sources[family])
        rule_add_set(rule, families[family].source_match, scope->sources[family]->name);
    if (scope->addresses[family])
        rule_add_set(rule, families[family].address_match, scope->addresses[family]->name);
}

void rule_add_first_packet(struct ruleset_rule *rule)
{
    rule_add_leased(rule, true);
    /* Made-up sources that the route lookup drops later: nobody's firewall does. */
    rule_add_plain(rule, RULESET_SADDR_REAL);
}

const struct ruleset_set *ruleset_add_missing(struct ruleset *ruleset, size_t family)
{
    struct ruleset_set *missing =
        ruleset_add_set(ruleset, families[family].missing.name, families[family].missing.key,
                        "who was redirected and has not arrived");

    missing->timeout = true;
    missing->size_max = RULESET_MISSING_MAX;
    missing->timeout_ms = RULESET_MISSING_MS;
    return missing;
}

static void chain_add_redirect(struct ruleset *ruleset, struct ruleset_chain *chain,
                               const struct config *config, const struct scope *scope,
                               size_t family)
{
    const struct ruleset_set *missing = ruleset_add_missing(ruleset, family);
    struct ruleset_rule *rule = chain_add_rule(chain, NULL);

    /* A rule of its own: that the set is full must not keep anybody from being redirected. */
    rule_add_scope(rule, scope, family);
    rule_add_first_packet(rule);
    rule_add_set(rule, families[family].add_source, missing->name);

    rule = chain_add_rule(chain, families[family].redirected);
    rule_add_scope(rule, scope, family);
    rule_add_first_packet(rule);
    rule_add_redirect(rule, config);
}

/* A family that a list leaves out is not redirected: it gets no rule. */
static void chain_add_prerouting(struct ruleset *ruleset, struct ruleset_chain *chain,
                                 const struct config *config, const struct scope *scope)
{
    for (size_t i = 0; i < FAMILIES; i++)
        if (scope_has_family(scope, i))
            chain_add_redirect(ruleset, chain, config, scope, i);
}

static void chain_add_output(struct ruleset_chain *chain, const struct config *config)
{
    if (config->other_requests == CONFIG_OTHER_PASS)
        pass_exempt(chain);

    struct ruleset_rule *rule = chain_add_rule(chain, RULESET_TAG_PROBED);
    if (!config->redirect.local)
        rule_add_set(rule, RULESET_SPORT_IN, RULESET_SET_PROBE);
    /* The self-check's port is fresh, so that only `local` can meet older connections. */
    rule_add_leased(rule, config->redirect.local);
    rule_add_redirect(rule, config);
}

static void rule_add_responder(struct ruleset_rule *rule, const struct config *config)
{
    rule_add_plain(rule, RULESET_NOT_LOOPBACK);
    rule_add_port(rule, RULESET_DPORT, config->responder.port);
}

/* Only what conntrack knows as redirected is let in: what is untracked is dropped. */
static void chain_add_guard(struct ruleset_chain *chain, const struct config *config)
{
    struct ruleset_rule *rule = chain_add_rule(chain, NULL);

    rule_add_responder(rule, config);
    rule_add_plain(rule, RULESET_CT_DNAT);
    rule_add_plain(rule, RULESET_ACCEPT);

    rule = chain_add_rule(chain, RULESET_TAG_GUARDED);
    rule_add_responder(rule, config);
    rule_add_plain(rule, RULESET_COUNTER);
    rule_add_plain(rule, RULESET_DROP);
}

/* Each connection counts once, as where it was redirected: whoever sends its first packet again
 * does so because the responder is slow. */
static void chain_add_arrived(const struct ruleset *ruleset, struct ruleset_chain *chain,
                              const struct config *config)
{
    for (size_t i = 0; i < FAMILIES; i++) {
        if (!ruleset_find_set(ruleset, families[i].missing.name))
            continue;
        struct ruleset_rule *rule = chain_add_rule(chain, families[i].arrived);

        rule_add_plain(rule, families[i].match);
        rule_add_responder(rule, config);
        rule_add_plain(rule, RULESET_CT_DNAT_NEW);
        rule_add_plain(rule, RULESET_COUNTER);
        rule_add_set(rule, families[i].delete_source, families[i].missing.name);
    }
}

static void add_redirect(struct ruleset *ruleset, const struct config *config,
                         const struct scope *scope)
{
    struct ruleset_chain *chain;

    chain = ruleset_add_chain(
        ruleset,
        (struct ruleset_chain){.name = RULESET_CHAIN_PREROUTING,
                               .note = "new connections from outside, while there is a lease",
                               .nat = true,
                               .hook = RULESET_HOOK_PREROUTING,
                               .priority = RULESET_PRIORITY_NAT});
    chain_add_prerouting(ruleset, chain, config, scope);
    chain = ruleset_add_chain(
        ruleset, (struct ruleset_chain){
                     .name = RULESET_CHAIN_OUTPUT,
                     .note = config->redirect.local
                                 ? "this host's own new connections, while there is a lease"
                                 : "this host's own connections stay untouched but for the "
                                   "self-check",
                     .nat = true,
                     .hook = RULESET_HOOK_OUTPUT,
                     .priority = RULESET_PRIORITY_NAT});
    chain_add_output(chain, config);
    chain = ruleset_add_chain(
        ruleset, (struct ruleset_chain){.name = RULESET_CHAIN_INPUT,
                                        .note = "the responder is reached through the window only",
                                        .hook = RULESET_HOOK_INPUT,
                                        .priority = RULESET_PRIORITY_GUARD});
    chain_add_guard(chain, config);
    chain = ruleset_add_chain(
        ruleset, (struct ruleset_chain){.name = RULESET_CHAIN_ARRIVED,
                                        .note = "what the host's own filter let through",
                                        .hook = RULESET_HOOK_INPUT,
                                        .priority = RULESET_PRIORITY_ARRIVED});
    chain_add_arrived(ruleset, chain, config);
}

int ruleset_init(struct ruleset *ruleset, const struct config *config, struct error *error)
{
    struct scope scope;

    *ruleset = (struct ruleset){0};
    ruleset_add_set(ruleset, RULESET_SET_PORTS, RULESET_KEY_PORT,
                    "the lease: the redirect is in force while the port is in here")
        ->timeout = true;
    ruleset_add_set(ruleset, RULESET_SET_PROBE, RULESET_KEY_PORT, "source ports of the self-check")
        ->timeout = true;
    if (scope_init(&scope, ruleset, config, error) < 0) {
        ruleset_deinit(ruleset);
        return -1;
    }
    if (config->redirect.method == CONFIG_METHOD_TPROXY)
        tproxy_add(ruleset, config, &scope);
    else
        add_redirect(ruleset, config, &scope);
    if (config->other_requests == CONFIG_OTHER_PASS)
        pass_add(ruleset, config);
    return 0;
}

void ruleset_deinit(struct ruleset *ruleset)
{
    for (size_t i = 0; i < ruleset->set_count; i++)
        free(ruleset->sets[i].elements);
    *ruleset = (struct ruleset){0};
}
