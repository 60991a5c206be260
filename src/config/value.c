// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/value.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#include "config/check.h"
#include "wicket/duration.h"
#include "wicket/quote.h"

static bool is_text(const struct value *value, const char *text)
{
    return strlen(text) == value->length && memcmp(value->text, text, value->length) == 0;
}

bool value_is_null(const struct value *value)
{
    return value->plain && (value->length == 0 || is_text(value, "~") || is_text(value, "null") ||
                            is_text(value, "Null") || is_text(value, "NULL"));
}

static int refuse(const struct schema_key *key, const struct value *value, struct error *error)
{
    char wanted[SCHEMA_TEXT];
    return error_set(error, EX_CONFIG, "must be %s, not %s",
                     schema_describe(wanted, sizeof(wanted), key),
                     QUOTE(value->text, value->length));
}

static int refuse_quotes(const struct schema_key *key, const struct value *value,
                         struct error *error)
{
    char wanted[SCHEMA_TEXT];
    return error_set(error, EX_CONFIG, "must be %s, not the text %s: write it without quotes",
                     schema_describe(wanted, sizeof(wanted), key),
                     QUOTE(value->text, value->length));
}

static int refuse_range(const struct schema_key *key, const struct value *value,
                        struct error *error)
{
    char wanted[SCHEMA_TEXT];
    return error_set(error, EX_CONFIG, "%.*s is out of range: must be %s", (int)value->length,
                     value->text, schema_describe(wanted, sizeof(wanted), key));
}

/* Decimal digits and nothing else. YAML 1.1 would read 0100 as octal, 0x50, 1_000 and 1:30 as
 * numbers too; who writes such a thing is asked to write what is meant. */
static int set_number(void *out, const struct schema_key *key, const struct value *value,
                      struct error *error)
{
    if (!value->plain)
        return refuse_quotes(key, value, error);
    uint64_t number = 0;
    for (size_t i = 0; i < value->length; i++) {
        char digit = value->text[i];
        if (digit < '0' || digit > '9' || (i == 0 && digit == '0' && value->length > 1))
            return refuse(key, value, error);
    }
    for (size_t i = 0; i < value->length && number <= key->max; i++)
        number = number * 10 + (uint64_t)(value->text[i] - '0');
    if (number < key->min || number > key->max)
        return value->length <= 20 ? refuse_range(key, value, error) : refuse(key, value, error);

    uint16_t small = (uint16_t)number;
    uint32_t large = (uint32_t)number;
    if (key->size == sizeof(small))
        memcpy(out, &small, sizeof(small));
    else
        memcpy(out, &large, sizeof(large));
    return 0;
}

static int set_duration(void *out, const struct schema_key *key, const struct value *value,
                        struct error *error)
{
    uint64_t ms = 0;
    if (strlen(value->text) != value->length || !duration_parse(value->text, &ms))
        return refuse(key, value, error);
    if (ms < key->min || ms > key->max)
        return refuse_range(key, value, error);
    memcpy(out, &ms, sizeof(ms));
    return 0;
}

static int set_boolean(void *out, const struct schema_key *key, const struct value *value,
                       struct error *error)
{
    bool yes = is_text(value, "true");
    if (!yes && !is_text(value, "false"))
        return refuse(key, value, error);
    if (!value->plain)
        return refuse_quotes(key, value, error);
    memcpy(out, &yes, sizeof(yes));
    return 0;
}

static int set_choice(void *out, const struct schema_key *key, const struct value *value,
                      struct error *error)
{
    for (unsigned i = 0; key->choices[i]; i++) {
        if (is_text(value, key->choices[i])) {
            memcpy(out, &i, sizeof(i));
            return 0;
        }
    }
    return refuse(key, value, error);
}

static int set_text(void *out, const struct schema_key *key, const struct value *value,
                    struct error *error)
{
    memset(out, 0, key->size);
    if (key->kind == SCHEMA_PATH_OR_NONE && is_text(value, "none"))
        return 0;
    int bad = key->kind == SCHEMA_NAME ? check_name(value, error) : check_path(value, error);
    if (bad)
        return -1;
    memcpy(out, value->text, value->length);
    return 0;
}

int value_set(struct config *config, const struct schema_key *key, const struct value *value,
              struct error *error)
{
    void *out = (char *)config + key->offset;
    int result = -1;
    switch (key->kind) {
    case SCHEMA_NUMBER:
        result = set_number(out, key, value, error);
        break;
    case SCHEMA_DURATION:
        result = set_duration(out, key, value, error);
        break;
    case SCHEMA_BOOLEAN:
        result = set_boolean(out, key, value, error);
        break;
    case SCHEMA_CHOICE:
        result = set_choice(out, key, value, error);
        break;
    case SCHEMA_NAME:
    case SCHEMA_PATH:
    case SCHEMA_PATH_OR_NONE:
        result = set_text(out, key, value, error);
        break;
    case SCHEMA_INTERFACES:
    case SCHEMA_ADDRESSES:
    case SCHEMA_NETWORKS:
    case SCHEMA_THUMBPRINTS:
    case SCHEMA_CHAINS:
        return refuse(key, value, error);
    }
    if (result == 0 && key->given_offset != 0)
        *(bool *)((char *)config + key->given_offset) = true;
    return result;
}
