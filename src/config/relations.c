// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/relations.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "wicket/duration.h"

#define REMEDY_MAX 96

static size_t find(const char *name)
{
    size_t i = 0;
    while (i < SCHEMA_KEY_COUNT && strcmp(schema_keys[i].name, name) != 0)
        i++;
    assert(i < SCHEMA_KEY_COUNT);
    return i;
}

/* The one of two keys that is to blame: the one in the file, and of two the later one. */
struct relation {
    const char *blamed, *other;
    struct position position;
    bool other_is_default;
};

/* False when one of the two was refused already, so that nothing can be said about both. Neither
 * in the file cannot be: the defaults go together. */
static bool relation_init(struct relation *relation, const struct loader *loader, const char *first,
                          const char *second)
{
    size_t a = find(first);
    size_t b = find(second);
    if (loader->keys[a].bad || loader->keys[b].bad)
        return false;
    struct position at = loader->keys[a].position;
    struct position bt = loader->keys[b].position;
    bool first_is_later = at.line > bt.line || (at.line == bt.line && at.column > bt.column);
    *relation = (struct relation){
        .blamed = first_is_later ? first : second,
        .other = first_is_later ? second : first,
        .position = first_is_later ? at : bt,
        .other_is_default = at.line == 0 || bt.line == 0,
    };
    return true;
}

/* Who sets the one key only may not think of the other. */
static const char *remedy(char *out, size_t capacity, const struct relation *relation)
{
    snprintf(out, capacity, "%s%s%s", relation->other_is_default ? ": set " : "",
             relation->other_is_default ? relation->other : "",
             relation->other_is_default ? " too, which has its default" : "");
    return out;
}

static void check_ports(struct loader *loader)
{
    const struct config *config = loader->config;
    struct relation relation;
    if (config->redirect.port == config->responder.port &&
        relation_init(&relation, loader, "responder.port", "redirect.port"))
        report_add(loader->reader.report, &relation.position, relation.blamed,
                   "%u is %s too%s: the responder needs a port of its own", config->redirect.port,
                   relation.other, relation.other_is_default ? " (its default)" : "");
}

static void check_undecided(struct loader *loader)
{
    const struct config *config = loader->config;
    struct relation relation;
    char hint[REMEDY_MAX];
    if (config->responder.undecided_per_address > config->responder.undecided &&
        relation_init(&relation, loader, "responder.undecided", "responder.undecided_per_address"))
        report_add(loader->reader.report, &relation.position, relation.blamed,
                   "undecided_per_address (%" PRIu32 ") may not be more than undecided (%" PRIu32
                   ")%s",
                   config->responder.undecided_per_address, config->responder.undecided,
                   remedy(hint, sizeof(hint), &relation));
}

static void check_first_byte(struct loader *loader)
{
    const struct config *config = loader->config;
    struct relation relation;
    char first_byte[DURATION_TEXT];
    char deadline[DURATION_TEXT];
    char hint[REMEDY_MAX];
    if (config->responder.first_byte_ms > config->responder.deadline_ms &&
        relation_init(&relation, loader, "responder.first_byte", "responder.deadline"))
        report_add(loader->reader.report, &relation.position, relation.blamed,
                   "first_byte (%s) may not be longer than deadline (%s)%s",
                   duration_format(first_byte, sizeof(first_byte), config->responder.first_byte_ms),
                   duration_format(deadline, sizeof(deadline), config->responder.deadline_ms),
                   remedy(hint, sizeof(hint), &relation));
}

static void check_lifetime(struct loader *loader)
{
    const struct config *config = loader->config;
    struct relation relation;
    char lifetime[DURATION_TEXT];
    char limit[DURATION_TEXT];
    char hint[REMEDY_MAX];
    if (config->window.token_lifetime_ms > config->window.limit_ms &&
        relation_init(&relation, loader, "window.token_lifetime", "window.limit"))
        report_add(loader->reader.report, &relation.position, relation.blamed,
                   "token_lifetime (%s) may not be longer than limit (%s)%s",
                   duration_format(lifetime, sizeof(lifetime), config->window.token_lifetime_ms),
                   duration_format(limit, sizeof(limit), config->window.limit_ms),
                   remedy(hint, sizeof(hint), &relation));
}

static void check_stateless(struct loader *loader)
{
    const struct config *config = loader->config;
    struct relation relation;
    if (config->tokens.stateless_count == 0 || config->tokens.account_count == 0)
        return;
    for (size_t i = 0; i < config->tokens.account_count; i++) {
        if (strcmp(config->tokens.accounts[i], config->tokens.stateless[0]) == 0)
            return;
    }
    if (relation_init(&relation, loader, "tokens.stateless", "tokens.accounts"))
        report_add(loader->reader.report, &relation.position, relation.blamed,
                   "the stateless account %s is not one of tokens.accounts",
                   config->tokens.stateless[0]);
}

static void check_admission(struct loader *loader)
{
    const struct config *config = loader->config;
    struct relation relation;
    if (config->redirect.admit_count == 0)
        return;
    if (config->redirect.method == CONFIG_METHOD_TPROXY &&
        relation_init(&relation, loader, "redirect.method", "redirect.admit"))
        report_add(loader->reader.report, &relation.position, relation.blamed,
                   "with tproxy the host's own rules for port %u go on judging: leave "
                   "redirect.admit out",
                   config->redirect.port);
    if (config->other_requests == CONFIG_OTHER_PASS && config->other_requests_given &&
        !config->redirect.pass_admitted &&
        relation_init(&relation, loader, "redirect.admit", "other_requests"))
        report_add(loader->reader.report, &relation.position, relation.blamed,
                   "pass with redirect.admit lets those reach production whom the host's own rules "
                   "keep from port %u: set redirect.pass_admitted: true if that is meant, or "
                   "other_requests: not-found",
                   config->redirect.port);
}

void relations_check(struct loader *loader)
{
    check_ports(loader);
    check_undecided(loader);
    check_first_byte(loader);
    check_lifetime(loader);
    check_stateless(loader);
    check_admission(loader);
}
