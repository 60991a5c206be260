// SPDX-License-Identifier: GPL-2.0-or-later
#include "check/firewall.h"

#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

void firewall_init(struct firewall *firewall)
{
    *firewall = (struct firewall){0};
}

void firewall_deinit(struct firewall *firewall)
{
    for (size_t i = 0; i < firewall->chain_count; i++) {
        struct firewall_chain *chain = &firewall->chains[i];

        for (size_t j = 0; j < chain->rule_count; j++)
            nftnl_rule_free(chain->rules[j]);
        free(chain->rules);
        free(chain->devices);
        free(chain->table);
        free(chain->name);
    }
    for (size_t i = 0; i < firewall->set_count; i++)
        nftnl_set_free(firewall->sets[i]);
    free(firewall->chains);
    free(firewall->sets);
    firewall_init(firewall);
}

/* One more at the end; NULL when out of memory. The array grows at powers of two. */
static void *grow(struct firewall *firewall, void *array, size_t count, size_t size)
{
    void *larger = array;

    if ((count & (count - 1)) == 0)
        larger = reallocarray(array, count == 0 ? 1 : count * 2, size);
    if (!larger)
        firewall->out_of_memory = true;
    return larger;
}

struct firewall_chain *firewall_add_chain(struct firewall *firewall, uint8_t family,
                                          const char *table, const char *name)
{
    struct firewall_chain *larger =
        grow(firewall, firewall->chains, firewall->chain_count, sizeof(*larger));

    if (!larger)
        return NULL;
    firewall->chains = larger;
    struct firewall_chain *chain = &larger[firewall->chain_count];
    *chain = (struct firewall_chain){
        .family = family, .table = strdup(table), .name = strdup(name), .policy = NF_ACCEPT};
    if (!chain->table || !chain->name) {
        free(chain->table);
        free(chain->name);
        firewall->out_of_memory = true;
        return NULL;
    }
    firewall->chain_count++;
    return chain;
}

bool firewall_add_rule(struct firewall *firewall, struct firewall_chain *chain,
                       struct nftnl_rule *rule)
{
    struct nftnl_rule **larger = grow(firewall, chain->rules, chain->rule_count, sizeof(*larger));

    if (!larger) {
        nftnl_rule_free(rule);
        return false;
    }
    chain->rules = larger;
    chain->rules[chain->rule_count++] = rule;
    return true;
}

bool firewall_add_set(struct firewall *firewall, struct nftnl_set *set)
{
    struct nftnl_set **larger =
        grow(firewall, firewall->sets, firewall->set_count, sizeof(*larger));

    if (!larger) {
        nftnl_set_free(set);
        return false;
    }
    firewall->sets = larger;
    firewall->sets[firewall->set_count++] = set;
    return true;
}

const struct firewall_chain *firewall_find_chain(const struct firewall *firewall, uint8_t family,
                                                 const char *table, const char *name,
                                                 enum firewall_origin origin)
{
    for (size_t i = 0; i < firewall->chain_count; i++) {
        const struct firewall_chain *chain = &firewall->chains[i];

        if (chain->family == family && chain->origin == origin &&
            strcmp(chain->table, table) == 0 && strcmp(chain->name, name) == 0)
            return chain;
    }
    return NULL;
}

struct nftnl_set *firewall_find_set(const struct firewall *firewall, uint8_t family,
                                    const char *table, const char *name)
{
    for (size_t i = 0; i < firewall->set_count; i++) {
        struct nftnl_set *set = firewall->sets[i];

        if (nftnl_set_get_u32(set, NFTNL_SET_FAMILY) == family &&
            strcmp(nftnl_set_get_str(set, NFTNL_SET_TABLE), table) == 0 &&
            strcmp(nftnl_set_get_str(set, NFTNL_SET_NAME), name) == 0)
            return set;
    }
    return NULL;
}

static void take_devices(struct firewall *firewall, struct firewall_chain *chain,
                         const struct nftnl_chain *from)
{
    const char *const *names = NULL;
    const char *one = NULL;
    size_t count = 0;

    if (nftnl_chain_is_set(from, NFTNL_CHAIN_DEVICES))
        names = nftnl_chain_get_array(from, NFTNL_CHAIN_DEVICES);
    else if (nftnl_chain_is_set(from, NFTNL_CHAIN_DEV))
        one = nftnl_chain_get_str(from, NFTNL_CHAIN_DEV);
    while (names && names[count])
        count++;
    if (one)
        count = 1;
    if (count == 0)
        return;
    chain->devices = calloc(count, sizeof(*chain->devices));
    if (!chain->devices) {
        firewall->out_of_memory = true;
        return;
    }
    for (; chain->device_count < count; chain->device_count++)
        strncat(chain->devices[chain->device_count], one ? one : names[chain->device_count],
                sizeof(*chain->devices) - 1);
}

