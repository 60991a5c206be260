// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "redirect/batch.h"
#include "redirect/reply.h"
#include "wicket/error.h"

struct mnl_socket;

/*
 * The netlink sockets to nftables: sends a batch and waits until the kernel has answered it. They
 * are close-on-exec, since an inherited copy keeps an owned table alive. Changes and queries have
 * one each: who holds a copy of the owner's learns nothing of this host's rules by it.
 */

#define TRANSPORT_DEADLINE_MS 1000
#define TRANSPORT_BUFFER      ((size_t)32 * 1024) /* the longest datagram of a dump */

struct transport_socket {
    struct mnl_socket *netlink;
    uint32_t port; /* the kernel's name for it */
    size_t room;   /* what its send buffer is known to take */
};

struct transport {
    struct transport_socket changes; /* the owner of our table */
    struct transport_socket queries;
    uint32_t sequence;   /* where there is no chance to choose from */
    int64_t deadline_ns; /* monotonic */
    uint8_t *buffer;     /* TRANSPORT_BUFFER */
};

enum failure_kind {
    FAILURE_NONE,
    FAILURE_KERNEL,  /* the kernel said no: number, object, text */
    FAILURE_SYSTEM,  /* a system call failed: number, call */
    FAILURE_TIMEOUT, /* no answer within the deadline */
    FAILURE_LOST,    /* answers were dropped: the outcome is unknown */
    FAILURE_MEMORY,
    FAILURE_TOLD, /* it has been put into words: told */
};

/* Why a batch failed. What it points to belongs to the batch. */
struct failure {
    enum failure_kind kind;
    int number;
    const char *call;
    bool refused; /* the batch as a whole, not one of its commands */
    bool query;   /* nothing was to be changed */
    struct batch_object object;
    char text[REPLY_TEXT_MAX];
    struct error told;
};

int transport_init(struct transport *transport, struct error *error);
void transport_deinit(struct transport *transport);

/* The second that the batches from here on have together. */
void transport_start_clock(struct transport *transport);
bool transport_is_late(const struct transport *transport);

/*
 * Sends a finished atomic batch and waits for its answers. Returns 0, or -1 with the failure. When
 * the kernel drops answers (ENOBUFS) the outcome is unknown and the batch is sent once more: it
 * must be one that may be committed twice.
 */
int transport_run(struct transport *transport, struct batch *batch, struct failure *failure);

/*
 * The same for a query; `data` is called for every object. FAILURE_LOST: objects were dropped or
 * changed while they were read, those that came are worth nothing.
 */
typedef void transport_data(const struct nlmsghdr *header, void *context);
int transport_query(struct transport *transport, struct batch *batch, transport_data *data,
                    void *context, struct failure *failure);

/* The failure in words: "set ports of table inet wicket: Operation not permitted: …". */
int failure_explain(const struct failure *failure, struct error *error);
