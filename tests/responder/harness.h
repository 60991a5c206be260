// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "wicket/link.h"

/*
 * A real wicket-responder, started as the keeper would start it, on loopback ports of the kernel's
 * choice. Its path is in the environment variable WICKET_RESPONDER. Everything that is waited for
 * has HARNESS_WAIT_MS, and is an event.
 */
#define HARNESS_WAIT_MS 20000
#define THUMBPRINT      "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
#define PATH(token)     CHALLENGE_PATH_PREFIX token

struct harness {
    pid_t pid;
    int link;
    uint16_t port;  /* IPv4 */
    uint16_t port6; /* 0 without that listener */
    uint64_t pings;
};

struct harness_options {
    struct link_setup setup; /* without its header; zero members get defaults */
    bool pass;               /* LINK_OTHER_PASS, which is 0; without it the default is NOT_FOUND */
    bool full;               /* as root: uid, gid and root of a full responder */
    const char *root;        /* the directory for LINK_FD_ROOT */
    unsigned descriptors;    /* RLIMIT_NOFILE; 0: as it is */
    bool any_address;        /* listens on all addresses, not on the loopback one */
};

/* Starts it without a setup. */
void harness_spawn(struct harness *harness, const struct harness_options *options);
void harness_send_setup(struct harness *harness, const struct harness_options *options);
/* Both, and LINK_READY is there. */
void harness_start(struct harness *harness, const struct harness_options *options);
/* The exit status as from waitpid(2). */
int harness_wait(struct harness *harness);
/* Ends the link; the responder has to exit with 0. */
void harness_stop(struct harness *harness);

void harness_send(struct harness *harness, const union link_message *message);
void harness_token(struct harness *harness, const char *token); /* with THUMBPRINT */
void harness_key_authorization(struct harness *harness, const char *key_authorization);
void harness_forget(struct harness *harness, const char *token);
/* The next message; *fd is -1 when it carries none, and the caller's otherwise. */
void harness_receive(struct harness *harness, union link_message *out, int *fd);
/* It has to be of this type, and carries nothing. */
void harness_expect(struct harness *harness, enum link_type type, union link_message *out);
/* The pong of a new ping; validations that come before it are thrown away and counted. */
struct link_pong harness_ping(struct harness *harness, unsigned *validations);
/* A drain is asked for, or called off (sequence 0); and the next message says that it is done. */
void harness_drain(struct harness *harness, uint64_t sequence, uint64_t idle_ms);
void harness_expect_drained(struct harness *harness, uint64_t sequence);
/* How many descriptors the process has. */
unsigned harness_descriptors(const struct harness *harness);
/* The processor time it has taken, in ticks of 10 ms. */
unsigned long harness_ticks(const struct harness *harness);
/* Waits until it has so many connections, passed ones too. */
void harness_wait_connections(struct harness *harness, unsigned count);

/* Where who does not come from the loopback connects to; of the network namespace of test_full.c.
 */
#define HARNESS_HOST4 "192.0.2.80"
#define HARNESS_HOST6 "2001:db8::80"

/* From `address`; to the same if it is a loopback one. */
int harness_connect_to(const struct harness *harness, const char *address);
int harness_connect(const struct harness *harness);
int harness_connect6(const struct harness *harness);
/* Sends everything, or fails. */
void harness_write(int fd, const void *bytes, size_t length);
/* Reads until the end, NUL-terminates. A reset fails the test. Closes. Returns the length. */
size_t harness_read(int fd, char *out, size_t capacity);
/* Waits until the peer has ended the connection, whatever it sent and however it ended. */
void harness_wait_end(int fd);
/* Connects, sends, reads. */
size_t harness_exchange(const struct harness *harness, const char *request, char *out,
                        size_t capacity);
/* The same, and the status of the answer; 0 when there is none. */
unsigned harness_status(const struct harness *harness, const char *request);

uint64_t harness_now_ms(void);
