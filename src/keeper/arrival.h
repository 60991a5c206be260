// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether redirected connections reach the responder. A host firewall that opens port 80 and drops
 * the rest drops them: its rules see the responder's port. The table counts connections before and
 * after whatever filter the host has; the two tell, whoever wrote that filter. Pure data.
 *
 * A count that grows before and stays still after, seen twice, is a verdict. Once something has
 * arrived, it takes ARRIVAL_MANY connections of which none does: a single banned address that
 * knocks says nothing about the others.
 */
enum arrival_verdict { ARRIVAL_UNKNOWN, ARRIVAL_PROVED, ARRIVAL_BLOCKED };

#define ARRIVAL_MANY    16
#define ARRIVAL_LOOK_MS 200 /* how often to look until something has arrived */

struct arrival {
    enum arrival_verdict verdict;
    uint64_t redirected, arrived; /* when something last arrived, or at the beginning */
    unsigned int suspicious;      /* looks in a row that found connections missing */
};

void arrival_begin(struct arrival *arrival, uint64_t redirected, uint64_t arrived);
enum arrival_verdict arrival_look(struct arrival *arrival, uint64_t redirected, uint64_t arrived);
