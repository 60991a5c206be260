// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redirect/redirect.h"

/*
 * Whether redirected connections reach the responder. A host firewall that opens port 80 and drops
 * the rest drops them: its rules see the responder's port. The table counts connections before and
 * after whatever filter the host has, and knows whose are missing; that tells, whoever wrote that
 * filter. Pure data.
 *
 * The families are judged apart, since their filters are two: one that is blocked leaves its
 * visitors without an answer however well the other fares. As long as nothing of a family has
 * arrived, two addresses that miss are enough, or ARRIVAL_MANY_CONNECTIONS of one, which may be a
 * load balancer; a single banned address that knocks says nothing about the others. Once something
 * has arrived, ARRIVAL_MANY_ADDRESSES must be missing for a second in which nobody arrives. What
 * was missing when somebody did arrive is somebody banned.
 *
 * Where the host's bans go on holding in a window, those who are banned are missing by right, also
 * before anybody else has come: then it takes as many addresses from the beginning, or half of them
 * for ten seconds in which nobody arrives, as the perspectives of a CA would be.
 */
enum arrival_verdict { ARRIVAL_UNKNOWN, ARRIVAL_PROVED, ARRIVAL_BLOCKED };

#define ARRIVAL_LOOK_MS          200 /* how often to look, as long as there is a lease */
#define ARRIVAL_LOOKS            2   /* in a row that must find too many missing; after proof: */
#define ARRIVAL_LOOKS_PROVED     5
#define ARRIVAL_LOOKS_PATIENT    50
#define ARRIVAL_FEW_ADDRESSES    2
#define ARRIVAL_SOME_ADDRESSES   4
#define ARRIVAL_MANY_ADDRESSES   8
#define ARRIVAL_MANY_CONNECTIONS 8

struct arrival_family {
    enum arrival_verdict verdict;
    struct redirect_count since; /* when something last arrived, or at the beginning */
    unsigned int suspicious;     /* looks in a row that found too many missing */
    unsigned int needed;         /* of these, for what was missing at the last look */
};

struct arrival {
    enum arrival_verdict verdict; /* BLOCKED: a family is; PROVED: one is, and none suspicious */
    bool bans_hold;
    struct arrival_family family[REDIRECT_FAMILIES];
};

/* Whether bans hold: with tproxy, and behind an admission, which stands behind them. */
bool arrival_bans_hold(const struct config *config);

/* What is missing at the beginning counts against nobody: see redirect_open. */
void arrival_begin(struct arrival *arrival, const struct redirect_counters *counters,
                   bool bans_hold);
enum arrival_verdict arrival_look(struct arrival *arrival,
                                  const struct redirect_counters *counters);

#define ARRIVAL_TEXT 160

/* What is blocked, for people: "over IPv6 (12 connections from 3 addresses, none arrived)".
 * `counters` are those that led to the verdict. Returns `out`. */
const char *arrival_describe(const struct arrival *arrival,
                             const struct redirect_counters *counters, char out[ARRIVAL_TEXT]);
