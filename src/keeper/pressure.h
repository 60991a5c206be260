// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wicket/error.h"

/* Whether the host is short of something a window takes. In doubt production has port 80. */
struct pressure {
    int conntrack_count_fd, conntrack_max_fd; /* -1: the kernel does not tell */
    uint32_t exhausted; /* what the responder ran out of, from its last pong */
};

/* Of this network namespace; to be called once the table is installed, which loads conntrack. */
void pressure_init(struct pressure *pressure);
void pressure_deinit(struct pressure *pressure);

/* -1 with 75 and what is short. */
int pressure_check(const struct pressure *pressure, struct error *error);
