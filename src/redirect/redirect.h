// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "wicket/config.h"
#include "wicket/error.h"

/*
 * The redirect in the kernel: the table `inet wicket`, driven over one netlink socket that owns it.
 * Every function that changes something is one atomic batch: it has happened whole when 0 is
 * returned, and not at all when -1 is. Each waits for the kernel's answer, a second at most.
 */
struct redirect;

#define REDIRECT_TABLE "wicket"

enum redirect_family { REDIRECT_IPV4, REDIRECT_IPV6, REDIRECT_FAMILIES };

/* One address family; all zero when it is not redirected. */
struct redirect_count {
    uint64_t redirected; /* new connections from outside sent to the responder */
    uint64_t arrived;    /* those of them that the host's own filter let through */
    uint64_t missing;    /* addresses of which, in the last half minute, the latest connection was
                            redirected and did not arrive; 4096 at most */

    /* The pass; zero without it. */
    uint64_t here;      /* upstream connections that stay on this host */
    uint64_t elsewhere; /* those that somebody's DNAT sent on, to a container for example */
    uint64_t closed; /* first packets of upstream connections, dropped: nothing had given them the
                        visitor's address */
};

struct redirect_counters {
    struct redirect_count family[REDIRECT_FAMILIES];
    uint64_t probed;  /* self-checks redirected */
    uint64_t guarded; /* packets sent directly to the responder's port, dropped */
    uint64_t looped;  /* the pass: first packets of upstream connections that somebody's DNAT would
                         have sent to the responder, dropped */
};

/*
 * Opens the netlink socket (close-on-exec); changes nothing. `config` is borrowed and outlives the
 * redirect. `without_owner`: never ask for an owned table, as on a kernel before 5.12; for tests.
 */
int redirect_create(struct redirect **out, const struct config *config, bool without_owner,
                    struct error *error);
/* Closes the socket, and with it an owned table. */
void redirect_destroy(struct redirect *redirect);

/*
 * Installs the table without a lease: nothing is redirected yet. A leftover that nobody owns is
 * replaced in the same batch. 73: somebody else owns it; 77: no CAP_NET_ADMIN; 69: the kernel lacks
 * something, which the text names.
 */
int redirect_install(struct redirect *redirect, struct error *error);

/*
 * SO_PRIORITY of an upstream socket, by which the table knows it: "wckt". Only upstream sockets
 * have it, since a priority above 6 takes CAP_NET_ADMIN or, on newer kernels, CAP_NET_RAW. Unlike a
 * mark it does not touch routing. Setting IP_TOS afterwards would take it away.
 */
#define REDIRECT_PRIORITY 0x77636b74

/* One visitor on the way to production: the upstream socket bound to `source` and `port` connects
 * to the redirected port with the visitor's address. */
struct redirect_relay {
    int family;    /* AF_INET or AF_INET6 */
    uint16_t port; /* of the upstream socket, host order */
    uint8_t
        source[16]; /* its address, network order; IPv4 in the first four bytes, the rest zero */
    uint8_t visitor[16];
};

/*
 * The table that `fresh` asks for instead of the one that is there, in one batch: connections that
 * came through the old one go on. `lease_left_ms` is what is left of a lease, 0: there is none.
 * `relays` are those in force, no two of the same source and port: the new table has them from its
 * first moment, for REDIRECT_RELAY_MS; when `fresh` does not pass they are left out. The counters
 * begin anew. On success the caller makes the config of redirect_create equal `fresh`.
 */
int redirect_replace(struct redirect *redirect, const struct config *fresh, uint64_t lease_left_ms,
                     const struct redirect_relay *relays, size_t relay_count, struct error *error);
/* Whether the kernel removes the table when this process dies; after redirect_install. */
bool redirect_is_owned(const struct redirect *redirect);

/* The lease: the port redirected for config->window.lease_ms from now (add, delete, add), which
 * also revives a lease that has ended. In the same batch the chains of config->redirect.admit get
 * their rule, or have it put where it belongs; 78: one of them is not there, is no base chain of
 * the input hook, or belongs to another program. */
