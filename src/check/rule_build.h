// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nftnl_rule;

/*
 * Rules of nftables put together expression by expression, as nft(8) and iptables-nft make them.
 * All use the first register. What memory runs out for leaves the rule without it, and `failed`
 * true.
 */
struct rule_build {
    struct nftnl_rule *rule;
    bool failed;
};

void rule_build_init(struct rule_build *build);

/* NFT_META_*; NFT_CT_*; NFT_PAYLOAD_*, in bytes. */
void rule_build_meta(struct rule_build *build, uint32_t key);
void rule_build_ct(struct rule_build *build, uint32_t key);
void rule_build_payload(struct rule_build *build, uint32_t base, uint32_t offset, uint32_t length);
void rule_build_mask(struct rule_build *build, const void *mask, uint32_t length);
/* NFT_CMP_* */
void rule_build_compare(struct rule_build *build, uint32_t operation, const void *data,
                        uint32_t length);
void rule_build_lookup(struct rule_build *build, const char *set, bool inverted);
/* NF_DROP, NFT_JUMP and the like; `chain` of a jump or goto, else NULL. */
void rule_build_verdict(struct rule_build *build, uint32_t code, const char *chain);
/* An expression without attributes: "notrack", "counter". */
void rule_build_plain(struct rule_build *build, const char *name);
void rule_build_match(struct rule_build *build, const char *name, uint32_t revision,
                      const void *info, uint32_t length);
void rule_build_target(struct rule_build *build, const char *name, uint32_t revision,
                       const void *info, uint32_t length);
