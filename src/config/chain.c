// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/chain.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "config/check.h"
#include "config/value.h"
#include "wicket/quote.h"

enum part { PART_FAMILY, PART_TABLE, PART_CHAIN, PARTS };

static const char *const part_names[PARTS] = {"family", "table", "chain"};

static bool is_text(const struct value *value, const char *text)
{
    return strlen(text) == value->length && memcmp(value->text, text, value->length) == 0;
}

static int find_part(const struct value *name)
{
    for (int i = 0; i < PARTS; i++) {
        if (is_text(name, part_names[i]))
            return i;
    }
    return -1;
}

static int set_part(struct config_chain *chain, enum part part, const struct value *value,
                    struct error *error)
{
    if (part == PART_FAMILY) {
        if (!is_text(value, "inet") && !is_text(value, "ip") && !is_text(value, "ip6"))
            return error_set(error, EX_CONFIG, "the family must be inet, ip or ip6, not %s",
                             QUOTE(value->text, value->length));
        memcpy(chain->family, value->text, value->length);
        return 0;
    }
    if (check_chain_name(value, error) != 0)
        return -1;
    memcpy(part == PART_TABLE ? chain->table : chain->chain, value->text, value->length);
    return 0;
}

/* The reader is at the name of a part, which is `part`; its value is read. */
static bool load_part(struct reader *reader, struct config_chain *chain, enum part part,
                      const struct schema_key *key, bool *bad)
{
    if (!reader_next(reader))
        return false;
    struct position position = reader_position(reader);
    struct error error = {0};
    if (reader->reported) {
        *bad = true;
        return reader_skip(reader);
    }
    if (reader->event.type != YAML_SCALAR_EVENT) {
        report_add(reader->report, &position, key->name, "the %s must be a text", part_names[part]);
        *bad = true;
        return reader_skip(reader);
    }
    struct value value = reader_value(reader);
    if (set_part(chain, part, &value, &error) != 0) {
        report_add(reader->report, &position, key->name, "%s", error.text);
        *bad = true;
    }
    return true;
}

/* The reader is at what should be the name of a part; that and its value are read. */
static bool load_named_part(struct reader *reader, struct config_chain *chain, bool seen[PARTS],
                            const struct schema_key *key, bool *bad)
{
    struct position position = reader_position(reader);
    if (!reader->reported && reader->event.type == YAML_SCALAR_EVENT) {
        struct value name = reader_value(reader);
        int part = find_part(&name);
        if (part >= 0 && !seen[part]) {
            seen[part] = true;
            return load_part(reader, chain, (enum part)part, key, bad);
        }
        if (part >= 0)
            report_add(reader->report, &position, key->name, "%s is repeated", part_names[part]);
        else
            report_add(reader->report, &position, key->name,
                       "a chain has a family, a table and a chain, and no %s",
                       QUOTE(name.text, name.length));
    } else if (!reader->reported) {
        report_add(reader->report, &position, key->name,
                   "a chain has a family, a table and a chain, each with its name");
    }
    *bad = true;
    return reader_skip(reader) && reader_next(reader) && reader_skip(reader);
}

static bool is_same(const struct config_chain *a, const struct config_chain *b)
{
    return strcmp(a->family, b->family) == 0 && strcmp(a->table, b->table) == 0 &&
           strcmp(a->chain, b->chain) == 0;
}

static int append(struct config *config, const struct schema_key *key,
                  const struct config_chain *chain, struct error *error)
{
    size_t count = config->redirect.admit_count;
    for (size_t i = 0; i < count; i++) {
        if (is_same(&config->redirect.admit[i], chain))
            return error_set(error, EX_CONFIG, "%s %s %s is listed twice", chain->family,
                             chain->table, chain->chain);
    }
    if (count >= key->max)
        return error_set(error, EX_CONFIG, "has more than %zu chains, which is all it may have",
                         (size_t)key->max);
    struct config_chain *grown =
        reallocarray(config->redirect.admit, count + 1, sizeof(*config->redirect.admit));
    if (!grown)
        return error_set_errno(error, EX_CONFIG, "the list");
    grown[count] = *chain;
    config->redirect.admit = grown;
    config->redirect.admit_count = count + 1;
    return 0;
}

bool chain_load(struct loader *loader, const struct schema_key *key, bool *bad)
{
    struct reader *reader = &loader->reader;
    struct position position = reader_position(reader);
    struct config_chain chain = {0};
    bool seen[PARTS] = {false};
    bool wrong = false;

    /* The only list of them; another would need its own place here. */
    assert(key->offset == offsetof(struct config, redirect.admit));
    if (reader->event.type != YAML_MAPPING_START_EVENT) {
        report_add(reader->report, &position, key->name,
                   "an entry must be a chain, such as {family: inet, table: filter, chain: input}");
        *bad = true;
        return reader_skip(reader);
    }
    for (;;) {
        if (!reader_next(reader))
            return false;
        if (reader->event.type == YAML_MAPPING_END_EVENT)
            break;
        if (!load_named_part(reader, &chain, seen, key, &wrong))
            return false;
    }
    for (int i = 0; i < PARTS && !wrong; i++) {
        if (!seen[i]) {
            report_add(reader->report, &position, key->name, "the chain has no %s", part_names[i]);
            wrong = true;
        }
    }
    /* src/redirect's own: inet wicket. */
    if (!wrong && strcmp(chain.family, "inet") == 0 && strcmp(chain.table, "wicket") == 0) {
        report_add(reader->report, &position, key->name,
                   "inet wicket is the table of acme-wicket itself: name a chain of the firewall");
        wrong = true;
    }
    struct error error = {0};
    if (!wrong && append(loader->config, key, &chain, &error) != 0) {
        report_add(reader->report, &position, key->name, "%s", error.text);
        wrong = true;
    }
    *bad = *bad || wrong;
    return true;
}
