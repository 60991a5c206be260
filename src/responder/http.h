// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "responder/connections.h"
#include "responder/tokens.h"
#include "wicket/error.h"
#include "wicket/link.h"

/*
 * The answers, by libmicrohttpd: a daemon without a listening socket, in external epoll mode, that
 * is given connections whose head the front has judged. It answers in the first call of the
 * handler, before any body is read, and closes after every answer.
 *
 * libmicrohttpd unescapes the target before the handler sees it, so the raw target is kept (the
 * URI log callback) and only that is looked at.
 */
struct MHD_Daemon;
struct MHD_Response;

/* A key authorization that was given to the kernel in full, for a GET. All of it lives for the call
 * that tells of it. */
struct http_served {
    const struct connection *connection;
    const char *token; /* not terminated */
    size_t length;
    unsigned status;
    const char *host; /* both escaped, see link.h */
    const char *user_agent;
    uint64_t now_ms;
};

typedef void (*http_served_fn)(void *context, const struct http_served *served);

struct http {
    enum source source; /* SOURCE_HTTP */
    struct MHD_Daemon *daemon;
    int epoll; /* the daemon's; readable when http_run has something to do */
    enum link_other_requests other_requests;
    struct connections *connections; /* borrowed */
    const struct tokens *tokens;     /* borrowed */
    http_served_fn served;
    bool (*wants_told)(void *context, uint64_t now_ms); /* of one more that was served */
    void *context;
    struct MHD_Response *not_found;
    struct MHD_Response *not_allowed;
    struct MHD_Response *bad_request;
    struct MHD_Response *precondition_failed;
    struct connection *adding; /* within http_add */
    bool due;                  /* http_run has something to do, though no event says so */
    uint64_t now_ms;           /* within http_run */
};

/* The rest of the members are set by the caller before. */
int http_init(struct http *http, struct error *error);
void http_deinit(struct http *http); /* ends its connections */

/* Gives a decided connection away. Whatever becomes of it, the descriptor is no longer ours. */
void http_add(struct http *http, struct connection *connection);

/* Answers whoever can be answered. True: there is more to do at once. */
bool http_run(struct http *http, uint64_t now_ms);

/* The connection's deadline has passed: makes libmicrohttpd let go of it in the next http_run. */
void http_cut_off(struct connection *connection);
