// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "redirect/host_rule.h"
#include "redirect/host_table.h"

/*
 * Where in a base chain of the host's own firewall a rule belongs that lets in what a window
 * redirects. Pure but for the sets, which are asked for their elements.
 *
 * The rule stands as far down as it can: behind whatever turns away by where a connection comes
 * from, so that who is banned stays banned, and before the first rule that would drop what is
 * redirected whoever it is from. It need not go further than the rule by which the host accepts
 * everybody's connections to the redirected port.
 */
struct host_ports {
    uint16_t production; /* that visitors connect to */
    uint16_t responder;  /* that they are redirected to */
};

/* A rule that turns away by where a connection comes from. */
struct host_ban {
    char chain[HOST_NAME_MAX]; /* it is in; "": there is none */
    uint64_t handle;
    bool given_up; /* there may be one behind this rule, which is too much to look through */
};

struct host_place {
    bool at_end;     /* behind all rules */
    uint64_t before; /* else before the rule with this handle */
    /* The first ban on the production's port that a connection would have come to behind this
     * place: whoever is let in here never does. Also a rule at which the search was given up. */
    struct host_ban overruled;
};

/* As if no admission of ours were there. False: out of memory. */
bool host_place_find(struct host_place *out, const struct host_table *table, const char *chain,
                     const struct host_ports *ports, const struct host_sets *sets);
