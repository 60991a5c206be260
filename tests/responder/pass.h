// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <netinet/in.h>

#include "harness.h"

/*
 * The test in the keeper's place, and in production's: it takes the sockets of visitors and answers
 * with ones that lead to a server of its own.
 */
struct production {
    int listener;
    struct sockaddr_in address;
    int buffer; /* SO_SNDBUF and SO_RCVBUF of all sockets; 0: as the kernel makes them */
};

/* One that is passed: the ends that are ours. */
struct passed {
    int visitor;
    int production;
};

void production_start(struct production *production, int buffer);
void production_stop(struct production *production);
/* The socket to it, connected or connecting, as a keeper would make it. */
int production_dial(const struct production *production);
int production_accept(const struct production *production);

/* The next message is a LINK_PASS: its id, and the socket, of which nothing was taken. */
uint64_t pass_expect(struct harness *harness, int *fd);
/* Closes `fd`, unless it is -1. */
void pass_answer(struct harness *harness, uint64_t id, int fd, int failure, bool connected);
/* A visitor whose first bytes are these, passed; and one that connects to this address. */
void pass_open(struct harness *harness, const struct production *production, const char *first,
               struct passed *out);
void pass_open_to(struct harness *harness, const struct production *production, const char *address,
                  const char *first, struct passed *out);
void pass_close(struct passed *passed);

/* Exactly these bytes come next. */
void pass_read(int fd, const void *bytes, size_t length);
/* Next come these bytes, and then the end; or a reset. */
void pass_read_to_end(int fd, const char *bytes);
void pass_read_to_reset(int fd, const char *bytes);
/* Nothing comes for so long. */
void pass_read_nothing(int fd, int for_ms);
/* Closes it so that the other side sees a reset. */
void pass_close_with_reset(int fd);
