// SPDX-License-Identifier: GPL-2.0-or-later
#include "check/legacy.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include "check/rule_build.h"

/* One rule out of the bytes, whichever family it is of. */
struct entry {
    size_t offset, next;
    const uint8_t *matches;
    size_t matches_length;
    const uint8_t *target; /* struct xt_entry_target and what follows */
    size_t target_length;
    struct ipt_ip ip4; /* one of the two */
    struct ip6t_ip6 ip6;
};

/* Where each chain begins, for jumps; the number of it in the firewall. */
struct start {
    size_t offset, chain;
};

struct reader {
    struct firewall *firewall;
    const struct legacy_table *table;
    struct start *starts;
    size_t start_count;
    size_t current; /* the chain that the rules at present belong to */
    bool bad;
};

static bool read_entry(const struct legacy_table *table, size_t offset, struct entry *out)
{
    const uint8_t *bytes = (const uint8_t *)table->bytes + offset;
    size_t left = table->length - offset, head, target, next;

    *out = (struct entry){.offset = offset};
    if (table->ipv6) {
        struct ip6t_entry entry;

        head = sizeof(entry);
        if (left < head)
            return false;
        memcpy(&entry, bytes, head);
        out->ip6 = entry.ipv6;
        target = entry.target_offset;
        next = entry.next_offset;
    } else {
        struct ipt_entry entry;

        head = sizeof(entry);
        if (left < head)
            return false;
        memcpy(&entry, bytes, head);
        out->ip4 = entry.ip;
        target = entry.target_offset;
        next = entry.next_offset;
    }
    if (target < head || next > left || target > next ||
        next - target < sizeof(struct xt_entry_target))
        return false;
    out->next = offset + next;
    out->matches = bytes + head;
    out->matches_length = target - head;
    out->target = bytes + target;
    out->target_length = next - target;
    return true;
}

static const char *target_name(const struct entry *entry)
{
    const char *name = (const char *)entry->target + offsetof(struct xt_entry_target, u.user.name);

    return memchr(name, '\0', XT_EXTENSION_MAXNAMELEN) ? name : "?";
}

static int32_t standard_verdict(const struct entry *entry)
{
    int32_t verdict = -1;

    if (entry->target_length >= sizeof(struct xt_entry_target) + sizeof(verdict))
        memcpy(&verdict, entry->target + sizeof(struct xt_entry_target), sizeof(verdict));
    return verdict;
}

/* The name that a chain of the user's begins with; NULL: this is none. */
static const char *chain_name(const struct entry *entry)
{
    const char *name = (const char *)entry->target + sizeof(struct xt_entry_target);
    size_t room = entry->target_length - sizeof(struct xt_entry_target);

    if (strcmp(target_name(entry), XT_ERROR_TARGET) != 0 || !memchr(name, '\0', room))
        return NULL;
    return name;
}

static int hook_at(const unsigned int offsets[LEGACY_HOOKS], const struct legacy_table *table,
                   size_t offset)
{
    for (int hook = 0; hook < LEGACY_HOOKS; hook++)
        if (table->valid_hooks & 1U << hook && offsets[hook] == offset)
            return hook;
    return -1;
}

static int32_t priority_of(const char *table, int hook)
{
    if (strcmp(table, "raw") == 0)
        return -300;
    if (strcmp(table, "mangle") == 0)
        return -150;
    if (strcmp(table, "nat") == 0)
        return hook == NF_INET_PRE_ROUTING || hook == NF_INET_LOCAL_OUT ? -100 : 100;
    return strcmp(table, "security") == 0 ? 50 : 0;
}

static void start_chain(struct reader *reader, const char *name, int hook, size_t offset)
{
    static const char *const names[LEGACY_HOOKS] = {"PREROUTING", "INPUT", "FORWARD", "OUTPUT",
                                                    "POSTROUTING"};
    const struct legacy_table *table = reader->table;
    struct start *larger =
        reallocarray(reader->starts, reader->start_count + 1, sizeof(*reader->starts));
    struct firewall_chain *chain =
        firewall_add_chain(reader->firewall, table->ipv6 ? NFPROTO_IPV6 : NFPROTO_IPV4, table->name,
                           name ? name : names[hook]);

    if (larger)
        reader->starts = larger;
    if (!larger || !chain) {
        reader->bad = true;
        return;
    }
    chain->origin = FIREWALL_LEGACY;
    reader->starts[reader->start_count++] =
        (struct start){offset, reader->firewall->chain_count - 1};
    if (name)
        return;
    chain->base = true;
    chain->hook = (uint32_t)hook;
    chain->priority = priority_of(table->name, hook);
    strncat(chain->type, strcmp(table->name, "nat") == 0 ? "nat" : "filter",
            sizeof(chain->type) - 1);
}

