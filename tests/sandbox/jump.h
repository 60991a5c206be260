// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wicket/error.h"

/*
 * Attempts to jump a fence: one system call each, made by a child that has put the fence up. None
 * does any harm where there is no fence, so that each can be tried without one too.
 */
enum {
    JUMP_RESPONDER = 1, /* must be the end of a responder */
    JUMP_KEEPER = 2,    /* and of a keeper */
    JUMP_SANITIZER = 4, /* but may be made by a build with the address sanitizer */
    JUMP_LEDGER = 16,   /* must be the end of the ledger's writer */
    JUMP_MODE_32 = 8,   /* by the gate of 32-bit programs, which a kernel may lack */
};

struct jump {
    const char *name;
    unsigned int flags;
    long number;
    long arguments[6];
};

/* What was there before the fence. */
struct jump_ground {
    int tcp;       /* a fresh TCP socket */
    int bound;     /* a TCP socket that is bound, not listening */
    int server;    /* one that listens */
    int shut;      /* one that listened, and was shut down */
    int datagram;  /* an AF_UNIX one */
    int null;      /* /dev/null to read and write; a number that is no standard descriptor */
    int program;   /* a program to read */
    uint16_t port; /* the server's */
    void *page;    /* one, of memory to read and write */
};

void jump_ground_make(struct jump_ground *ground);
void jump_ground_close(struct jump_ground *ground);

/* All of them; the ground has to be there. */
size_t jump_list(const struct jump_ground *ground, const struct jump **out);

/* The status, as from waitpid(2), of a child that puts up the fence (NULL: none) and jumps, which
 * ends with 0 if it is still there afterwards. */
int jump_try(const struct jump *jump, int (*fence)(struct error *error));
/* The same with any function, whose result is the exit status. */
int jump_run(int (*function)(void *context), void *context, int (*fence)(struct error *error));

/* Every jump with the flag ends in SIGSYS, and without the fence it does not. */
void jump_all(unsigned int flag, int (*fence)(struct error *error));
