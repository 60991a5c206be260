// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wicket/error.h"

/*
 * The keeper as a service: the two small protocols by which a service manager starts a program,
 * sd_notify(3) and sd_listen_fds(3), spoken directly. libsystemd would bring five libraries into a
 * privileged process for the sake of one datagram and three variables.
 *
 * Everything here does nothing when no service manager started the keeper.
 */
struct service {
    int notify_fd;        /* connected to $NOTIFY_SOCKET, or -1 */
    int socket_fd;        /* the control socket that was passed, or -1; taken over by its user */
    uint64_t watchdog_ms; /* how often to show a sign of life; 0: nobody asks for it */
    uint64_t watchdog_due_ms; /* UINT64_MAX: never */
    char status[256];         /* as last told */
};

/* Nobody's service. */
void service_init(struct service *service);
/* Takes what the environment says, and removes it from there: no program started from here is to
 * think that it is meant. 78 when sockets were passed that are not what the keeper listens at. */
int service_take_environment(struct service *service, uint64_t now_ms, struct error *error);
/* May be called twice. */
void service_deinit(struct service *service);

/* Whether the socket that was passed is a control socket listening at `path`; 78. */
int service_check_socket(const struct service *service, const char *path, struct error *error);

void service_ready(struct service *service);
/* service_ready() ends it. */
void service_reloading(struct service *service);
void service_stopping(struct service *service);
/* One line for people; told only when it is another than the last one. */
void service_status(struct service *service, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The sign of life is given by the loop itself, so that it stops when the loop does. The responder
 * has no part in it: one that hangs is found and restarted by the keeper. */
void service_tick(struct service *service, uint64_t now_ms);
uint64_t service_next_ms(const struct service *service);
