// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "wicket/config.h"

/* Configurations that the tests of the ruleset share. */
struct sample {
    const char *name;
    const char *interfaces; /* separated by spaces, as the next two; NULL: none given */
    const char *addresses;
    const char *sources;
    size_t many; /* so many sources more, half of them IPv6 */
    bool local;
    enum config_method method;        /* redirect unless given */
    enum config_other_requests other; /* pass unless given */
};

extern const struct sample samples[];
extern const size_t sample_count;

/* What sample_defaults gives; redirect unless a test says otherwise. */
extern enum config_method sample_method;

/* What a keeper has by default: 80 to 8402, a lease of 5 s. */
void sample_defaults(struct config *config);

/* The sample as configuration, to be given to sample_free. */
void sample_config(struct config *config, const struct sample *sample);
void sample_free(struct config *config);
