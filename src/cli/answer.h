// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * An HTTP/1.1 answer to our own GET with "Connection: close" (RFC 9112), as far as the self-check
 * has to understand it. Whoever sent it may be anybody: whatever listens on port 80.
 */

#define ANSWER_MAX 4096 /* bytes, header and body together */

enum answer_state {
    ANSWER_INCOMPLETE, /* more bytes are needed */
    ANSWER_COMPLETE,   /* status 200: with its body; another status: the header */
    ANSWER_MALFORMED,  /* not HTTP, or more of it than the self-check reads */
};

struct answer {
    int status;         /* 100 to 599 */
    const char *server; /* the Server header, into the bytes; NULL: none */
    size_t server_length;
    const char *body; /* into the bytes */
    size_t body_length;
};

/* `ended`: no more bytes will come. Never incomplete then. */
enum answer_state answer_parse(struct answer *out, const char *bytes, size_t length, bool ended);
