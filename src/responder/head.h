// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "responder/target.h"

/*
 * The head of a request (RFC 9112 sections 2 to 6), judged before any HTTP library sees it. Pure:
 * bytes in, verdict out, no state, so that the same bytes give the same verdict however they were
 * cut into packets. A beginning that is malformed stays malformed whatever follows, and a complete
 * head stays complete.
 *
 * Stricter than what RFC 9112 allows a server to be lenient about: lines end in CRLF only, no
 * folded lines, no space before the colon, one Content-Length or one Transfer-Encoding and never
 * both, Host once. One empty line before the request is passed over (section 2.2), no more. A GET
 * or HEAD announces no body.
 */

#define HEAD_MAX        8192 /* bytes from the method to the empty line, both included */
#define HEAD_SKIP_MAX   2    /* the empty line before it */
#define HEAD_LOOK       (HEAD_SKIP_MAX + HEAD_MAX) /* no more bytes than this are ever needed */
#define HEAD_METHOD_MAX 32
/* libmicrohttpd keeps an entry for each of these, which come to an end before its room does: where
 * it has none, it writes an answer of its own that is not good HTTP. */
#define HEAD_FIELDS_MAX    100
#define HEAD_ARGUMENTS_MAX 64 /* of the query */
#define HEAD_COOKIES_MAX   64

enum head_verdict {
    HEAD_INCOMPLETE, /* as far as it goes it is good; `asks_head` is set */
    HEAD_COMPLETE,
    HEAD_REFUSED, /* `status`, `reason` and `asks_head` are set, nothing else is */
};

/* Points into the bytes that were judged. */
struct head {
    size_t skip;   /* of the empty line before the request */
    size_t length; /* of the head, after `skip` */
    const char *method;
    size_t method_length;
    const char *target;
    size_t target_length;
    struct target parts;
    unsigned minor;   /* of HTTP/1.x */
    const char *host; /* NULL when there is no Host, which only HTTP/1.0 may leave out */
    size_t host_length;
    const char *user_agent; /* the first one; NULL when there is none */
    size_t user_agent_length;
    size_t fields;
    bool body;  /* more bytes than the head are announced */
    bool plain; /* a GET of HTTP/1.1 or later, with no field that makes the answer another than what
                   is asked for: no condition, no expectation, nothing about a body */
    bool keep;  /* Connection says keep-alive, and does not say close */

    unsigned status; /* 400, 414, 431, 501 or 505 */
    const char *reason;
    bool asks_head; /* the method was HEAD: the refusal has no content (RFC 9110 section 9.3.2) */
};

enum head_verdict head_parse(struct head *out, const char *bytes, size_t length);
