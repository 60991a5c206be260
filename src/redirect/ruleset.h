// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wicket/config.h"
#include "wicket/error.h"

/*
 * The table as data: what is to be in the kernel, said in a small closed vocabulary. It has two
 * renderings, nft(8) text (ruleset_text.c, libc only) and netlink (ruleset_netlink.c,
 * set_netlink.c). Pure: no I/O.
 */

#define RULESET_TIMEOUTS_MAX   4
#define RULESET_SETS_MAX       14
#define RULESET_CHAINS_MAX     7
#define RULESET_RULES_MAX      13
#define RULESET_STATEMENTS_MAX 13
#define RULESET_KEY_MAX        16 /* an IPv6 address; also IFNAMSIZ, the key of an interface set */

enum ruleset_key {
    RULESET_KEY_PORT,
    RULESET_KEY_INTERFACE,
    RULESET_KEY_IPV4,
    RULESET_KEY_IPV6,
    RULESET_KEY_IPV4_PORT, /* two parts, each padded to four bytes; only for sets that have no */
    RULESET_KEY_IPV6_PORT, /* elements to begin with */
    RULESET_KEYS
};

/* How long conntrack remembers what is over of a TCP connection, or has not begun: a second. */
struct ruleset_timeout {
    const char *name;
    const char *note;
    bool ipv6;      /* else of IPv4 */
    bool beginning; /* one whose first packet nobody has answered; else one that has ended */
};

/* A range of keys, both ends included, in network order; the bytes behind the key are zero. */
struct ruleset_element {
    uint8_t first[RULESET_KEY_MAX];
    uint8_t last[RULESET_KEY_MAX];
};

struct ruleset_set {
    const char *name;
    const char *note; /* for people, one line */
    enum ruleset_key key;
    bool map;                         /* each element has a value */
    enum ruleset_key value;           /* of a map */
    bool timeout;                     /* elements come and go; none to begin with */
    uint32_t size_max;                /* 0: no limit; else packets add to it, up to so many, */
    uint32_t timeout_ms;              /* and each element goes by itself after so long */
    bool interval;                    /* elements may be ranges; otherwise first equals last */
    struct ruleset_element *elements; /* owned; in order, no two overlap */
    size_t element_count;
};

enum ruleset_statement_type {
    RULESET_FAMILY4,
    RULESET_FAMILY6,
    RULESET_IIFNAME_IN,   /* set: of interfaces */
    RULESET_LOOPBACK,     /* came in by lo */
    RULESET_NOT_LOOPBACK, /* came in by another interface than lo */
    RULESET_OUT_LOOPBACK, /* goes out by lo */
    RULESET_OUT_NOT_LOOPBACK,
    RULESET_SADDR4_IN, /* set; each of these four matches its own family only */
    RULESET_SADDR6_IN,
    RULESET_DADDR4_IN,
    RULESET_DADDR6_IN,
    RULESET_DADDR_LOCAL, /* the destination is an address of this host */
    RULESET_SADDR_LOCAL, /* the source is an address of this host */
    RULESET_SADDR_REAL,  /* the source is none of this host's, no group's, no network's */
    RULESET_SOCKET4_IN,  /* set: of source addresses and TCP ports, each for its own family only */
    RULESET_SOCKET6_IN,
    RULESET_SPORT_IN,  /* set: of TCP ports */
    RULESET_DPORT_IN,  /* set */
    RULESET_DPORT,     /* port */
    RULESET_NOT_DPORT, /* port: a TCP packet for any other */
    RULESET_SYN,       /* the first packet of a connection, and no other */
    RULESET_NOT_SYN,   /* any other TCP packet */
    RULESET_ACK,       /* neither the first nor the last packet of a connection */
    RULESET_UPSTREAM,  /* comes from an upstream socket: see REDIRECT_PRIORITY */
    RULESET_NOT_UPSTREAM,
    RULESET_CT_DNAT,     /* conntrack knows a rewritten destination */
    RULESET_CT_DNAT_NEW, /* the same, and this is the very packet that it was rewritten for */
    RULESET_CT_SNAT,     /* conntrack knows a rewritten source */
    RULESET_CT_NOT_SNAT, /* of none, or of the source as it is */
    RULESET_CT_DPORT,    /* port: that the TCP connection was made to, whatever became of it */
    RULESET_ADD_SADDR4,  /* set; each of these four for its own family only. Adding to a full set */
    RULESET_ADD_SADDR6,  /* ends the rule */
    RULESET_DELETE_SADDR4,
    RULESET_DELETE_SADDR6,
    RULESET_UPDATE_DPORT,   /* set: of TCP ports. This and the next two: there for the set's timeout
                             */
    RULESET_UPDATE_SOCKET4, /* from now on; adding to a full set ends the rule */
    RULESET_UPDATE_SOCKET6, /* set: of source addresses and TCP ports, each for its own family only
                             */
    RULESET_CT_TIMEOUT,     /* set: not one, but a ruleset_timeout; for connections that begin */
    RULESET_COUNTER,
    RULESET_REDIRECT, /* port */
    RULESET_TPROXY,   /* port: to whoever listens there, with the destination as it is. Who has a */
    RULESET_TPROXY4,  /* connection already goes on to the next rule, and so does everybody when */
    RULESET_TPROXY6,  /* nobody listens. 4 and 6 where the rule has matched a family */
    RULESET_DNAT_SAME4, /* conntrack is told that the destination stays: no other DNAT changes it;
                         */
    RULESET_DNAT_SAME6, /* each for its own family only */
    RULESET_SNAT4, /* set: a map from source addresses and TCP ports to the new source address; */
    RULESET_SNAT6, /* each for its own family only. Who is not in it goes on to the next rule */
    RULESET_ACCEPT,
    RULESET_DROP,
    RULESET_RETURN,
    RULESET_STATEMENTS
};

