// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/schema.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "build.h"
#include "config/distance.h"
#include "wicket/duration.h"

#define SECONDS UINT64_C(1000)
#define HOURS   (3600 * SECONDS)

#define DEFAULT_SOCKET WICKET_RUNTIME_DIR "/control.sock"
static_assert(sizeof(DEFAULT_SOCKET) <= CONFIG_PATH_MAX + 1, "runtime_dir is too long");

#define AT(member) \
    .offset = offsetof(struct config, member), .size = sizeof(((struct config *)0)->member)
#define COUNT_AT(member) .count_offset = offsetof(struct config, member)
#define GIVEN_AT(member) .given_offset = offsetof(struct config, member)

const struct schema_key schema_keys[SCHEMA_KEY_COUNT] = {
    {"responder.port", SCHEMA_NUMBER, "8402", 1, 65535, AT(responder.port)},
    {"responder.user", SCHEMA_NAME, "wicket", AT(responder.user), GIVEN_AT(responder.user_given)},
    {"responder.undecided", SCHEMA_NUMBER, "1024", 16, 65536, AT(responder.undecided)},
    {"responder.undecided_per_address", SCHEMA_NUMBER, "32", 1, 65536,
     AT(responder.undecided_per_address)},
    {"responder.first_byte", SCHEMA_DURATION, "1s", 100, 10 * SECONDS, AT(responder.first_byte_ms)},
    {"responder.deadline", SCHEMA_DURATION, "10s", 1 * SECONDS, 60 * SECONDS,
     AT(responder.deadline_ms)},
    {"redirect.port", SCHEMA_NUMBER, "80", 1, 65535, AT(redirect.port)},
    {"redirect.method", SCHEMA_CHOICE, "redirect",
     .choices = {[CONFIG_METHOD_REDIRECT] = "redirect", [CONFIG_METHOD_TPROXY] = "tproxy"},
     AT(redirect.method)},
    {"redirect.interfaces", SCHEMA_INTERFACES, "[]", AT(redirect.interfaces),
     COUNT_AT(redirect.interface_count)},
    {"redirect.addresses", SCHEMA_ADDRESSES, "[]", AT(redirect.addresses),
     COUNT_AT(redirect.address_count)},
    {"redirect.sources", SCHEMA_NETWORKS, "[]", AT(redirect.sources),
     COUNT_AT(redirect.source_count)},
    {"redirect.sources_file", SCHEMA_PATH_OR_NONE, "none", AT(redirect.sources_file)},
    {"redirect.local", SCHEMA_BOOLEAN, "false", AT(redirect.local)},
    {"redirect.admit", SCHEMA_CHAINS, "[]", 0, 32, AT(redirect.admit),
     COUNT_AT(redirect.admit_count)},
    {"redirect.pass_admitted", SCHEMA_BOOLEAN, "false", AT(redirect.pass_admitted)},
    {"window.lease", SCHEMA_DURATION, "5s", 1 * SECONDS, 60 * SECONDS, AT(window.lease_ms)},
    {"window.token_lifetime", SCHEMA_DURATION, "10m", 1 * SECONDS, 24 * HOURS,
     AT(window.token_lifetime_ms)},
    {"window.limit", SCHEMA_DURATION, "1h", 1 * SECONDS, 24 * HOURS, AT(window.limit_ms)},
    {"window.drain", SCHEMA_DURATION, "5m", 1 * SECONDS, 24 * HOURS, AT(window.drain_ms)},
    {"other_requests", SCHEMA_CHOICE, "pass",
     .choices = {[CONFIG_OTHER_PASS] = "pass",
                 [CONFIG_OTHER_NOT_FOUND] = "not-found",
                 [CONFIG_OTHER_HTTPS] = "https"},
     AT(other_requests), GIVEN_AT(other_requests_given)},
    {"tokens.webroot", SCHEMA_PATH, "/var/lib/wicket/webroot", AT(tokens.webroot)},
    {"tokens.accounts", SCHEMA_THUMBPRINTS, "[]", AT(tokens.accounts),
     COUNT_AT(tokens.account_count)},
    {"tokens.stateless", SCHEMA_THUMBPRINTS, "[]", 0, 1, AT(tokens.stateless),
     COUNT_AT(tokens.stateless_count)},
    {"control.socket", SCHEMA_PATH, DEFAULT_SOCKET, AT(control.socket)},
    {"control.group", SCHEMA_NAME, "wicket", AT(control.group), GIVEN_AT(control.group_given)},
    {"ledger.file", SCHEMA_PATH_OR_NONE, "/var/lib/wicket/ledger.jsonl", AT(ledger.file)},
    {"ledger.size", SCHEMA_NUMBER, "8", 1, 1024, AT(ledger.size)},
};

/* The last part of a dotted name. */
static const char *key_leaf(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot ? dot + 1 : name;
}

static size_t section_length(const char *name)
{
    return (size_t)(key_leaf(name) - name) - (strchr(name, '.') ? 1 : 0);
}

