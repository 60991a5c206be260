// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nftnl_expr;
struct nftnl_rule;

/* The expressions that statements are made of, each appended to a rule; in the comments as nft(8)
 * shows them (--debug=netlink). */

struct builder {
    struct nftnl_rule *rule;
    bool tcp_matched; /* nft says "meta l4proto tcp" once a rule */
    int family_matched;
    bool failed; /* sticky */
};

/* One without attributes; NULL when out of memory. */
struct nftnl_expr *expression_add(struct builder *builder, const char *name);

/* [ meta load KEY => reg 1 ] */
void add_meta(struct builder *builder, uint32_t key);
/* [ cmp OP reg 1 DATA ] */
void add_compare(struct builder *builder, uint32_t operation, const void *data, uint32_t length);
/* [ payload load LENGTHb @ BASE header + OFFSET => reg 1, or the register `to` ] */
void add_payload(struct builder *builder, uint32_t base, size_t offset, size_t length);
void add_payload_to(struct builder *builder, uint32_t base, size_t offset, size_t length,
                    uint32_t to);
/* [ lookup reg 1 set NAME ] */
void add_lookup(struct builder *builder, const char *set);
/* [ lookup reg 1 set NAME dreg 1 ] */
void add_map_lookup(struct builder *builder, const char *map);
/* [ bitwise reg 1 = ( reg 1 & MASK ) ^ 0 ] */
void add_mask(struct builder *builder, const void *mask, uint32_t length);
/* [ immediate reg 0 VERDICT ] */
void add_verdict(struct builder *builder, uint32_t verdict);

/* meta nfproto FAMILY, unless the rule has matched it */
void match_family(struct builder *builder, uint8_t family);
/* meta l4proto tcp, the same */
void match_tcp(struct builder *builder);

/* [ payload load the source address => reg 1 ], the destination's; of the family, which is matched
 */
void add_source(struct builder *builder, uint8_t family);
void add_destination(struct builder *builder, uint8_t family);
/* ip saddr . tcp sport, ip6 saddr . tcp sport: from register 1 on, each part padded to four bytes
 */
void add_socket(struct builder *builder, uint8_t family);
/* [ dynset OPERATION reg_key 1 set NAME ] */
void add_set_change(struct builder *builder, uint32_t operation, const char *set);
