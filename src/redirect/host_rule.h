// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nftnl_rule;

/*
 * What a rule of the host's own firewall does with a connection from outside, as far as can be told
 * without knowing whose it is. Somebody else wrote the rule: what is not understood is a doubt, and
 * never an error. Pure but for the question whether a set has an element.
 */

/* The first packet of a connection. */
struct host_subject {
    uint16_t port;   /* it goes to, of this host */
    bool redirected; /* to there, by us; else its own */
};

enum host_match {
    HOST_NEVER,     /* the rule is about something else */
    HOST_BY_SOURCE, /* about where it comes from, whatever else */
    HOST_PERHAPS,   /* about something that cannot be known before */
    HOST_ALWAYS,
};

enum host_act {
    HOST_CONTINUES, /* goes on with the next rule */
    HOST_ACCEPTS,
    HOST_DROPS, /* or rejects */
    HOST_JUMPS, /* to `chain` */
    HOST_GOES,  /* to `chain`, without coming back */
    HOST_RETURNS,
    HOST_MAPS,  /* what map `chain` says of a key that is not known */
    HOST_OTHER, /* hands it to a program, or who knows */
};

/* Longest name of a chain, with its NUL. */
#define HOST_NAME_MAX 256

struct host_verdict {
    enum host_act act;
    char chain[HOST_NAME_MAX]; /* of HOST_JUMPS and HOST_GOES; of HOST_MAPS the map */
};

/* Those that the elements of a map have, each once. */
#define HOST_VERDICTS_MAX 64
struct host_verdicts {
    struct host_verdict list[HOST_VERDICTS_MAX];
    size_t count;
};

struct host_judgement {
    enum host_match match;
    struct host_verdict verdict; /* where it matches */
};

enum host_answer { HOST_NO, HOST_YES, HOST_UNKNOWN };

/* The sets of the table that the rule is in. */
struct host_sets {
    /* Whether set `name` has the key; of a map of verdicts that has it, the verdict. */
    enum host_answer (*find)(void *context, const char *name, const void *key, size_t length,
                             struct host_verdict *verdict);
    /* The verdicts of map `name`; false: they are not known, or too many. */
    bool (*list)(void *context, const char *name, struct host_verdicts *out);
    /* Whether it has taken too long by now. */
    bool (*are_late)(void *context);
    void *context;
};

void host_rule_judge(struct host_judgement *out, const struct nftnl_rule *rule,
                     const struct host_subject *subject, const struct host_sets *sets);
