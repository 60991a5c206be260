// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "check/firewall.h"
#include "check/packet.h"
#include "check/truth.h"

/*
 * What a base chain does with a packet of which not everything is known: every end that it can come
 * to, each with how likely it is and the rule that decides. Pure.
 */

enum fate {
    FATE_ACCEPT,  /* goes on to the next base chain */
    FATE_DROP,    /* a reject is one too */
    FATE_DNAT,    /* the destination is another from here; goes on */
    FATE_TPROXY,  /* somebody else's socket gets it */
    FATE_QUEUE,   /* a program decides */
    FATE_FORWARD, /* leaves by another interface at once */
    FATE_NOTRACK, /* no end: connection tracking does not see it */
};

struct ending {
    enum fate fate;
    enum truth truth;
    const struct firewall_chain *chain; /* where it was decided: a chain that was jumped to, or */
    const struct nftnl_rule *rule;      /* the base chain; NULL: its policy */
};

/* A ruleset that has more for one packet is cut: the fates that are kept stay right. */
#define EVALUATION_MAX 256

struct evaluation {
    const struct firewall_chain *base;
    struct ending endings[EVALUATION_MAX];
    size_t count;
    bool cut;
};

/* `packet` is at the hook of `base`, and has the marks it was given there afterwards. */
void evaluate(const struct firewall *firewall, const struct firewall_chain *base,
              struct packet *packet, struct evaluation *out);

/* The likeliest of the endings with this fate; NULL when it cannot come to that. */
const struct ending *evaluation_find(const struct evaluation *evaluation, enum fate fate);

/* How likely it is to come to one. */
enum truth evaluation_truth(const struct evaluation *evaluation, enum fate fate);
