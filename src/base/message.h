// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "wicket/error.h"

/*
 * What the control protocol and the link have in common: one message a packet of an AF_UNIX
 * SOCK_SEQPACKET socket, a header that says which, an exact length a type, and a rule for every
 * field that has one. A protocol is a table, and this file the only code that reads it.
 */

struct message_header {
    uint32_t magic;
    uint16_t version;
    uint16_t type;
};

enum message_rule {
    MESSAGE_STRING = 1,        /* ends within its array, and the rest of that is zero */
    MESSAGE_PRINTABLE,         /* the same, of printable ASCII */
    MESSAGE_TOKEN,             /* the same, challenge_check_token */
    MESSAGE_KEY_AUTHORIZATION, /* the same, challenge_parse */
    MESSAGE_NUMBER,            /* unsigned, 2, 4 or 8 bytes, from min to max */
    MESSAGE_FAMILY,            /* AF_INET or AF_INET6, 2 or 4 bytes */
    MESSAGE_FAMILY_OR_NONE,    /* or 0 */
};

struct message_field {
    const char *name;
    enum message_rule rule; /* 0 ends a list */
    size_t offset, size;
    uint64_t min, max; /* of MESSAGE_NUMBER */
};

#define MESSAGE_FIELDS_MAX 12

struct message_type {
    const char *name;
    size_t length; /* 0: no such type */
    struct message_field fields[MESSAGE_FIELDS_MAX];
    /* What no single field shows; called when all fields are good. May be NULL. */
    int (*check)(const void *message, struct error *error);
};

#define MESSAGE_RULE(type, member, rule)                                         \
    {                                                                            \
#member, rule, offsetof(type, member), sizeof(((type *)0)->member), 0, 0 \
    }
#define MESSAGE_RANGE(type, member, min, max)                                                  \
    {                                                                                          \
#member, MESSAGE_NUMBER, offsetof(type, member), sizeof(((type *)0)->member), min, max \
    }
#define MESSAGE_RESERVED(type, member) MESSAGE_RANGE(type, member, 0, 0)

struct message_protocol {
    const char *name;
    uint32_t magic;
    uint16_t version;
    const struct message_type *types; /* indexed by type */
    size_t type_count;
    size_t capacity; /* of the union of all messages */
};

size_t message_length(const struct message_protocol *protocol, uint16_t type);
void message_init(const struct message_protocol *protocol, void *message, uint16_t type);
/* 65 with the rule that was broken. */
int message_check(const struct message_protocol *protocol, const void *message, size_t length,
                  struct error *error);

/* See control_send and control_receive. Without `fd_out` no descriptor is taken: EBADMSG. With it,
 * MESSAGE_FD_LOST: there was one, and this process has room for no more. */
#define MESSAGE_FD_LOST (-2)
ssize_t message_send(const struct message_protocol *protocol, int socket, const void *message,
                     int fd);
/* Closes a descriptor that came from a peer, which may have told it to wait for its last bytes when
 * it is closed (SO_LINGER): a TCP connection is reset instead. */
void message_discard(int fd);
ssize_t message_receive(const struct message_protocol *protocol, int socket, void *message,
                        int *fd_out);
