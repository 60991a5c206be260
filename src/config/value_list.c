// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "config/check.h"
#include "config/network.h"
#include "config/value.h"
#include "wicket/quote.h"

/* One entry of any of the lists. */
union entry {
    char interface[CONFIG_NAME_MAX];
    struct config_network network;
    char thumbprint[CHALLENGE_THUMBPRINT_LENGTH + 1];
};

/* The list in struct config, by its two members. */
struct list {
    char *entries;
    size_t count;
};

static size_t entry_size(const struct schema_key *key)
{
    if (key->kind == SCHEMA_INTERFACES)
        return sizeof(((union entry *)0)->interface);
    if (key->kind == SCHEMA_THUMBPRINTS)
        return sizeof(((union entry *)0)->thumbprint);
    return sizeof(struct config_network);
}

static struct list list_load(const struct config *config, const struct schema_key *key)
{
    struct list list;
    memcpy(&list.entries, (const char *)config + key->offset, sizeof(list.entries));
    memcpy(&list.count, (const char *)config + key->count_offset, sizeof(list.count));
    return list;
}

static void list_store(struct config *config, const struct schema_key *key, struct list list)
{
    memcpy((char *)config + key->offset, &list.entries, sizeof(list.entries));
    memcpy((char *)config + key->count_offset, &list.count, sizeof(list.count));
}

static int parse_thumbprint(char *out, const struct value *value, struct error *error)
{
    if (challenge_check_thumbprint(value->text, value->length, error) != 0)
        return -1;
    memcpy(out, value->text, value->length);
    return 0;
}

static int parse_network(struct config_network *out, const struct schema_key *key,
                         const struct value *value, struct error *error)
{
    if (strlen(value->text) != value->length)
        return error_set(error, EX_CONFIG, "%s has a NUL", QUOTE(value->text, value->length));
    return key->kind == SCHEMA_ADDRESSES ? network_parse_address(out, value->text, error)
                                         : network_parse(out, value->text, error);
}

static int entry_parse(union entry *out, const struct schema_key *key, const struct value *value,
                       struct error *error)
{
    *out = (union entry){0};
    if (key->kind == SCHEMA_THUMBPRINTS)
        return parse_thumbprint(out->thumbprint, value, error);
    if (key->kind != SCHEMA_INTERFACES)
        return parse_network(&out->network, key, value, error);
    if (check_interface(value, error) != 0)
        return -1;
    memcpy(out->interface, value->text, value->length);
    return 0;
}

/* Networks may not overlap either: the kernel's sets of intervals refuse that. */
static int refuse_twice(const struct config_network *new, const char *old, const char *text,
                        struct error *error)
{
    char shown[NETWORK_TEXT];
    struct config_network network;
    memcpy(&network, old, sizeof(network));
    if (network_contains(&network, new) && network.prefix < new->prefix)
        return error_set(error, EX_CONFIG, "%s is part of %s, which is listed too", text,
                         network_format(shown, sizeof(shown), &network));
    if (network_contains(new, &network) && network.prefix > new->prefix)
        return error_set(error, EX_CONFIG, "%s contains %s, which is listed too", text,
                         network_format(shown, sizeof(shown), &network));
    if (network_contains(new, &network))
        return error_set(error, EX_CONFIG, "%s is listed twice", text);
    return 0;
}

static int check_twice(struct list list, const struct schema_key *key, const union entry *entry,
                       const char *text, struct error *error)
{
    size_t size = entry_size(key);
    bool networks = key->kind == SCHEMA_ADDRESSES || key->kind == SCHEMA_NETWORKS;
    for (size_t i = 0; i < list.count; i++) {
        const char *old = list.entries + i * size;
        if (networks && refuse_twice(&entry->network, old, text, error) != 0)
            return -1;
        if (!networks && strcmp(old, (const char *)entry) == 0)
            return error_set(error, EX_CONFIG, "%s is listed twice", text);
    }
    return 0;
}

int value_append(struct config *config, const struct schema_key *key, const struct value *value,
                 struct error *error)
{
    union entry entry;
    struct list list = list_load(config, key);
    size_t size = entry_size(key);

    if (value_is_null(value))
        return error_set(error, EX_CONFIG, "an entry is empty");
    if (entry_parse(&entry, key, value, error) != 0 ||
        check_twice(list, key, &entry, QUOTE(value->text, value->length), error) != 0)
        return -1;

    if (key->max != 0 && list.count >= key->max)
        return error_set(error, EX_CONFIG, "has more than %zu entr%s, which is all it may have",
                         (size_t)key->max, key->max == 1 ? "y" : "ies");

    /* Grown when the count is a power of two. */
    if ((list.count & (list.count - 1)) == 0) {
        char *entries = reallocarray(list.entries, list.count ? list.count * 2 : 1, size);
        if (!entries)
            return error_set_errno(error, EX_CONFIG, "the list");
        list.entries = entries;
    }
    memcpy(list.entries + list.count * size, &entry, size);
    list.count++;
    list_store(config, key, list);
    return 0;
}