static void find_chains(struct reader *reader)
{
    const struct legacy_table *table = reader->table;
    struct entry entry;

    for (size_t offset = 0; offset < table->length && !reader->bad; offset = entry.next) {
        int hook = hook_at(table->begin, table, offset);

        if (!read_entry(table, offset, &entry)) {
            reader->bad = true;
            return;
        }
        if (hook >= 0)
            start_chain(reader, NULL, hook, offset);
        const char *name = chain_name(&entry);
        if (name && entry.next < table->length) /* not the end of the table */
            start_chain(reader, name, -1, entry.next);
    }
}

static void add_interface(struct rule_build *build, uint32_t key, const char *name,
                          const unsigned char *mask, bool inverted)
{
    uint32_t length = 0;

    while (length < IFNAMSIZ && mask[length] != 0)
        length++;
    if (length == 0)
        return;
    rule_build_meta(build, key);
    rule_build_compare(build, inverted ? NFT_CMP_NEQ : NFT_CMP_EQ, name, length);
}

static void add_address(struct rule_build *build, uint32_t offset, const void *address,
                        const void *mask, uint32_t length, bool inverted)
{
    static const uint8_t zero[16] = {0};

    if (memcmp(mask, zero, length) == 0)
        return;
    rule_build_payload(build, NFT_PAYLOAD_NETWORK_HEADER, offset, length);
    rule_build_mask(build, mask, length);
    rule_build_compare(build, inverted ? NFT_CMP_NEQ : NFT_CMP_EQ, address, length);
}

static void add_protocol(struct rule_build *build, uint16_t protocol, bool inverted)
{
    uint8_t byte = (uint8_t)protocol;

    if (protocol == 0)
        return;
    rule_build_meta(build, NFT_META_L4PROTO);
    rule_build_compare(build, inverted ? NFT_CMP_NEQ : NFT_CMP_EQ, &byte, 1);
}

static void add_head4(struct rule_build *build, const struct ipt_ip *ip)
{
    add_interface(build, NFT_META_IIFNAME, ip->iniface, ip->iniface_mask,
                  ip->invflags & IPT_INV_VIA_IN);
    add_interface(build, NFT_META_OIFNAME, ip->outiface, ip->outiface_mask,
                  ip->invflags & IPT_INV_VIA_OUT);
    add_address(build, 12, &ip->src, &ip->smsk, 4, ip->invflags & IPT_INV_SRCIP);
    add_address(build, 16, &ip->dst, &ip->dmsk, 4, ip->invflags & IPT_INV_DSTIP);
    add_protocol(build, ip->proto, ip->invflags & IPT_INV_PROTO);
    if (ip->flags & IPT_F_FRAG) { /* the first packet of TCP is none */
        rule_build_meta(build, NFT_META_NFPROTO);
        rule_build_compare(build, ip->invflags & IPT_INV_FRAG ? NFT_CMP_EQ : NFT_CMP_NEQ,
                           &(uint8_t){NFPROTO_IPV4}, 1);
    }
}

static void add_head6(struct rule_build *build, const struct ip6t_ip6 *ip)
{
    add_interface(build, NFT_META_IIFNAME, ip->iniface, ip->iniface_mask,
                  ip->invflags & IP6T_INV_VIA_IN);
    add_interface(build, NFT_META_OIFNAME, ip->outiface, ip->outiface_mask,
                  ip->invflags & IP6T_INV_VIA_OUT);
    add_address(build, 8, &ip->src, &ip->smsk, 16, ip->invflags & IP6T_INV_SRCIP);
    add_address(build, 24, &ip->dst, &ip->dmsk, 16, ip->invflags & IP6T_INV_DSTIP);
    add_protocol(build, ip->proto, ip->invflags & IP6T_INV_PROTO);
}

