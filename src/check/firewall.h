// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wicket/error.h"

struct nftnl_rule;
struct nftnl_set;
struct nlmsghdr;

/*
 * The rules of this network namespace as data: those of nftables, iptables-nft among them, as the
 * kernel tells them, and those of iptables-legacy translated into the same (legacy.c). Filled in
 * message by message, so that tests need no kernel.
 */

/* Where legacy tables stand among nftables chains of the same priority is not known; only who has
 * to be called to change them differs. */
enum firewall_origin { FIREWALL_NFTABLES, FIREWALL_LEGACY };

struct firewall_chain {
    enum firewall_origin origin;
    uint8_t family; /* NFPROTO_* */
    char *table, *name;
    bool base;
    uint32_t hook; /* of a base chain: NF_INET_*, or NF_NETDEV_* */
    int32_t priority;
    char type[8];    /* "filter", "nat", "route" */
    uint32_t policy; /* NF_ACCEPT or NF_DROP */
    char (*devices)[16];
    size_t device_count; /* of an ingress or egress chain */
    struct nftnl_rule **rules;
    size_t rule_count;
};

struct firewall {
    struct firewall_chain *chains;
    size_t chain_count;
    struct nftnl_set **sets;
    size_t set_count;
    bool out_of_memory; /* sticky: then it is not whole */
};

void firewall_init(struct firewall *firewall);
void firewall_deinit(struct firewall *firewall);

/* Takes one message of a dump: a chain, a rule, a set, elements of a set; others are ignored. What
 * a message belongs to must have been taken before. */
void firewall_take(struct firewall *firewall, const struct nlmsghdr *header);

/* The same for a chain or rule made by hand, which become the firewall's. */
struct firewall_chain *firewall_add_chain(struct firewall *firewall, uint8_t family,
                                          const char *table, const char *name);
bool firewall_add_rule(struct firewall *firewall, struct firewall_chain *chain,
                       struct nftnl_rule *rule);
bool firewall_add_set(struct firewall *firewall, struct nftnl_set *set);

const struct firewall_chain *firewall_find_chain(const struct firewall *firewall, uint8_t family,
                                                 const char *table, const char *name,
                                                 enum firewall_origin origin);
/* NULL when there is none. */
struct nftnl_set *firewall_find_set(const struct firewall *firewall, uint8_t family,
                                    const char *table, const char *name);

/* Reads the kernel's nftables; needs CAP_NET_ADMIN (77). A kernel without nftables has no rules. */
int firewall_read(struct firewall *firewall, struct error *error);

/* "inet", "ip", "ip6", "netdev", … */
const char *firewall_family(uint8_t family);
