// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "redirect/host_rule.h"
#include "redirect/transport.h"
#include "wicket/config.h"

/* The kernel, asked for single elements of the sets of one table. */
struct host_sets_asked {
    struct transport *transport;
    const struct config_chain *chain; /* whose family and table those are of */
    bool failed;                      /* what has been found is worth nothing: */
    struct failure failure;
};

/* For struct host_sets, whose context is struct host_sets_asked. */
enum host_answer host_sets_find(void *context, const char *name, const void *key, size_t length,
                                struct host_verdict *verdict);
bool host_sets_list(void *context, const char *name, struct host_verdicts *out);
/* Also when one of them has failed. */
bool host_sets_are_late(void *context);
