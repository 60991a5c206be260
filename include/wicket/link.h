// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "wicket/challenge.h"
#include "wicket/error.h"

/*
 * The link: the private AF_UNIX SOCK_SEQPACKET socketpair between wicket-keeper and
 * wicket-responder, made by the keeper before it starts the responder. Framing as in control.h
 * (one message a packet, exact length a type, host byte order). Here a message that breaks a rule
 * is fatal to the side that receives it: the other side is broken or taken over.
 *
 * The responder is started with these descriptors and no others:
 */
enum link_fd {
    LINK_FD_NULL_IN = 0,  /* /dev/null */
    LINK_FD_NULL_OUT = 1, /* /dev/null */
    LINK_FD_LOG = 2,      /* see log.h */
    LINK_FD_LINK = 3,     /* this protocol */
    LINK_FD_ROOT = 4,     /* an empty directory owned by root, to chroot into; sidecar: /dev/null */
    LINK_FD_LOCK = 5,     /* these two it only holds, see below */
    LINK_FD_TABLE = 6,
    LINK_FD_LISTEN = 7, /* one or two listening TCP sockets, IPv4 first, then IPv6-only */
};
/*
 * What translates the connections that come through the table goes with the table, and that with
 * the last descriptor of the netlink socket that owns it. When the keeper dies without a word it is
 * to be there until the responder's connections have been reset: so the responder, which the kernel
 * kills then, has one too. The kernel releases a dying process's descriptors from the last to the
 * first (the order of task_work, since Linux 4.4). Without CAP_NET_ADMIN nothing can be sent to
 * nftables by it. In the same way it holds the keeper's lock, so that the next keeper waits for it
 * to be gone with its sockets and the table.
 */
/*
 * The keeper sends LINK_SETUP at once; the responder checks its descriptors, gives up its
 * privileges as told, and answers LINK_READY; then LINK_TOKEN and the rest. Another LINK_SETUP
 * later changes the limits and other_requests; what else it says must be as before.
 */

#define LINK_MAGIC   UINT32_C(0x4b4c4b57) /* "WKLK" in memory */
#define LINK_VERSION 3

enum link_type {
    /* keeper to responder */
    LINK_SETUP = 1,
    LINK_TOKEN,  /* serve this key authorization; one already there is replaced */
    LINK_FORGET, /* stop serving this token; one not there is fine */
    LINK_PING,
    LINK_DRAIN,     /* answer LINK_DRAINED once no connection is left, at once if there is none */
    LINK_STATELESS, /* answer every token nobody registered for this account, or no longer */
    LINK_PASSED,    /* the answer to LINK_PASS */
    /* responder to keeper */
    LINK_READY = 64,
    LINK_PONG,
    LINK_VALIDATION, /* a key authorization was served; at most LINK_VALIDATIONS_A_SECOND are told
                      */
    LINK_DRAINED,
    LINK_PASS,    /* a visitor for production: carries the accepted socket, wants another for it */
    LINK_CROWDED, /* more visitors than can be passed: take the lease away, now */
};

#define LINK_VALIDATIONS_A_SECOND 200

enum link_other_requests { LINK_OTHER_PASS, LINK_OTHER_NOT_FOUND, LINK_OTHER_HTTPS };

struct link_header {
    uint32_t magic;
    uint16_t version;
    uint16_t type;
};

struct link_setup {
    struct link_header header;
    uint32_t listeners; /* 1 or 2 */
    uint32_t sidecar;   /* 1: same uid, no chroot; 0: full mode */
    uint32_t uid, gid;  /* full mode: who to become; never 0 */
    uint32_t undecided; /* connections without a full request yet, in all */
    uint32_t undecided_per_address;
    uint64_t first_byte_ms;  /* a connection may say nothing for so long; LINK_OTHER_PASS */
    uint64_t deadline_ms;    /* of a connection, from accept to its decision, and to its answer */
    uint32_t other_requests; /* enum link_other_requests */
    uint32_t reserved;
};

struct link_token {
    struct link_header header;
    char key_authorization[CHALLENGE_KEY_AUTHORIZATION_MAX + 4];
};

struct link_forget {
    struct link_header header;
    char token[CHALLENGE_TOKEN_MAX + 8];
};

/*
 * Stateless: a token of LINK_STATELESS_TOKEN_MIN characters or more that is not registered is
 * answered with token "." thumbprint. A new responder does so for nobody.
 */
