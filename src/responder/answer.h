// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "responder/connections.h"
#include "responder/date.h"
#include "responder/head.h"
#include "responder/http.h"
#include "responder/tokens.h"

/*
 * Answers to plain requests for a token (see head.h), which is what validators send: the same as
 * libmicrohttpd gives, without its machinery, which costs more than all of the rest.
 */
struct answers {
    struct connections *connections; /* borrowed, as all of these */
    const struct tokens *tokens;
    struct http *http; /* for whom to tell */
    struct date date;
    /* For what is thrown away; the kernel leaves it as it is. */
    char discarded[HEAD_LOOK + 1];
};

/* Answers what is plainly asked for and known. Of the connection nothing but a look has been had:
 * `length` bytes, which are taken out of it. It is done with then, unless it is kept, which its
 * peer has to ask for and `may_keep` to allow. False: somebody else is to answer. */
bool answers_give(struct answers *answers, struct connection *connection, const struct head *head,
                  size_t length, bool may_keep, uint64_t now_ms);