struct ruleset_statement {
    enum ruleset_statement_type type;
    uint16_t port;
    const char *set;
};

struct ruleset_rule {
    struct ruleset_statement statements[RULESET_STATEMENTS_MAX];
    size_t statement_count;
    const char *comment; /* or NULL; names the counter, see RULESET_TAG_* */
};

/* The comments of the rules whose counters are read. */
#define RULESET_TAG_REDIRECTED4 "redirected4"
#define RULESET_TAG_REDIRECTED6 "redirected6"
#define RULESET_TAG_PROBED      "probed"
#define RULESET_TAG_GUARDED     "guarded"
#define RULESET_TAG_ARRIVED4    "arrived4"
#define RULESET_TAG_ARRIVED6    "arrived6"
#define RULESET_TAG_HERE4       "here4"
#define RULESET_TAG_HERE6       "here6"
#define RULESET_TAG_ELSEWHERE4  "elsewhere4"
#define RULESET_TAG_ELSEWHERE6  "elsewhere6"
#define RULESET_TAG_CLOSED4     "closed4"
#define RULESET_TAG_CLOSED6     "closed6"
#define RULESET_TAG_LOOPED      "looped"

enum ruleset_hook {
    RULESET_HOOK_PREROUTING,
    RULESET_HOOK_INPUT,
    RULESET_HOOK_OUTPUT,
    RULESET_HOOK_POSTROUTING
};

struct ruleset_chain {
    const char *name;
    const char *note;
    bool nat; /* else filter */
    enum ruleset_hook hook;
    int32_t priority;
    struct ruleset_rule rules[RULESET_RULES_MAX];
    size_t rule_count;
};

#define RULESET_SET_PORTS "ports"
#define RULESET_SET_PROBE "probe"
/* Who was redirected and has not arrived; only of families that are redirected. */
#define RULESET_SET_MISSING4 "missing4"
#define RULESET_SET_MISSING6 "missing6"
/* Of tproxy only: who has just been redirected; only of families that are. */
#define RULESET_SET_TAKEN4 "taken4"
#define RULESET_SET_TAKEN6 "taken6"
/* The redirected port, while there are more than these sets hold. */
#define RULESET_SET_CROWDED "crowded"

/* The pass: whose address each upstream socket speaks for. */
#define RULESET_MAP_RELAY4 "relay4"
#define RULESET_MAP_RELAY6 "relay6"

#define RULESET_TIMEOUT_PASSED4 "passed4"
#define RULESET_TIMEOUT_PASSED6 "passed6"
/* Of tproxy with the pass. */
#define RULESET_TIMEOUT_TAKEN4 "taken4"
#define RULESET_TIMEOUT_TAKEN6 "taken6"

/* Bounds what a flood from made-up addresses can take: such a set is below a megabyte. */
#define RULESET_MISSING_MAX 4096
/* Longer than a visitor waits between the first attempts to connect, 1, 2, 4, 8 s. */
#define RULESET_MISSING_MS 30000

/* The same for those who have just been redirected: a set is below two megabytes. */
#define RULESET_TAKEN_MAX 16384
/* From a SYN cookie to the packet that brings it back, which may have to be sent again. */
#define RULESET_TAKEN_MS 10000
/* A port and those that have expired since the kernel's last sweep, a second ago at most. */
#define RULESET_CROWDED_MAX 16

#define RULESET_CHAIN_PREROUTING "prerouting"
#define RULESET_CHAIN_OUTPUT     "output"
#define RULESET_CHAIN_INPUT      "input"
#define RULESET_CHAIN_ARRIVED    "arrived"
/* Of the pass only. */
#define RULESET_CHAIN_POSTROUTING "postrouting"
#define RULESET_CHAIN_CLOSED      "closed"
/* Of tproxy with the pass only. */
#define RULESET_CHAIN_KEPT "kept"

struct ruleset {
    struct ruleset_timeout timeouts[RULESET_TIMEOUTS_MAX];
    size_t timeout_count;
    struct ruleset_set sets[RULESET_SETS_MAX];
    size_t set_count;
    struct ruleset_chain chains[RULESET_CHAINS_MAX];
    size_t chain_count;
};

/*
 * The table that `config` asks for. 78: an interface name that cannot be one, or addresses and
 * sources that have no address family in common, so that nothing would ever be redirected.
 */
int ruleset_init(struct ruleset *ruleset, const struct config *config, struct error *error);
void ruleset_deinit(struct ruleset *ruleset);

/* NULL when there is none of this name. */
const struct ruleset_set *ruleset_find_set(const struct ruleset *ruleset, const char *name);

/* The length of a key of this kind, in bytes. */
size_t ruleset_key_length(enum ruleset_key key);

/* The elements in order; what overlaps becomes one, and in an interval set what touches too, since
 * nft takes "10.0.0.0/9, 10.128.0.0/9" but lists it as it likes. Returns the new count. */
size_t ruleset_elements_normalise(struct ruleset_element *elements, size_t count,
                                  enum ruleset_key key, bool interval);

/* The key behind this one; false when there is none, since all bits are set. */
bool ruleset_key_next(uint8_t out[RULESET_KEY_MAX], const uint8_t key[RULESET_KEY_MAX],
                      enum ruleset_key kind);
