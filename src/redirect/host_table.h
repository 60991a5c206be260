// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redirect/host_rule.h"

/*
 * The rules of one table of the host's own firewall, and where in a base chain of it a rule belongs
 * that lets in what a window redirects. Pure but for the sets, which are asked for one element.
 *
 * The rule stands as far down as it can: behind whatever turns away by where a connection comes
 * from, so that who is banned stays banned, and before the first rule that would drop what is
 * redirected whoever it is from. It need not go further than the rule by which the host accepts
 * everybody's connections to the redirected port.
 */
struct host_table {
    struct nftnl_rule **rules; /* owned; of one chain in the order in which they are gone through */
    size_t count, capacity;
    bool out_of_memory;
};

/* Takes `rule` over. */
void host_table_add(struct host_table *table, struct nftnl_rule *rule);
void host_table_deinit(struct host_table *table);

bool host_rule_is_of(const struct nftnl_rule *rule, const char *chain);
/* Whether the rule is an admission of ours: says so, and accepts. */
bool host_rule_is_admission(const struct nftnl_rule *rule);

struct host_ports {
    uint16_t production; /* that visitors connect to */
    uint16_t responder;  /* that they are redirected to */
};

/* A rule that turns away by where a connection comes from. */
struct host_ban {
    char chain[HOST_NAME_MAX]; /* it is in; "": there is none */
    uint64_t handle;
};

struct host_place {
    bool at_end;     /* behind all rules */
    uint64_t before; /* else before the rule with this handle */
    /* The first ban on the production's port that a connection would have come to behind this
     * place: whoever is let in here never does. */
    struct host_ban overruled;
};

/* As if no admission of ours were there. */
void host_table_place(struct host_place *out, const struct host_table *table, const char *chain,
                      const struct host_ports *ports, const struct host_sets *sets);

/* Whether iptables can show this chain: it has nothing that iptables does not write itself. One of
 * our own that it could not is not looked at. */
bool host_table_is_iptables(const struct host_table *table, const char *chain);
