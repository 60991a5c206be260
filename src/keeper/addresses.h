// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "keeper/address.h"

#include <net/if.h>
#include <stdbool.h>

/*
 * This host's own addresses, asked of rtnetlink. An answer that gets lost is waited for no longer
 * than this, while getifaddrs(3) would wait for ever; and nothing may hold up the lease.
 */
#define ADDRESSES_DEADLINE_MS 500

struct host_address {
    union address address; /* port 0; a link-local one with its scope */
    const char *interface; /* by its own name, not by an address's label */
    bool loopback;         /* the interface */
};

/* Told every address of an interface that is up, in the kernel's order; false ends it. What it is
 * given is there until it returns. */
typedef bool addresses_found(const struct host_address *found, void *context);

/* Returns 0, or -1 with errno, and then none was told; ETIMEDOUT: the kernel did not answer in
 * time. */
int addresses_list(addresses_found *found, void *context);
