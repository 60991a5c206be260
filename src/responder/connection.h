// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an epoll event is about: the first member of everything that is registered. */
enum source {
    SOURCE_LINK,
    SOURCE_LISTENER,
    SOURCE_HTTP,
    SOURCE_CONNECTION,
    SOURCE_RELAY,
};

enum connection_state {
    CONNECTION_UNDECIDED, /* its head is not complete, or it is kept; counts into the limits */
    CONNECTION_ANSWERED,  /* libmicrohttpd holds the descriptor and answers */
    CONNECTION_LINGERING, /* answered; what still arrives is thrown away until the peer is done */
    CONNECTION_CLOSED,    /* waits for the end of the round, when no event can name it any more */
};

struct address_entry; /* undecided.c */

/* One accepted connection. Made and ended by connections.c. */
struct connection {
    enum source source; /* SOURCE_CONNECTION */
    enum connection_state state;
    int fd;                  /* ours, or libmicrohttpd's in CONNECTION_ANSWERED; -1 once closed */
    bool registered;         /* with our epoll */
    bool loopback;           /* came in from this host: the self-check */
    bool token_served;       /* answered with a key authorization, or its length */
    bool body;               /* announced one, of which nothing is read */
    bool cut_off;            /* its deadline has passed */
    bool silent;             /* has not said a word, and is passed at silent_ms */
    bool kept;               /* answered, and nothing was seen since: it may ask again */
    in_port_t port;          /* the peer's, host order */
    uint16_t target_length;  /* of the request target the front saw */
    struct in6_addr address; /* the peer's; IPv4 mapped */
    uint64_t deadline_ms;
    uint64_t linger_ms; /* until when, in CONNECTION_LINGERING */
    uint64_t silent_ms;

    struct address_entry *address_entry;                /* NULL unless undecided */
    struct connection *prev, *next;                     /* connections.all */
    struct connection *undecided_prev, *undecided_next; /* undecided.list */
    struct connection *address_prev, *address_next;     /* address_entry.list */
    struct connection *linger_prev, *linger_next;       /* connections.lingering */
    struct connection *silent_prev, *silent_next;       /* connections.silent */
};

/* Of connections from outside, since start; loopback ones are not counted. */
struct counters {
    uint64_t validations;
    uint64_t turned_away;
    uint64_t unknown;                /* asked for a token that nobody registered */
    struct in6_addr unknown_address; /* who did so last; IPv4 mapped */
};
