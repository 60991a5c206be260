// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/settings.h"
#include "wicket/control.h"
#include "wicket/error.h"

/*
 * A client's end of the control socket. The socket is close-on-exec; a program that `wicket run`
 * starts never has it. Every request has a deadline.
 */

#define CONNECTION_ESTABLISH_MS 25000 /* connect and be greeted, starting a keeper included */
#define CONNECTION_ANSWER_MS    10000
#define CONNECTION_OPEN_MS      30000 /* for answers that wait for the window */

struct connection {
    int fd; /* -1: closed */
    pid_t keeper_pid;
};

#define CONNECTION_CLOSED ((struct connection){.fd = -1})

enum connection_state {
    CONNECTION_READY,   /* greeted by the keeper of these settings */
    CONNECTION_NOBODY,  /* nobody listens there */
    CONNECTION_LEAVING, /* it was hung up before the greeting: a keeper is leaving */
};

/*
 * One attempt. 77: may not use the socket, or somebody strange listens there; 69: another version;
 * 78: the keeper has another configuration than the one that was named; 75: no greeting in time.
 */
int connection_attempt(struct connection *out, const struct settings *settings,
                       uint64_t deadline_ms, enum connection_state *state, struct error *error);

/* Connects to a keeper that runs already, and tries again while one is leaving. *running is false
 * when there is none. */
int connection_find(struct connection *out, const struct settings *settings, uint64_t deadline_ms,
                    bool *running, struct error *error);

void connection_close(struct connection *connection);

/*
 * Sends `request` and reads up to the result. `take` is called for every message before it that is
 * of type `answer` (0: there must be none); `fd` is the descriptor that came along or -1, and
 * becomes take's. Returns 0 when the keeper's result is 0, with its text, often empty, in
 * `warning` (CONTROL_TEXT_MAX bytes, may be NULL); else -1 with the keeper's exit code and text.
 * 69 and a closed connection: the keeper went away; 75: no answer in time; 70: nonsense.
 */
typedef int connection_take(void *context, const union control_message *message, int fd,
                            struct error *error);

struct connection_answer {
    enum control_type type;
    connection_take *take;
    void *context;
};

int connection_ask(struct connection *connection, const union control_message *request,
                   const struct connection_answer *answer, uint64_t timeout_ms, char *warning,
                   struct error *error);

/* The same for a request that has no answer but its result. A warning goes to the log. */
int connection_request(struct connection *connection, const union control_message *request,
                       uint64_t timeout_ms, struct error *error);

/* Copies what fits of `text` into a purpose, every byte that is not printable ASCII as "?". */
void connection_set_purpose(char (*purpose)[CONTROL_PURPOSE_MAX], const char *text);