static void take_chain(struct firewall *firewall, const struct nftnl_chain *from)
{
    const char *table = nftnl_chain_get_str(from, NFTNL_CHAIN_TABLE);
    const char *name = nftnl_chain_get_str(from, NFTNL_CHAIN_NAME);
    struct firewall_chain *chain = NULL;

    if (table && name)
        chain = firewall_add_chain(firewall, (uint8_t)nftnl_chain_get_u32(from, NFTNL_CHAIN_FAMILY),
                                   table, name);
    if (!chain || !nftnl_chain_is_set(from, NFTNL_CHAIN_HOOKNUM))
        return;
    chain->base = true;
    chain->hook = nftnl_chain_get_u32(from, NFTNL_CHAIN_HOOKNUM);
    chain->priority = nftnl_chain_get_s32(from, NFTNL_CHAIN_PRIO);
    if (nftnl_chain_is_set(from, NFTNL_CHAIN_POLICY))
        chain->policy = nftnl_chain_get_u32(from, NFTNL_CHAIN_POLICY);
    if (nftnl_chain_is_set(from, NFTNL_CHAIN_TYPE))
        strncat(chain->type, nftnl_chain_get_str(from, NFTNL_CHAIN_TYPE), sizeof(chain->type) - 1);
    take_devices(firewall, chain, from);
}

static void take_chain_message(struct firewall *firewall, const struct nlmsghdr *header)
{
    struct nftnl_chain *chain = nftnl_chain_alloc();

    if (!chain)
        firewall->out_of_memory = true;
    else if (nftnl_chain_nlmsg_parse(header, chain) >= 0)
        take_chain(firewall, chain);
    if (chain)
        nftnl_chain_free(chain);
}

static void take_rule_message(struct firewall *firewall, const struct nlmsghdr *header)
{
    struct nftnl_rule *rule = nftnl_rule_alloc();
    struct firewall_chain *chain = NULL;

    if (!rule) {
        firewall->out_of_memory = true;
        return;
    }
    if (nftnl_rule_nlmsg_parse(header, rule) >= 0 && nftnl_rule_is_set(rule, NFTNL_RULE_TABLE) &&
        nftnl_rule_is_set(rule, NFTNL_RULE_CHAIN))
        chain = (struct firewall_chain *)firewall_find_chain(
            firewall, (uint8_t)nftnl_rule_get_u32(rule, NFTNL_RULE_FAMILY),
            nftnl_rule_get_str(rule, NFTNL_RULE_TABLE), nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN),
            FIREWALL_NFTABLES);
    if (chain)
        firewall_add_rule(firewall, chain, rule);
    else
        nftnl_rule_free(rule);
}

static void take_set_message(struct firewall *firewall, const struct nlmsghdr *header)
{
    struct nftnl_set *set = nftnl_set_alloc();

    if (!set) {
        firewall->out_of_memory = true;
        return;
    }
    if (nftnl_set_nlmsg_parse(header, set) >= 0 && nftnl_set_is_set(set, NFTNL_SET_TABLE) &&
        nftnl_set_is_set(set, NFTNL_SET_NAME))
        firewall_add_set(firewall, set);
    else
        nftnl_set_free(set);
}

/* libnftnl adds the elements of a message to those that the set has already. */
static void take_elements_message(struct firewall *firewall, const struct nlmsghdr *header)
{
    struct nftnl_set *target = nftnl_set_alloc(), *set = NULL;

    if (!target) {
        firewall->out_of_memory = true;
        return;
    }
    if (nftnl_set_elems_nlmsg_parse(header, target) >= 0 &&
        nftnl_set_is_set(target, NFTNL_SET_TABLE) && nftnl_set_is_set(target, NFTNL_SET_NAME))
        set = firewall_find_set(firewall, (uint8_t)nftnl_set_get_u32(target, NFTNL_SET_FAMILY),
                                nftnl_set_get_str(target, NFTNL_SET_TABLE),
                                nftnl_set_get_str(target, NFTNL_SET_NAME));
    if (set && nftnl_set_elems_nlmsg_parse(header, set) < 0)
        firewall->out_of_memory = true;
    nftnl_set_free(target);
}

void firewall_take(struct firewall *firewall, const struct nlmsghdr *header)
{
    switch (header->nlmsg_type) {
    case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN:
        take_chain_message(firewall, header);
        break;
    case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE:
        take_rule_message(firewall, header);
        break;
    case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSET:
        take_set_message(firewall, header);
        break;
    case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM:
        take_elements_message(firewall, header);
        break;
    default:
        break;
    }
}

const char *firewall_family(uint8_t family)
{
    switch (family) {
    case NFPROTO_INET:
        return "inet";
    case NFPROTO_IPV4:
        return "ip";
    case NFPROTO_IPV6:
        return "ip6";
    case NFPROTO_NETDEV:
        return "netdev";
    case NFPROTO_ARP:
        return "arp";
    case NFPROTO_BRIDGE:
        return "bridge";
    default:
        return "?";
    }
}
