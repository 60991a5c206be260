// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "wicket/challenge.h"
#include "wicket/error.h"

/*
 * The control protocol: wicket asks, wicket-keeper answers, over an AF_UNIX SOCK_SEQPACKET socket
 * of one host, so in host byte order and with C's own layout (static_assert keeps it free of
 * padding). One message a packet; every message begins with a control_header and has exactly the
 * length its type prescribes (control_message_length). Strings are NUL-terminated within their
 * array, the rest of which is zero.
 *
 * On accept the keeper sends CONTROL_HELLO; a client that meets the end of the stream before it
 * tries again, since the keeper was leaving. Then the client sends requests, one at a time; each
 * is answered by what its comment says, and always last by one CONTROL_RESULT. A message that
 * breaks a rule costs that peer its connection and nobody else anything.
 */

#define CONTROL_MAGIC       UINT32_C(0x54434b57) /* "WKCT" in memory */
#define CONTROL_VERSION     3
#define CONTROL_PURPOSE_MAX 96  /* who asks, for people: "certbot hook for example.org" */
#define CONTROL_TEXT_MAX    768 /* as struct error */
#define CONTROL_CHUNK_MAX   8192
#define CONTROL_ADDRESS_MAX 64

enum control_type {
    /* keeper to client */
    CONTROL_HELLO = 1,
    CONTROL_RESULT,
    CONTROL_DOCUMENT,
    CONTROL_SOCKET,
    CONTROL_REPORT,
    /* client to keeper */
    CONTROL_ADD = 64, /* answered when the window that serves it is in force, or 65, 75, 77 */
    CONTROL_REMOVE,   /* answered when it is served no more; one that nobody registered is 0 with a
                         text, somebody else's is 77 */
    CONTROL_OPEN,
    CONTROL_CLOSE,      /* ends the CONTROL_OPEN reasons (root: all; others: their own) and is
                           answered when the lease is gone, if there is no other reason */
    CONTROL_ARM,        /* the keeper stays as long as this connection lives; `wicket run` */
    CONTROL_STATUS,     /* CONTROL_DOCUMENT, as often as needed */
    CONTROL_PROBE,      /* CONTROL_SOCKET; see control_probe */
    CONTROL_SETTLE,     /* answered when it is known whether redirected connections arrive, after a
                           second at most: 0, or 75 with the reason */
    CONTROL_ASK_REPORT, /* CONTROL_REPORT: what happened since CONTROL_ARM on this connection */
    CONTROL_PROBE_AT,   /* CONTROL_SOCKET; see control_probe_at */
};

struct control_header {
    uint32_t magic;
    uint16_t version;
    uint16_t type;
};

struct control_hello {
    struct control_header header;
    int32_t pid; /* the keeper's, in its own pid namespace */
    uint32_t reserved;
    char config_path[4096]; /* the file the keeper was started with */
};

struct control_result {
    struct control_header header;
    int32_t exit_code; /* sysexits; with 0 the text, if any, is a warning */
    char text[CONTROL_TEXT_MAX];
};

/* A piece of a long answer, in order; the pieces of one answer make up `total` bytes. */
struct control_document {
    struct control_header header;
    uint32_t total;
    uint32_t length; /* of this piece, 1 to CONTROL_CHUNK_MAX */
    char bytes[CONTROL_CHUNK_MAX];
};

/*
 * A connection to port 80 of this host that goes through the redirect: the packet carries the
 * socket, non-blocking and connecting, as SCM_RIGHTS. family 0 with no descriptor: the host has
 * no address to try. The client does the GET: the keeper reads nothing that came from a network.
 */
struct control_socket {
    struct control_header header;
    int32_t family;                    /* AF_INET, AF_INET6, or 0 */
    char address[CONTROL_ADDRESS_MAX]; /* where it connects to, as text: "192.0.2.1", "2001:db8::1"
                                        */
    uint16_t port;
    uint8_t reserved[2];
};

/* What happened since CONTROL_ARM. */
struct control_report {
    struct control_header header;
    uint64_t open_ms;     /* how long a window was open, all of them together */
    uint32_t windows;     /* how many were opened */
    uint32_t tokens;      /* how many were registered */
    uint64_t validations; /* key authorizations served through port 80, self-checks not counted */
    uint32_t addresses;   /* from how many addresses these came */
    uint32_t trouble;     /* not 0: `text` says why a window was shut or not opened */
    uint64_t turned_away; /* other requests, and visitors who could not be passed on */
    uint64_t passed;      /* visitors' connections handed on to production */
    uint64_t redirected;  /* connections from outside sent to the responder */
    uint64_t arrived;     /* those of them that this host's own filter let through */
    uint64_t unknown;     /* requests for tokens that nobody registered */
    char unknown_address[CONTROL_ADDRESS_MAX]; /* who made the last of those; or empty */
    char text[CONTROL_TEXT_MAX];
};

struct control_add {
    struct control_header header;
    char key_authorization[CHALLENGE_KEY_AUTHORIZATION_MAX + 4]; /* 304 */
    char purpose[CONTROL_PURPOSE_MAX];
};

struct control_remove {
    struct control_header header;
    char token[CHALLENGE_TOKEN_MAX + 8]; /* 264 */
    uint32_t explain; /* 1: if nobody validated it, the result's text says what that may be from */
    char purpose[CONTROL_PURPOSE_MAX];
};

struct control_open {
    struct control_header header;
    uint64_t duration_ms; /* 0: until CONTROL_CLOSE or the limit */
    char purpose[CONTROL_PURPOSE_MAX];
};

struct control_arm {
    struct control_header header;
    uint32_t open; /* 1: a window is open while the connection lives; else 0 */
    uint32_t reserved;
    char purpose[CONTROL_PURPOSE_MAX];
};

struct control_probe {
    struct control_header header;
    int32_t family;    /* AF_INET or AF_INET6 */
    uint32_t loopback; /* 1: to 127.0.0.1 or ::1, for a host without a global address; else 0 */
};

/* The same to one address of this host; one that it does not have, or that is not redirected, is
 * family 0. */
struct control_probe_at {
    struct control_header header;
    char address[64]; /* as text: "192.0.2.1", "2001:db8::1" */
};

/* CONTROL_CLOSE, CONTROL_STATUS, CONTROL_SETTLE and CONTROL_ASK_REPORT. */
struct control_plain {
    struct control_header header;
};

union control_message {
    struct control_header header;
    struct control_hello hello;
    struct control_result result;
    struct control_document document;
    struct control_socket socket;
    struct control_report report;
    struct control_add add;
    struct control_remove remove;
    struct control_open open;
    struct control_arm arm;
    struct control_probe probe;
    struct control_probe_at probe_at;
    struct control_plain plain;
};

/* The exact length of a message of this type; 0 for a type nobody knows. */
size_t control_message_length(uint16_t type);

/* Clears `message` and writes its header. */
void control_message_init(union control_message *message, enum control_type type);

/*
 * Whether the `length` bytes received are one good message: magic, version, a known type, the
 * exact length, every string terminated, every purpose printable, every reserved field and every
 * byte behind a string zero, every enumeration in range. The error says which rule was broken.
 */
int control_message_check(const union control_message *message, size_t length, struct error *error);

/* One packet, with a descriptor when fd is not -1. Return as sendmsg(2) and recvmsg(2): -1 with
 * errno (EBADMSG: truncated, or more than one descriptor, all of which are closed); received 0 is
 * the end of the stream. *fd_out is -1 when none came. EINTR is handled. */
ssize_t control_send(int socket, const union control_message *message, int fd);
ssize_t control_receive(int socket, union control_message *message, int *fd_out);
