// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nlmsghdr;

/*
 * The kernel's answers to the messages of one batch, matched by sequence number. Pure: bytes in,
 * state out. Message i has the sequence number `first` + i.
 *
 * The last command of an atomic batch is answered by an NLMSG_ERROR, which with number 0 is the
 * ack; so are, before it, those commands that failed. BEGIN and END are answered only when the
 * batch as a whole is refused, and then nothing else need follow. A query is answered by data and
 * an ack (one object) or NLMSG_DONE (a dump).
 */

#define REPLY_TEXT_MAX 200

struct reply {
    uint32_t port; /* of our socket, which the kernel puts in every answer */
    uint32_t first;
    size_t count;
    bool atomic;                     /* message 0 and the last are BEGIN and END */
    uint8_t *answered;               /* one a message; owned */
    size_t outstanding;              /* answers to wait for */
    bool refused;                    /* the batch as a whole */
    bool lost;                       /* the kernel dropped answers: the outcome is unknown */
    bool interrupted;                /* a dump was changed while it was read */
    int error_number;                /* of the first message that failed, 0 if none: an errno */
    size_t error_message;            /* its index */
    char error_text[REPLY_TEXT_MAX]; /* the kernel's own words, or empty; printable */

    /* Called for every data message of a query; may be NULL. */
    void (*data)(const struct nlmsghdr *header, void *context);
    void *context;
};

/* False when out of memory. */
bool reply_init(struct reply *reply, uint32_t port, uint32_t first, size_t count, bool atomic);
void reply_deinit(struct reply *reply);

/* Takes in one datagram, aligned as struct nlmsghdr. What does not belong to the batch, or is cut
 * short, is ignored: the command stays unanswered. */
void reply_consume(struct reply *reply, const void *bytes, size_t length);

/* Whether there is nothing more to wait for. */
bool reply_is_complete(const struct reply *reply);
