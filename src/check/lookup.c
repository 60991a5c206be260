// SPDX-License-Identifier: GPL-2.0-or-later
#include "check/lookup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libnftnl/expr.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#define FIELDS_MAX 16

/* An element of a set with the keys that it stands for, both included. */
struct entry {
    struct nftnl_set_elem *element;
    uint8_t first[BITS_MAX], last[BITS_MAX];
    bool end; /* of an interval: only where the one before it ends */
};

struct entries {
    struct entry *list;
    size_t count;
    size_t length;               /* of a key */
    struct nftnl_set_elem *rest; /* for what is in no other; NULL: none */
    bool bad;                    /* out of memory, or of a kind that is not understood */
};

struct fields {
    uint8_t lengths[FIELDS_MAX];
    size_t count;
};

static uint32_t flags_of(const struct nftnl_set_elem *element)
{
    return nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_FLAGS)
               ? nftnl_set_elem_get_u32((struct nftnl_set_elem *)element, NFTNL_SET_ELEM_FLAGS)
               : 0;
}

static const uint8_t *key_of(struct nftnl_set_elem *element, uint16_t attribute, size_t length)
{
    uint32_t bytes = 0;
    const uint8_t *key = NULL;

    if (nftnl_set_elem_is_set(element, attribute))
        key = nftnl_set_elem_get(element, attribute, &bytes);
    return bytes >= length ? key : NULL;
}

static int collect(struct nftnl_set_elem *element, void *context)
{
    struct entries *entries = context;
    const uint8_t *first = key_of(element, NFTNL_SET_ELEM_KEY, entries->length);
    const uint8_t *last = key_of(element, NFTNL_SET_ELEM_KEY_END, entries->length);

    if (flags_of(element) & NFT_SET_ELEM_CATCHALL) {
        entries->rest = element;
        return 0;
    }
    if (!first)
        return 0;
    if ((entries->count & (entries->count - 1)) == 0) {
        struct entry *larger =
            reallocarray(entries->list, entries->count ? entries->count * 2 : 1, sizeof(*larger));

        if (!larger) {
            entries->bad = true;
            return -1;
        }
        entries->list = larger;
    }
    struct entry *entry = &entries->list[entries->count++];
    *entry =
        (struct entry){.element = element, .end = flags_of(element) & NFT_SET_ELEM_INTERVAL_END};
    memcpy(entry->first, first, entries->length);
    memcpy(entry->last, last ? last : first, entries->length);
    return 0;
}

/* Keys are zero behind their end, so that their length does not matter here. Where one interval
 * ends and the next begins, the end comes first. */
static int by_key(const void *one, const void *other)
{
    const struct entry *left = one, *right = other;
    int sign = memcmp(left->first, right->first, sizeof(left->first));

    return sign != 0 ? sign : (int)right->end - (int)left->end;
}

/* An interval without an end of its own goes to just before the next entry, or to the last key. */
static void complete_intervals(struct entries *entries)
{
    if (entries->count > 1)
        qsort(entries->list, entries->count, sizeof(*entries->list), by_key);
    for (size_t i = 0; i < entries->count; i++) {
        struct entry *entry = &entries->list[i];

        if (i + 1 == entries->count) {
            memset(entry->last, 0xff, entries->length);
            continue;
        }
        memcpy(entry->last, entry[1].first, entries->length);
        for (size_t j = entries->length; j-- > 0;)
            if (entry->last[j]-- != 0)
                break;
    }
}

static void entries_init(struct entries *entries, struct nftnl_set *set)
{
    bool interval = nftnl_set_get_u32(set, NFTNL_SET_FLAGS) & NFT_SET_INTERVAL;
    bool concatenated = nftnl_set_is_set(set, NFTNL_SET_DESC_CONCAT);

    *entries = (struct entries){.length = nftnl_set_get_u32(set, NFTNL_SET_KEY_LEN)};
    if (entries->length == 0 || entries->length > BITS_MAX) {
        entries->bad = true;
        return;
    }
    nftnl_set_elem_foreach(set, collect, entries);
    if (interval && !concatenated)
        complete_intervals(entries);
}

