// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Netlink messages sent in one go: an atomic nftables batch (BEGIN, commands, END; the kernel
 * commits all of it or none), or a lone query. The sequence numbers are written when it is sent.
 *
 * The kernel goes through all commands even when one fails, and then answers in their order. One
 * ack, of the last command, is enough to know that it has answered: an error comes without asking.
 */

struct config_chain;

enum batch_kind { BATCH_ATOMIC, BATCH_QUERY };

/* What a message is about, for the text of an error. The strings are not copied. */
struct batch_object {
    const char *kind;                  /* "set", "rule of chain"; NULL: BEGIN or END */
    const char *name;                  /* NULL: the table itself */
    const char *modules;               /* what a kernel must have for it, or NULL */
    const struct config_chain *admits; /* or it is of the host's own chain that admits, and its
                                          table; NULL: of our table */
};

struct batch {
    enum batch_kind kind;
    bool out_of_memory; /* sticky: then it must not be sent */
    uint8_t *bytes;
    size_t length, capacity;
    size_t last;                  /* where the last message begins */
    struct batch_object *objects; /* one a message */
    size_t count, object_capacity;
};

void batch_init(struct batch *batch, enum batch_kind kind);
/* An atomic one that the kernel refuses as a whole, with ERESTART, unless its rules are still of
 * this generation. */
void batch_init_for(struct batch *batch, uint32_t generation);
void batch_deinit(struct batch *batch);

/* The longest a message other than one of set elements can be; checked by an assertion. */
#define BATCH_ROOM 4096
/* The same of a message of many set elements, whose list is one attribute of 64 KiB at most. */
#define BATCH_ROOM_ELEMENTS ((size_t)32 * 1024)

/* Begins a message of nftables' `type` (NFT_MSG_*) with room for `room` bytes in all; NULL when out
 * of memory. Valid until batch_end_message, which must follow. A command of an atomic batch does
 * not ask for an ack. */
struct nlmsghdr *batch_begin_message(struct batch *batch, uint16_t type, uint16_t flags,
                                     size_t room, struct batch_object object);
void batch_end_message(struct batch *batch);

/* Lets the last command of an atomic batch ask for an ack, and writes the END. Returns false when
 * memory ran out on the way. */
bool batch_finish(struct batch *batch);

/* Gives the messages the sequence numbers from `first` on. */
void batch_number(struct batch *batch, uint32_t first);