static bool is_in(const char *name, const char *section)
{
    size_t length = section_length(name);
    return section ? strlen(section) == length && memcmp(name, section, length) == 0 : length == 0;
}

static bool is_text(const char *text, const char *bytes, size_t length)
{
    return strlen(text) == length && memcmp(text, bytes, length) == 0;
}

int schema_find(const char *section, const char *name, size_t length)
{
    for (int i = 0; i < SCHEMA_KEY_COUNT; i++) {
        if (is_in(schema_keys[i].name, section) &&
            is_text(key_leaf(schema_keys[i].name), name, length))
            return i;
    }
    return -1;
}

int schema_find_section(const char *name, size_t length)
{
    for (int i = 0; i < SCHEMA_KEY_COUNT; i++) {
        size_t own = section_length(schema_keys[i].name);
        if (own > 0 && own == length && memcmp(schema_keys[i].name, name, length) == 0)
            return i;
    }
    return -1;
}

const char *schema_suggest(char *out, size_t capacity, const char *section, const char *name,
                           size_t length)
{
    size_t nearest = distance_tolerance(length) + 1;
    const char *elsewhere = NULL;
    size_t elsewhere_count = 0;
    out[0] = '\0';

    for (int i = 0; i < SCHEMA_KEY_COUNT; i++) {
        const char *full = schema_keys[i].name;
        const char *leaf = key_leaf(full);
        /* What may stand here: the keys of this section, and at the top level the sections. */
        const char *candidate = is_in(full, section) ? leaf : full;
        size_t candidate_length = is_in(full, section) ? strlen(leaf) : section_length(full);
        if (is_in(full, section) || !section) {
            size_t distance = distance_between(name, length, candidate, candidate_length);
            if (distance < nearest) {
                nearest = distance;
                snprintf(out, capacity, "%s%s%.*s", section ? section : "", section ? "." : "",
                         (int)candidate_length, candidate);
            }
        }
        if (is_text(full, name, length) || is_text(leaf, name, length)) {
            elsewhere = full;
            elsewhere_count++;
        }
    }
    /* A name that is right but stands in the wrong place, unless that could be two places. */
    if (elsewhere_count == 1)
        snprintf(out, capacity, "%s", elsewhere);
    return out[0] ? out : NULL;
}

bool schema_is_list(const struct schema_key *key)
{
    return key->kind >= SCHEMA_INTERFACES;
}

static void describe_choices(char *out, size_t capacity, const struct schema_key *key)
{
    size_t used = 0;
    for (size_t i = 0; key->choices[i]; i++) {
        const char *separator = i == 0 ? "" : key->choices[i + 1] ? ", " : " or ";
        int written = snprintf(out + used, capacity - used, "%s%s", separator, key->choices[i]);
        assert(written > 0 && (size_t)written < capacity - used);
        used += (size_t)written;
    }
}

char *schema_describe(char *out, size_t capacity, const struct schema_key *key)
{
    char low[DURATION_TEXT];
    char high[DURATION_TEXT];

    switch (key->kind) {
    case SCHEMA_NUMBER:
        snprintf(out, capacity, "a number from %" PRIu64 " to %" PRIu64, key->min, key->max);
        break;
    case SCHEMA_DURATION:
        snprintf(out, capacity, "a length of time from %s to %s (a number and ms, s, m or h)",
                 duration_format(low, sizeof(low), key->min),
                 duration_format(high, sizeof(high), key->max));
        break;
    case SCHEMA_BOOLEAN:
        snprintf(out, capacity, "true or false");
        break;
    case SCHEMA_CHOICE:
        describe_choices(out, capacity, key);
        break;
    case SCHEMA_NAME:
        snprintf(out, capacity, "a name of at most %d characters", CONFIG_NAME_MAX - 1);
        break;
    case SCHEMA_PATH:
        snprintf(out, capacity, "an absolute path of at most %d bytes", CONFIG_PATH_MAX);
        break;
    case SCHEMA_PATH_OR_NONE:
        snprintf(out, capacity, "an absolute path of at most %d bytes, or none", CONFIG_PATH_MAX);
        break;
    case SCHEMA_INTERFACES:
        snprintf(out, capacity, "a list of interface names, such as [eth0, eth1]");
        break;
    case SCHEMA_ADDRESSES:
        snprintf(out, capacity, "a list of IP addresses, such as [192.0.2.1, '2001:db8::1']");
        break;
    case SCHEMA_NETWORKS:
        snprintf(out, capacity,
                 "a list of IP addresses and networks, such as [192.0.2.0/24, '2001:db8::/32']");
        break;
    case SCHEMA_THUMBPRINTS:
        snprintf(out, capacity, "a list of account thumbprints, of %d characters each",
                 CHALLENGE_THUMBPRINT_LENGTH);
        break;
    case SCHEMA_CHAINS:
        snprintf(out, capacity,
                 "a list of chains, such as [{family: inet, table: filter, chain: input}]");
        break;
    }
    return out;
}