static bool add_matches(struct rule_build *build, const struct entry *entry)
{
    for (size_t at = 0; at < entry->matches_length;) {
        size_t left = entry->matches_length - at;
        struct xt_entry_match match;

        if (left < sizeof(match))
            return false;
        memcpy(&match, entry->matches + at, sizeof(match));
        size_t size = match.u.match_size;
        if (size < sizeof(match) || size > left ||
            !memchr(match.u.user.name, '\0', sizeof(match.u.user.name)))
            return false;
        rule_build_match(build, match.u.user.name, match.u.user.revision,
                         entry->matches + at + sizeof(match), (uint32_t)(size - sizeof(match)));
        at += size;
    }
    return true;
}

static const char *chain_at(const struct reader *reader, size_t offset)
{
    for (size_t i = 0; i < reader->start_count; i++)
        if (reader->starts[i].offset == offset)
            return reader->firewall->chains[reader->starts[i].chain].name;
    return NULL;
}

/* The kernel's verdicts: -1 - NF_DROP and so on, -NF_REPEAT - 1 for a return, else where to jump;
 * a jump to the next rule is a rule without a target. */
static void add_standard(const struct reader *reader, struct rule_build *build,
                         const struct entry *entry)
{
    int32_t verdict = standard_verdict(entry);
    bool goes =
        reader->table->ipv6 ? entry->ip6.flags & IP6T_F_GOTO : entry->ip4.flags & IPT_F_GOTO;

    if (verdict == XT_RETURN)
        rule_build_verdict(build, (uint32_t)NFT_RETURN, NULL);
    else if (verdict < 0)
        rule_build_verdict(build, (uint32_t)(-verdict - 1), NULL);
    else if ((size_t)verdict != entry->next)
        rule_build_verdict(build, (uint32_t)(goes ? NFT_GOTO : NFT_JUMP),
                           chain_at(reader, (size_t)verdict));
}

static void take_policy(struct firewall_chain *chain, const struct entry *entry)
{
    chain->policy = standard_verdict(entry) == -NF_DROP - 1 ? NF_DROP : NF_ACCEPT;
}

static bool add_rule(const struct reader *reader, struct firewall_chain *chain,
                     const struct entry *entry)
{
    struct rule_build build;
    const char *name = target_name(entry);

    rule_build_init(&build);
    if (reader->table->ipv6)
        add_head6(&build, &entry->ip6);
    else
        add_head4(&build, &entry->ip4);
    bool good = add_matches(&build, entry);
    if (name[0] == '\0')
        add_standard(reader, &build, entry);
    else
        rule_build_target(&build, name,
                          entry->target[offsetof(struct xt_entry_target, u.user.revision)],
                          entry->target + sizeof(struct xt_entry_target),
                          (uint32_t)(entry->target_length - sizeof(struct xt_entry_target)));
    if (build.failed || !good) {
        if (build.rule)
            nftnl_rule_free(build.rule);
        return false;
    }
    return firewall_add_rule(reader->firewall, chain, build.rule);
}

static void add_rules(struct reader *reader)
{
    const struct legacy_table *table = reader->table;
    struct firewall_chain *chain = NULL;
    struct entry entry;

    for (size_t offset = 0; offset < table->length && !reader->bad; offset = entry.next) {
        int policy = hook_at(table->end, table, offset);

        for (size_t i = 0; i < reader->start_count; i++)
            if (reader->starts[i].offset == offset)
                chain = &reader->firewall->chains[reader->starts[i].chain];
        if (!read_entry(table, offset, &entry) || (!chain && !chain_name(&entry))) {
            reader->bad = true;
            return;
        }
        if (!chain || chain_name(&entry))
            continue;
        if (policy >= 0 && chain->base)
            take_policy(chain, &entry);
        else
            reader->bad |= !add_rule(reader, chain, &entry);
    }
}

bool legacy_take(struct firewall *firewall, const struct legacy_table *table)
{
    struct reader reader = {.firewall = firewall, .table = table};

    find_chains(&reader);
    add_rules(&reader);
    free(reader.starts);
    return !reader.bad;
}