struct link_stateless {
    struct link_header header;
    char thumbprint[CHALLENGE_THUMBPRINT_LENGTH + 5]; /* empty: not any more */
};

/* What 128 bits take, the least a token may have (RFC 8555 section 8.3). */
#define LINK_STATELESS_TOKEN_MIN 22

struct link_ping {
    struct link_header header;
    uint64_t sequence;
};

/* The window is shut: no connection comes any more but for late ones. */
struct link_drain {
    struct link_header header;
    uint64_t sequence; /* 0: a window is open again, the question before is called off */
    uint64_t idle_ms; /* a passed connection ends when nothing went through for so long since now */
};

struct link_drained {
    struct link_header header;
    uint64_t sequence; /* of the question */
};

/*
 * One visitor. `id` is the responder's, from 1 on, one more each time; the keeper answers every
 * LINK_PASS once, mostly in order. It reads all it has to know from the socket itself.
 */
struct link_pass {
    struct link_header header;
    uint64_t id;
};

struct link_passed {
    struct link_header header;
    uint64_t id;
    uint32_t failure;   /* an errno; 0: the message carries the socket to production */
    uint32_t connected; /* 0: it is still connecting; 1 */
};

/* Something ran out since the last pong (bits of link_pong.exhausted), or, the last one, is short
 * now. */
enum { LINK_EXHAUSTED_FDS = 1, LINK_EXHAUSTED_MEMORY = 2, LINK_EXHAUSTED_PASSES = 4 };

struct link_pong {
    struct link_header header;
    uint64_t sequence;    /* of the ping */
    uint64_t validations; /* served since start, all of them */
    uint64_t turned_away; /* since start: other requests (404, 308, 400, 405, nothing sent), and
                             visitors whom nobody could pass */
    uint64_t passed;      /* visitors passed on to production since start */
    uint64_t unknown;     /* requests since start for tokens that nobody registered */
    uint32_t connections; /* now, passed ones too */
    uint32_t passing;     /* of these, the passed ones */
    uint32_t exhausted;
    uint16_t unknown_family; /* of who asked for the last of those; 0: nobody has */
    uint16_t reserved;
    uint8_t unknown_address[16]; /* as in link_validation */
};

/* What a validator said about itself, as text: every byte that is not printable ASCII, `"` and `\`
 * are escaped as by quote.h, without the marks around it; what is too long ends in "...". */
#define LINK_HOST_MAX       268
#define LINK_USER_AGENT_MAX 200

struct link_validation {
    struct link_header header;
    uint16_t family;     /* AF_INET or AF_INET6 (an IPv4-mapped peer is AF_INET) */
    uint16_t port;       /* of the validator, host order */
    uint16_t loopback;   /* 1: came in from this host itself (the self-check): not a validation from
                            outside */
    uint16_t status;     /* of the answer */
    uint8_t address[16]; /* network order; IPv4 in the first four bytes, the rest zero */
    uint8_t local[16];   /* where the connection was going before it was redirected, likewise */
    uint32_t local_known; /* 0: the kernel does not say, and `local` is zero; 1 */
    char token[CHALLENGE_TOKEN_MAX + 8];
    char host[LINK_HOST_MAX];             /* of the request; empty: it named none */
    char user_agent[LINK_USER_AGENT_MAX]; /* the same */
};

/* LINK_READY, LINK_CROWDED */
struct link_plain {
    struct link_header header;
};

union link_message {
    struct link_header header;
    struct link_setup setup;
    struct link_token token;
    struct link_forget forget;
    struct link_stateless stateless;
    struct link_ping ping;
    struct link_pong pong;
    struct link_drain drain;
    struct link_drained drained;
    struct link_pass pass;
    struct link_passed passed;
    struct link_validation validation;
    struct link_plain plain;
};

/* As their namesakes in control.h. The check includes that key authorizations and tokens are well
 * formed. */
size_t link_message_length(uint16_t type);
void link_message_init(union link_message *message, enum link_type type);
int link_message_check(const union link_message *message, size_t length, struct error *error);
/* Whether a message carries a descriptor: it has to, or must not. */
bool link_message_carries(const union link_message *message);
/* As control_send and control_receive; but *fd_out is LINK_FD_LOST when there was a descriptor and
 * this process has room for no more. */
#define LINK_FD_LOST (-2)
ssize_t link_send(int socket, const union link_message *message, int fd);
ssize_t link_receive(int socket, union link_message *message, int *fd_out);
