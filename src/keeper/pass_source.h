// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keeper/pass_visitor.h"
#include "redirect/redirect.h"

/*
 * The address and port of this host that an upstream socket is bound to. Nobody ever sees the
 * address, since the table puts the visitor's in its place; but a socket must have one of its own,
 * and its port is what production sees beside the visitor's address.
 *
 * The port is the visitor's own wherever it can be: only the visitor picks ports for its
 * connections to production, and any other of ours might be one that it uses already, or will, for
 * a connection past the responder. With tproxy it cannot be: the visitor's connection has the
 * addresses and ports already that production's would have. Then it is one of those that systems
 * do not take by themselves (Linux begins at 32768, others at 49152), as long as there are any.
 *
 * The address is the one the visitor meant to connect to; as for any connection of a host to
 * itself. Each such connection whose visitor ends first leaves a TIME_WAIT of a minute behind, and
 * with it a port that is taken. So once it is known that upstream connections do not leave this
 * host, they come from loopback addresses instead: 127.0.0.0/8 has enough for everybody, and from
 * ::1 the kernel takes a port again after a second (net.ipv4.tcp_tw_reuse is 2 by default, which
 * means loopback). Before it is known they are the last resort, as for a process of this host whose
 * own address is the only other one. Where somebody's DNAT sends them on to a container, loopback
 * addresses go nowhere: there the other addresses of this host help out, and in the end ports
 * beyond those that the kernel itself would give (net.ipv4.ip_local_port_range).
 */
#define PASS_SOURCE_ADDRESSES 16

struct pass_sources {
    struct {
        bool here, elsewhere; /* where upstream connections have gone so far */
        uint64_t distrusted_until_ms;
    } loopback[REDIRECT_FAMILIES];
    struct pass_ports {
        uint16_t low, high, next;
    } usual, wide;                               /* for those who cannot have the visitor's */
    struct pass_ports quiet;                     /* the same with tproxy, before the others */
    union address others[PASS_SOURCE_ADDRESSES]; /* of this host, not loopback ones */
    size_t other_count;
    uint64_t others_until_ms; /* when the list is to be made again */
};

#define PASS_SOURCE_TRIES 72

void pass_sources_init(struct pass_sources *sources);
/* What the table has counted: whether they leave the host. */
void pass_sources_note(struct pass_sources *sources, const struct redirect_counters *counters);
/* One from this loopback address got no answer. */
void pass_sources_distrust(struct pass_sources *sources, sa_family_t family, uint64_t now_ms);

/* The source to try as the `attempt`th, from 0 on. False: there is none, try the next; after
 * PASS_SOURCE_TRIES give up. */
bool pass_sources_find(struct pass_sources *sources, const struct pass_visitor *visitor,
                       unsigned int attempt, uint64_t now_ms, union address *out);
