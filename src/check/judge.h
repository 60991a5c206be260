// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "check/findings.h"
#include "check/journey.h"

/* What stands in the way of visitors whom a window redirects, or is overruled by it. Pure. */

/* One way in. */
void judge_traveller(struct findings *report, const struct journey *journey,
                     const struct traveller *traveller);

/* Every way in: by each interface that leads out, to each address of this host. */
void judge_firewall(struct findings *report, const struct journey *journey);

/* Interfaces by which somebody may come in who cannot be redirected. */
void judge_network(struct findings *report, const struct journey *journey);

/* The same ways told one by one, chain by chain, for `wicket ruleset --explain`. */
void judge_explain(FILE *out, const struct journey *journey);
