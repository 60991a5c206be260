// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "responder/connection.h"

/*
 * The limits of connections that have not shown yet what they are: in all, and for one address (an
 * IPv6 /64 is one). Slow strangers never shut out a validator: over a limit it is the oldest of
 * these that makes room, and a validator shows itself with its first packet.
 */
struct undecided {
    size_t total; /* at least 1 each */
    size_t per_address;
    size_t count;            /* undecided now */
    struct connection *list; /* oldest first */
    struct address_entry *addresses;
    uint64_t seed[2]; /* addresses are chosen by strangers */
};

/* -1 with errno when the kernel gives no random seed. */
int undecided_init(struct undecided *undecided, size_t total, size_t per_address);
void undecided_deinit(struct undecided *undecided);

/* Who has to leave before a connection from this address may join; NULL: nobody. Ask again after
 * it has left. */
struct connection *undecided_find_victim(const struct undecided *undecided,
                                         const struct in6_addr *address);
struct connection *undecided_oldest(const struct undecided *undecided);

/* False: no memory. */
bool undecided_join(struct undecided *undecided, struct connection *connection);
/* Decided or closed; one that has left already is fine. */
void undecided_leave(struct undecided *undecided, struct connection *connection);