int redirect_arm(struct redirect *redirect, struct error *error);
/* The same for the first lease of a window: in the same batch all that are missing are forgotten.
 * They are of another window, since nobody is added without a lease. */
int redirect_open(struct redirect *redirect, struct error *error);
/* Ends the lease; one that has ended already is fine. Then the admissions go, in a batch of their
 * own: when that fails the lease is gone all the same. */
int redirect_shut(struct redirect *redirect, struct error *error);

/* The admissions alone, while there is a lease: as redirect_arm() leaves them. `changed`: somebody
 * had taken one away, or other rules have come. */
int redirect_admit(struct redirect *redirect, bool *changed, struct error *error);
/*
 * The first ban that an admission stands before, since it cannot stand behind it: "rule 12 of chain
 * inet filter services", printable; "" when there is none. As of the last redirect_arm(),
 * redirect_admit() or redirect_replace(). With a config that passes these fail instead.
 */
#define REDIRECT_OVERRULED_MAX 1280
const char *redirect_overruled(const struct redirect *redirect);
/* The netlink socket that owns the table, for who is to keep that alive by it. What comes out of it
 * is no more than whether a change was made. */
int redirect_owner_fd(const struct redirect *redirect);
/* The kernel's name for the socket, which announcements of our own changes bear. */
uint32_t redirect_port(const struct redirect *redirect);
/* Removes the admissions that a keeper left which was killed, in whatever chain; how many. */
int redirect_sweep(struct redirect *redirect, size_t *swept, struct error *error);

/* Sends the next connections from this local source port to the redirected port through the
 * redirect, for `timeout_ms`; the port as in sin_port, but in host order. */
int redirect_probe(struct redirect *redirect, uint16_t source_port, uint64_t timeout_ms,
                   struct error *error);

/* Relays that nobody removes go by themselves. */
#define REDIRECT_RELAY_MS 30000

/*
 * Adds and removes relays, the removals first; either list may be empty, and so may both. Only with
 * a config that passes. One that is there already (same family, source and port) cannot be added
 * and one that is gone already cannot be removed; then nothing has happened and the exit code
 * is 65. In both lists a relay is renewed, which must be there.
 */
int redirect_relay(struct redirect *redirect, const struct redirect_relay *add, size_t add_count,
                   const struct redirect_relay *remove, size_t remove_count, struct error *error);

/* `redirected` is read before `arrived`, and that before `missing`: a connection that is in the
 * first and was let through is in the second too, and its address not in the third. */
int redirect_read_counters(struct redirect *redirect, struct redirect_counters *out,
                           struct error *error);

/* `redirected` and `arrived` alone, in that order; the rest is zero. */
int redirect_read_connections(struct redirect *redirect, struct redirect_counters *out,
                              struct error *error);

/* Both families together. */
static inline struct redirect_count redirect_count_sum(const struct redirect_counters *counters)
{
    struct redirect_count sum = {0};

    for (unsigned int i = 0; i < REDIRECT_FAMILIES; i++) {
        sum.redirected += counters->family[i].redirected;
        sum.arrived += counters->family[i].arrived;
        sum.missing += counters->family[i].missing;
        sum.here += counters->family[i].here;
        sum.elsewhere += counters->family[i].elsewhere;
        sum.closed += counters->family[i].closed;
    }
    return sum;
}

/* Deletes the table; one that is gone already is fine. */
int redirect_remove(struct redirect *redirect, struct error *error);

/*
 * The same table as text for nft(8), as `wicket ruleset` prints it: with `owner` the line
 * `flags owner`, with `lease` the lease element.
 */
int redirect_write_text(FILE *stream, const struct config *config, const char *table, bool owner,
                        bool lease, struct error *error);

/* As `wicket ruleset --explain` prints it, with a sentence above each rule; nft(8) reads it too. */
int redirect_write_explained(FILE *stream, const struct config *config, struct error *error);
