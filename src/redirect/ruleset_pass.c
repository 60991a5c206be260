// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>

#include "redirect/ruleset_build.h"
#include "redirect/ruleset_pass.h"

/* Before any other NAT; the kernel takes none at -200, where conntrack begins. */
#define PRIORITY_RELAY (-199)
/* Behind every NAT. */
#define PRIORITY_CLOSED 300

/* The vocabulary of an address family. */
struct family {
    bool ipv6;
    enum ruleset_statement_type match, snat;
    enum ruleset_key socket, address;
    const char *relay, *timeout;
    const char *here, *elsewhere, *closed; /* tags */
};

#define FAMILIES 2

static const struct family families[FAMILIES] = {
    {
        .match = RULESET_FAMILY4,
        .snat = RULESET_SNAT4,
        .socket = RULESET_KEY_IPV4_PORT,
        .address = RULESET_KEY_IPV4,
        .relay = RULESET_MAP_RELAY4,
        .timeout = RULESET_TIMEOUT_PASSED4,
        .here = RULESET_TAG_HERE4,
        .elsewhere = RULESET_TAG_ELSEWHERE4,
        .closed = RULESET_TAG_CLOSED4,
    },
    {
        .ipv6 = true,
        .match = RULESET_FAMILY6,
        .snat = RULESET_SNAT6,
        .socket = RULESET_KEY_IPV6_PORT,
        .address = RULESET_KEY_IPV6,
        .relay = RULESET_MAP_RELAY6,
        .timeout = RULESET_TIMEOUT_PASSED6,
        .here = RULESET_TAG_HERE6,
        .elsewhere = RULESET_TAG_ELSEWHERE6,
        .closed = RULESET_TAG_CLOSED6,
    },
};

static_assert(2 * FAMILIES == RULESET_TIMEOUTS_MAX, "two timeouts for each family");

/* A rule for upstream sockets; what others send leaves it at once. */
static struct ruleset_rule *add_upstream(struct ruleset_chain *chain, const char *comment)
{
    struct ruleset_rule *rule = chain_add_rule(chain, comment);

    rule_add_plain(rule, RULESET_UPSTREAM);
    return rule;
}

static void rule_add_drop(struct ruleset_rule *rule)
{
    rule_add_plain(rule, RULESET_COUNTER);
    rule_add_plain(rule, RULESET_DROP);
}

/* They are never sent back to the responder. And a visitor uses a port again sooner than conntrack
 * would forget the connection that had it: it is told here, where it has not yet confirmed it. */
void pass_exempt(struct ruleset_chain *output)
{
    for (size_t i = 0; i < FAMILIES; i++) {
        struct ruleset_rule *rule = add_upstream(output, NULL);

        rule_add_plain(rule, families[i].match);
        rule_add_set(rule, RULESET_CT_TIMEOUT, families[i].timeout);
        rule_add_plain(rule, RULESET_RETURN);
    }
}

static void add_family(struct ruleset *ruleset, const struct family *family)
{
    struct ruleset_set *map =
        ruleset_add_set(ruleset, family->relay, family->socket,
                        "whose address the sockets speak for that hand visitors on to production");

    map->timeout = true;
    map->map = true;
    map->value = family->address;
    ruleset->timeouts[ruleset->timeout_count++] = (struct ruleset_timeout){
        .name = family->timeout,
        .note = "so that a port the visitor uses again is free again",
        .ipv6 = family->ipv6,
    };
}

static void add_counter(struct ruleset_chain *chain, enum ruleset_statement_type way,
                        const struct family *family, const char *comment)
{
    struct ruleset_rule *rule = add_upstream(chain, comment);

    rule_add_plain(rule, way);
    rule_add_plain(rule, family->match);
    rule_add_plain(rule, RULESET_COUNTER);
}

/* To no other port may anybody be spoken for. */
static void add_snat(struct ruleset_chain *chain, const struct family *family, uint16_t port)
{
    struct ruleset_rule *rule = add_upstream(chain, NULL);

    rule_add_plain(rule, RULESET_SYN);
    rule_add_port(rule, RULESET_CT_DPORT, port);
    rule_add_set(rule, family->snat, family->relay);
}

/* Who is left speaks for nobody. Somebody's masquerading behind this chain would look to `closed`
 * like the visitor's address, where the visitor may be this host. */
static void add_unmapped(struct ruleset_chain *chain, const struct family *family)
{
    struct ruleset_rule *rule = add_upstream(chain, family->closed);

    rule_add_plain(rule, family->match);
    rule_add_plain(rule, RULESET_SYN);
    rule_add_drop(rule);
}

static void add_postrouting(struct ruleset *ruleset, const struct config *config)
{
    struct ruleset_chain *chain = ruleset_add_chain(
        ruleset, (struct ruleset_chain){.name = RULESET_CHAIN_POSTROUTING,
                                        .note = "production sees the visitor's own address",
                                        .nat = true,
                                        .hook = RULESET_HOOK_POSTROUTING,
                                        .priority = PRIORITY_RELAY});

    for (size_t i = 0; i < FAMILIES; i++) {
        add_counter(chain, RULESET_OUT_LOOPBACK, &families[i], families[i].here);
        add_counter(chain, RULESET_OUT_NOT_LOOPBACK, &families[i], families[i].elsewhere);
        add_snat(chain, &families[i], config->redirect.port);
        add_unmapped(chain, &families[i]);
    }
}

/* First packets only: a connection that conntrack has lost ends with a reset, not in silence. */
static void add_closed(struct ruleset *ruleset, const struct config *config)
{
    struct ruleset_chain *chain = ruleset_add_chain(
        ruleset,
        (struct ruleset_chain){.name = RULESET_CHAIN_CLOSED,
                               .note = "an address of this host in place of the visitor's: never",
                               .hook = RULESET_HOOK_POSTROUTING,
                               .priority = PRIORITY_CLOSED});

    /* A filter chain sees every packet of this host: all others leave it at the first rule. */
    struct ruleset_rule *rule = chain_add_rule(chain, NULL);
    rule_add_plain(rule, RULESET_NOT_UPSTREAM);
    rule_add_plain(rule, RULESET_RETURN);
    rule = chain_add_rule(chain, NULL);
    rule_add_plain(rule, RULESET_NOT_SYN);
    rule_add_plain(rule, RULESET_RETURN);

    /* Somebody's DNAT sends production's port to the responder, and the visitor in circles. */
    rule = chain_add_rule(chain, RULESET_TAG_LOOPED);
    rule_add_plain(rule, RULESET_OUT_LOOPBACK);
    rule_add_port(rule, RULESET_DPORT, config->responder.port);
    rule_add_drop(rule);

    /* With `local` a visitor's address may be this host's: then only that it was given tells. */
    if (config->redirect.local) {
        rule = chain_add_rule(chain, NULL);
        rule_add_plain(rule, RULESET_CT_SNAT);
        rule_add_plain(rule, RULESET_RETURN);
    }
    for (size_t i = 0; i < FAMILIES; i++) {
        rule = chain_add_rule(chain, families[i].closed);
        rule_add_plain(rule, families[i].match);
        if (!config->redirect.local)
            rule_add_plain(rule, RULESET_SADDR_LOCAL);
        rule_add_drop(rule);
    }
}

void pass_add(struct ruleset *ruleset, const struct config *config)
{
    for (size_t i = 0; i < FAMILIES; i++)
        add_family(ruleset, &families[i]);
    add_postrouting(ruleset, config);
    add_closed(ruleset, config);
}
