// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>

#include "redirect/ruleset_build.h"
#include "redirect/ruleset_pass.h"

/* Before Docker's masquerading and the like at 100; among equals the last that registered wins. */
#define PRIORITY_RELAY 90
/* Behind every NAT. */
#define PRIORITY_CLOSED 300

/* The vocabulary of an address family. */
struct family {
    bool ipv6;
    enum ruleset_statement_type socket_match, snat;
    enum ruleset_key socket, address;
    const char *passing, *relay, *timeout;
    const char *here, *elsewhere, *closed; /* tags */
};

#define FAMILIES 2

static const struct family families[FAMILIES] = {
    {
        .socket_match = RULESET_SOCKET4_IN,
        .snat = RULESET_SNAT4,
        .socket = RULESET_KEY_IPV4_PORT,
        .address = RULESET_KEY_IPV4,
        .passing = RULESET_SET_PASSING4,
        .relay = RULESET_MAP_RELAY4,
        .timeout = RULESET_TIMEOUT_PASSED4,
        .here = RULESET_TAG_HERE4,
        .elsewhere = RULESET_TAG_ELSEWHERE4,
        .closed = RULESET_TAG_CLOSED4,
    },
    {
        .ipv6 = true,
        .socket_match = RULESET_SOCKET6_IN,
        .snat = RULESET_SNAT6,
        .socket = RULESET_KEY_IPV6_PORT,
        .address = RULESET_KEY_IPV6,
        .passing = RULESET_SET_PASSING6,
        .relay = RULESET_MAP_RELAY6,
        .timeout = RULESET_TIMEOUT_PASSED6,
        .here = RULESET_TAG_HERE6,
        .elsewhere = RULESET_TAG_ELSEWHERE6,
        .closed = RULESET_TAG_CLOSED6,
    },
};

static_assert(FAMILIES == RULESET_TIMEOUTS_MAX, "a timeout for each family");

/* A rule for the upstream sockets of one family. */
static struct ruleset_rule *add_passing(struct ruleset_chain *chain, const struct family *family,
                                        const char *comment)
{
    struct ruleset_rule *rule = chain_add_rule(chain, comment);

    rule_add_set(rule, family->socket_match, family->passing);
    return rule;
}

/* They are never sent back to the responder. And a visitor uses a port again sooner than conntrack
 * would forget the connection that had it: it is told here, where it has not yet confirmed it. */
void pass_exempt(struct ruleset_chain *output)
{
    for (size_t i = 0; i < FAMILIES; i++) {
        struct ruleset_rule *rule = add_passing(output, &families[i], NULL);

        rule_add_set(rule, RULESET_CT_TIMEOUT, families[i].timeout);
        rule_add_plain(rule, RULESET_RETURN);
    }
}

static void add_family(struct ruleset *ruleset, const struct family *family)
{
    struct ruleset_set *set = ruleset_add_set(ruleset, family->passing, family->socket,
                                              "sockets that hand visitors on to production");

    set->timeout = true;
    set = ruleset_add_set(ruleset, family->relay, family->socket,
                          "whose address each of them speaks for");
    set->timeout = true;
    set->map = true;
    set->value = family->address;
    ruleset->timeouts[ruleset->timeout_count++] = (struct ruleset_timeout){
        .name = family->timeout,
        .note = "so that a port the visitor uses again is free again",
        .ipv6 = family->ipv6,
    };
}

static void add_counter(struct ruleset_chain *chain, enum ruleset_statement_type way,
                        const struct family *family, const char *comment)
{
    struct ruleset_rule *rule = chain_add_rule(chain, comment);

    rule_add_plain(rule, way);
    rule_add_set(rule, family->socket_match, family->passing);
    rule_add_plain(rule, RULESET_COUNTER);
}

static void add_postrouting(struct ruleset *ruleset)
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
        rule_add_set(chain_add_rule(chain, NULL), families[i].snat, families[i].relay);
    }
}

static void add_closed(struct ruleset *ruleset)
{
    struct ruleset_chain *chain = ruleset_add_chain(
        ruleset,
        (struct ruleset_chain){.name = RULESET_CHAIN_CLOSED,
                               .note = "an address of this host in place of the visitor's: never",
                               .hook = RULESET_HOOK_POSTROUTING,
                               .priority = PRIORITY_CLOSED});

    /* A filter chain sees every packet of this host: all but the first of a connection leave it at
     * the first rule. */
    struct ruleset_rule *rule = chain_add_rule(chain, NULL);
    rule_add_plain(rule, RULESET_NOT_SYN);
    rule_add_plain(rule, RULESET_RETURN);
    for (size_t i = 0; i < FAMILIES; i++) {
        rule = add_passing(chain, &families[i], families[i].closed);

        rule_add_plain(rule, RULESET_COUNTER);
        rule_add_plain(rule, RULESET_DROP);
    }
}

void pass_add(struct ruleset *ruleset)
{
    for (size_t i = 0; i < FAMILIES; i++)
        add_family(ruleset, &families[i]);
    add_postrouting(ruleset);
    add_closed(ruleset);
}
