// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "redirect/redirect.h"
#include "wicket/config.h"

/*
 * Three network namespaces for tests with a real kernel (needs root), gone with the test:
 *
 *   outside            host                    inside
 *   eth0  ------------ out       in ---------- eth0
 *   10.77.1.2          10.77.1.1 10.77.2.1     10.77.2.2
 *   fd77:1::2          fd77:1::1 fd77:2::1     fd77:2::2
 *
 * The host forwards. Production listens on its port 80, the responder on 8402, both on all
 * addresses of both families; inside a server listens on 80 too. Everything is in this one process,
 * which is in the host's namespace.
 */

enum lab_place { LAB_HOST, LAB_OUTSIDE, LAB_INSIDE, LAB_PLACES };

#define LAB_PRODUCTION 80
#define LAB_RESPONDER  8402

struct lab {
    int original;                      /* the namespace we come from */
    int namespaces[LAB_PLACES];        /* descriptors */
    int production, responder, inside; /* listening sockets */
};

/* For cmocka's setup and teardown; *state is the lab. The responder's listener is as sample_method
 * wants it. */
int lab_setup(void **state);
int lab_teardown(void **state);

/* Runs a shell command in the host's namespace; true when it exits with 0. */
bool lab_shell(const char *command);
/* The same for its output, which the caller frees; the command must succeed. */
char *lab_output(const char *command);

/* A socket in that place's namespace. */
int lab_socket(const struct lab *lab, enum lab_place place, int domain, int type, int protocol);

/* A numeric address as a socket address; its length. */
socklen_t lab_parse(struct sockaddr_storage *out, const char *address, uint16_t port);

/* A connection that is under way, non-blocking. source_port 0: any. */
int lab_connect(const struct lab *lab, enum lab_place from, const char *address, uint16_t port,
                uint16_t source_port);

/* Whatever its address is, of this host or not: a server's. */
void lab_be_transparent(int fd);

/* Connects, and returns the port of the server that got the connection: LAB_PRODUCTION,
 * LAB_RESPONDER, or 0 when it was the one inside. Fails the test after two seconds. */
uint16_t lab_reaches(const struct lab *lab, enum lab_place from, const char *address,
                     uint16_t source_port);

/* Waits for a connection to `listener`; fails the test after two seconds. */
int lab_accept(int listener);
/* Sends a byte one way and waits for it at the other end; false when the connection broke. */
bool lab_passes_byte(int from, int to);
/* Closes with a reset: no TIME_WAIT is left behind. */
void lab_close(int fd);

int64_t lab_now_ns(void);
