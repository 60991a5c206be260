// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/loader.h"

#include <stdio.h>
#include <string.h>

#include "config/chain.h"
#include "config/value.h"

/* Every function here that reads returns false when the file ends there (see reader_next), and
 * otherwise leaves the reader at the last event of its node. */

/* "a list", for a node where something else was expected. */
static const char *current_kind(const struct reader *reader)
{
    return reader->event.type == YAML_SEQUENCE_START_EVENT ? "a list" : "a section";
}

static void report_null(struct loader *loader, const struct schema_key *key,
                        const struct position *position)
{
    char wanted[SCHEMA_TEXT];
    report_add(loader->reader.report, position, key->name,
               "is empty: must be %s; leave the key out for the default, %s",
               schema_describe(wanted, sizeof(wanted), key), key->default_text);
}

static bool load_list(struct loader *loader, const struct schema_key *key, bool *bad)
{
    struct reader *reader = &loader->reader;
    for (size_t count = 0;; count++) {
        if (!reader_next(reader))
            return false;
        if (reader->event.type == YAML_SEQUENCE_END_EVENT)
            return true;

        struct position position = reader_position(reader);
        struct error error = {0};
        if (count == VALUE_LIST_MAX) {
            report_add(reader->report, &position, key->name,
                       "the list is too long: at most %d entries are allowed", VALUE_LIST_MAX);
            *bad = true;
        }
        if (count >= VALUE_LIST_MAX || reader->reported) {
            *bad = true;
        } else if (key->kind == SCHEMA_CHAINS) {
            if (!chain_load(loader, key, bad))
                return false;
            continue;
        } else if (reader->event.type != YAML_SCALAR_EVENT) {
            report_add(reader->report, &position, key->name,
                       "an entry must be a text, not %s; are quotes missing?",
                       current_kind(reader));
            *bad = true;
        } else {
            struct value value = reader_value(reader);
            if (value_append(loader->config, key, &value, &error) != 0) {
                report_add(reader->report, &position, key->name, "%s", error.text);
                *bad = true;
            }
        }
        if (!reader_skip(reader))
            return false;
    }
}

/* The reader is at the key; its value is read. */
static bool load_value(struct loader *loader, int index)
{
    struct reader *reader = &loader->reader;
    const struct schema_key *key = &schema_keys[index];
    bool *bad = &loader->keys[index].bad;
    struct position key_position = reader_position(reader);
    if (!reader_next(reader))
        return false;

    struct position position = reader_position(reader);
    loader->keys[index].position = position;
    if (reader->event.type == YAML_SEQUENCE_START_EVENT && schema_is_list(key)) {
        *bad = reader->reported;
        return load_list(loader, key, bad);
    }
    *bad = true;
    if (reader->reported)
        return reader_skip(reader);
    char wanted[SCHEMA_TEXT];
    if (reader->event.type != YAML_SCALAR_EVENT) {
        report_add(reader->report, &position, key->name, "must be %s, not %s",
                   schema_describe(wanted, sizeof(wanted), key), current_kind(reader));
        return reader_skip(reader);
    }
    struct value value = reader_value(reader);
    struct error error = {0};
    if (value_is_null(&value)) {
        report_null(loader, key, value.length == 0 ? &key_position : &position);
        return true;
    }
    *bad = value_set(loader->config, key, &value, &error) != 0;
    if (*bad)
        report_add(reader->report, &position, key->name, "%s", error.text);
    return true;
}

static bool load_mapping(struct loader *loader, const char *section);

/* The reader is at the name of a section; the section is read. */
static bool load_section(struct loader *loader, const char *section)
{
    struct reader *reader = &loader->reader;
    if (!reader_next(reader))
        return false;
    if (reader->event.type == YAML_MAPPING_START_EVENT)
        return load_mapping(loader, section);
    if (reader->reported)
        return reader_skip(reader);

    struct position position = reader_position(reader);
    if (reader->event.type == YAML_SCALAR_EVENT) {
        /* All of its keys may be commented out. */
        struct value value = reader_value(reader);
        if (!value_is_null(&value))
            report_add(reader->report, &position, section,
                       "must be a section: its keys go below it, indented");
        return true;
    }
    report_add(reader->report, &position, section,
               "must be a section, not a list: its keys go below it, indented");
    return reader_skip(reader);
}

