// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "check/evaluate.h"
#include "check/network.h"
#include "wicket/config.h"

/*
 * The ways of a visitor's packet through this host's base chains while a window is open, hook by
 * hook in the order of their priorities. The table of acme-wicket itself is left out, and where it
 * stands is known. Pure.
 */

struct journey {
    const struct firewall *firewall;
    const struct network *network;
    const struct config *config;
    int32_t redirect_priority; /* where the redirect stands in prerouting */
};

struct traveller {
    enum network_family family;
    const struct network_interface *by; /* where it comes in, or goes out */
    const struct network_address *to;   /* of this host */
};

enum stage {
    STAGE_INGRESS,
    STAGE_PREROUTING,
    STAGE_REDIRECTED, /* prerouting, behind the redirect */
    STAGE_INPUT,
    STAGE_OUTPUT,
};

/* The base chains of a stage for this traveller, in order. Returns how many there are, of which
 * `chains` has the first JOURNEY_CHAINS_MAX. */
#define JOURNEY_CHAINS_MAX 64
size_t journey_chains(const struct journey *journey, enum stage stage,
                      const struct traveller *traveller,
                      const struct firewall_chain *chains[JOURNEY_CHAINS_MAX]);

/* The first packet as it is outside of this host. */
void journey_begin(const struct journey *journey, const struct traveller *traveller,
                   struct packet *packet);
/* As it is once it was redirected; with TPROXY nothing of it has changed. */
void journey_redirect(const struct journey *journey, struct packet *packet);
/* What is passed on to production instead: from the visitor's address, over the loopback. */
void journey_pass(const struct journey *journey, const struct traveller *traveller,
                  struct packet *packet);
/* The responder's answer, on its way out. */
void journey_answer(const struct journey *journey, const struct traveller *traveller,
                    struct packet *packet);
/* This host's own connection to its port. */
void journey_own(const struct journey *journey, const struct traveller *traveller,
                 struct packet *packet);

/* What connection tracking knows at a chain: nothing before its own priority. */
void journey_track(struct packet *packet, const struct firewall_chain *chain);
