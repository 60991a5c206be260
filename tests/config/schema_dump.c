// SPDX-License-Identifier: GPL-2.0-or-later
/* Prints the schema for check_documents.py: name, what a value may be, default. */
#include <inttypes.h>
#include <stdio.h>

#include "config/schema.h"
#include "wicket/duration.h"

static void print_range(const struct schema_key *key)
{
    char text[SCHEMA_TEXT];
    char low[DURATION_TEXT];
    char high[DURATION_TEXT];
    switch (key->kind) {
    case SCHEMA_NUMBER:
        printf("%" PRIu64 " to %" PRIu64, key->min, key->max);
        break;
    case SCHEMA_DURATION:
        printf("%s to %s", duration_format(low, sizeof(low), key->min),
               duration_format(high, sizeof(high), key->max));
        break;
    case SCHEMA_BOOLEAN:
    case SCHEMA_CHOICE:
        printf("%s", schema_describe(text, sizeof(text), key));
        break;
    case SCHEMA_NAME:
        printf("name");
        break;
    case SCHEMA_PATH:
        printf("path");
        break;
    case SCHEMA_PATH_OR_NONE:
        printf("path or none");
        break;
    case SCHEMA_INTERFACES:
    case SCHEMA_ADDRESSES:
    case SCHEMA_NETWORKS:
    case SCHEMA_THUMBPRINTS:
    case SCHEMA_CHAINS:
        printf("list");
        break;
    }
}

int main(void)
{
    for (size_t i = 0; i < SCHEMA_KEY_COUNT; i++) {
        printf("%s\t", schema_keys[i].name);
        print_range(&schema_keys[i]);
        printf("\t%s\n", schema_keys[i].default_text);
    }
    return 0;
}