/* "section.name", or as much of it as there is room for. */
static void full_name(char *out, size_t capacity, const char *section, const struct value *name)
{
    snprintf(out, capacity, "%s%s%.*s", section ? section : "", section ? "." : "",
             (int)name->length, name->text);
}

static void report_unknown(struct loader *loader, const char *section, const struct value *name)
{
    char suggestion[64];
    char full[128];
    struct position position = reader_position(&loader->reader);
    full_name(full, sizeof(full), section, name);
    const char *meant =
        schema_suggest(suggestion, sizeof(suggestion), section, name->text, name->length);
    if (meant && strcmp(meant, full) == 0)
        report_add(loader->reader.report, &position, full,
                   "unknown key: a dot stands for a section, with its keys below it, indented");
    else if (meant)
        report_add(loader->reader.report, &position, full, "unknown key; did you mean %s?", meant);
    else
        report_add(loader->reader.report, &position, full, "unknown key");
}

/* Whether a key or section stands in the file for the first time; notes the line if so. */
static bool is_first(struct loader *loader, size_t *line, const char *name)
{
    struct position position = reader_position(&loader->reader);
    if (*line != 0) {
        report_add(loader->reader.report, &position, name, "repeated: it is on line %zu already",
                   *line);
        return false;
    }
    *line = position.line;
    return true;
}

static bool skip_value(struct loader *loader)
{
    return reader_next(&loader->reader) && reader_skip(&loader->reader);
}

/* The reader is at a key, whatever it is; key and value are read. */
static bool load_entry(struct loader *loader, const char *section)
{
    struct reader *reader = &loader->reader;
    struct position position = reader_position(reader);
    if (reader->event.type != YAML_SCALAR_EVENT || reader->reported) {
        if (!reader->reported)
            report_add(reader->report, &position, section, "a key must be a name, not %s",
                       current_kind(reader));
        return reader_skip(reader) && skip_value(loader);
    }

    struct value name = reader_value(reader);
    if (name.length == 2 && memcmp(name.text, "<<", 2) == 0) {
        report_add(reader->report, &position, section,
                   "a merge key (<<): not used here, write the keys out");
        return skip_value(loader);
    }
    int index = schema_find(section, name.text, name.length);
    if (index >= 0) {
        size_t *line = &loader->keys[index].key_line;
        return is_first(loader, line, schema_keys[index].name) ? load_value(loader, index)
                                                               : skip_value(loader);
    }
    index = section ? -1 : schema_find_section(name.text, name.length);
    if (index >= 0) {
        char full[64];
        full_name(full, sizeof(full), NULL, &name);
        return is_first(loader, &loader->keys[index].section_line, full)
                   ? load_section(loader, full)
                   : skip_value(loader);
    }
    report_unknown(loader, section, &name);
    return skip_value(loader);
}

/* The reader is at the start of the mapping. */
static bool load_mapping(struct loader *loader, const char *section)
{
    struct reader *reader = &loader->reader;
    for (;;) {
        if (!reader_next(reader))
            return false;
        if (reader->event.type == YAML_MAPPING_END_EVENT)
            return true;
        if (!load_entry(loader, section))
            return false;
    }
}

static bool load_root(struct loader *loader)
{
    struct reader *reader = &loader->reader;
    if (reader->event.type == YAML_MAPPING_START_EVENT)
        return load_mapping(loader, NULL);
    if (reader->event.type == YAML_SCALAR_EVENT && !reader->reported) {
        struct value value = reader_value(reader);
        if (value_is_null(&value))
            return true;
    }
    if (!reader->reported) {
        struct position position = reader_position(reader);
        report_add(reader->report, &position, NULL,
                   "no configuration: it is made of lines such as \"key: value\"");
    }
    return reader_skip(reader);
}

bool loader_run(struct loader *loader)
{
    struct reader *reader = &loader->reader;
    bool seen = false;
    for (;;) {
        if (!reader_next(reader))
            return false;
        if (reader->event.type == YAML_STREAM_END_EVENT)
            return true;
        if (reader->event.type != YAML_DOCUMENT_START_EVENT)
            continue; /* the start of the stream, the end of the document */
        if (seen) {
            struct position position = reader_position(reader);
            report_add(reader->report, &position, NULL,
                       "a second document: a configuration is one");
            return false;
        }
        seen = true;
        if (!reader_next(reader) || !load_root(loader))
            return false;
    }
}
