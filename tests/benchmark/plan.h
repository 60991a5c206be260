// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "wicket/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum {
    PLAN_SOURCES_MAX = 32,
};

struct plan_address {
    struct sockaddr_storage storage;
    socklen_t length;
};

/* The bytes of a file, mapped. Without a file: nothing. */
struct plan_bytes {
    const char *data;
    size_t length;
};

/* What every visit of a run has in common, from the command line. */
struct plan {
    struct plan_address to;
    struct plan_address from[PLAN_SOURCES_MAX]; /* taken in turn */
    size_t from_count;                          /* 0: the kernel chooses */
    char request[1024];                         /* the head */
    size_t request_length;
    struct plan_bytes body;   /* what is sent after it */
    struct plan_bytes expect; /* what the answer's body must be */
    bool compare_all;         /* each byte of it; else the ends of each piece that is read */
    bool keep_alive;          /* connections are kept for further requests */
    bool or_close;            /* unless an answer says that its own is not */
    bool close_first;         /* the visitor closes, having read the answer; else the server does */
    size_t connections;       /* at once, at most */
    double rate;              /* requests a second; 0: as many as are answered */
    double seconds;
    bool spin; /* never wait for an event: ask for it again */
};

/* Reads the arguments; --help prints and exits. */
int plan_read(struct plan *plan, int argc, char **argv, struct error *error);