static void fields_init(struct fields *fields, const struct nftnl_set *set, size_t key_length)
{
    uint32_t count = 0;
    const uint8_t *lengths = nftnl_set_is_set(set, NFTNL_SET_DESC_CONCAT)
                                 ? nftnl_set_get_data(set, NFTNL_SET_DESC_CONCAT, &count)
                                 : NULL;

    *fields = (struct fields){.lengths = {(uint8_t)key_length}, .count = 1};
    if (!lengths || count > FIELDS_MAX)
        return;
    memcpy(fields->lengths, lengths, count);
    fields->count = count;
}

static enum truth entry_holds(const struct registers *registers, size_t offset,
                              const struct entry *entry, const struct fields *fields, size_t length)
{
    enum truth holds = TRUTH_YES;

    if (entry->end)
        return TRUTH_NO;
    if (memcmp(entry->first, entry->last, length) == 0)
        return bits_equal(&registers->data, offset, entry->first, length);
    for (size_t i = 0, at = 0; i < fields->count && at < length; i++) {
        size_t field = fields->lengths[i];

        if (field > length - at)
            return TRUTH_OPEN;
        holds = truth_and(holds, bits_within(&registers->data, offset + at, entry->first + at,
                                             entry->last + at, field));
        at += (field + 3) / 4 * 4;
    }
    return holds;
}

static void take_value(struct registers *registers, struct nftnl_set_elem *element, uint32_t target,
                       enum truth holds)
{
    uint32_t length = 0;
    size_t offset;

    if (target == NFT_REG_VERDICT) {
        uint32_t number = nftnl_set_elem_get_u32(element, NFTNL_SET_ELEM_VERDICT);

        registers_add_verdict(registers, verdict_code_of(number),
                              nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_CHAIN)
                                  ? nftnl_set_elem_get_str(element, NFTNL_SET_ELEM_CHAIN)
                                  : NULL,
                              holds);
        return;
    }
    const uint8_t *data = nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_DATA)
                              ? nftnl_set_elem_get(element, NFTNL_SET_ELEM_DATA, &length)
                              : NULL;
    if (!data || !registers_find(target, length, &offset))
        return;
    if (holds == TRUTH_YES)
        bits_set(&registers->data, offset, data, length);
    else
        bits_forget(&registers->data, offset, length);
}

static enum truth look_up(struct registers *registers, const struct entries *entries,
                          const struct fields *fields, size_t offset, const uint32_t *target)
{
    enum truth found = TRUTH_NO;

    for (size_t i = 0; i < entries->count && found != TRUTH_YES; i++) {
        const struct entry *entry = &entries->list[i];
        enum truth holds = entry_holds(registers, offset, entry, fields, entries->length);

        if (holds != TRUTH_NO && target)
            take_value(registers, entry->element, *target, holds);
        found = truth_or(found, holds);
    }
    if (entries->rest && found != TRUTH_YES) {
        if (target)
            take_value(registers, entries->rest, *target, truth_not(found));
        found = TRUTH_YES;
    }
    return found;
}

enum truth lookup_evaluate(struct registers *registers, const struct nftnl_expr *expression)
{
    const char *name = nftnl_expr_get_str(expression, NFTNL_EXPR_LOOKUP_SET);
    bool maps = nftnl_expr_is_set(expression, NFTNL_EXPR_LOOKUP_DREG);
    uint32_t target = maps ? nftnl_expr_get_u32(expression, NFTNL_EXPR_LOOKUP_DREG) : 0;
    struct nftnl_set *set = name ? firewall_find_set(registers->firewall, registers->chain->family,
                                                     registers->chain->table, name)
                                 : NULL;
    struct entries entries;
    struct fields fields;
    enum truth found = TRUTH_OPEN;
    size_t offset;

    if (!set)
        return TRUTH_OPEN;
    entries_init(&entries, set);
    fields_init(&fields, set, entries.length);
    if (!entries.bad && registers_find(nftnl_expr_get_u32(expression, NFTNL_EXPR_LOOKUP_SREG),
                                       entries.length, &offset))
        found = look_up(registers, &entries, &fields, offset, maps ? &target : NULL);
    free(entries.list);
    if (maps && target == NFT_REG_VERDICT)
        return TRUTH_NO; /* the verdicts are recorded, the rule has nothing behind them */
    bool inverted = nftnl_expr_is_set(expression, NFTNL_EXPR_LOOKUP_FLAGS) &&
                    nftnl_expr_get_u32(expression, NFTNL_EXPR_LOOKUP_FLAGS) & NFT_LOOKUP_F_INV;
    return inverted ? truth_not(found) : found;
}
