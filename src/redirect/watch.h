// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wicket/error.h"

struct mnl_socket;

/*
 * The kernel's announcements of changes to its rules: who reloads the host's firewall takes our
 * admissions away, and this tells at once.
 */
struct watch {
    struct mnl_socket *socket; /* NULL: not watching */
    uint32_t own;              /* the kernel's name for who makes our own changes */
};

/* Begins. `own`: see redirect_port(). */
int watch_init(struct watch *watch, uint32_t own, struct error *error);
void watch_deinit(struct watch *watch);

/* To wait for; -1 when not watching. */
int watch_fd(const struct watch *watch);

/* Takes in what there is. Whether somebody else has changed a rule, a chain or a table since the
 * last call; also when announcements were lost. */
bool watch_take(struct watch *watch);
