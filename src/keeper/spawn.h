// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include "keeper/listen.h"
#include "keeper/privileges.h"
#include "wicket/error.h"

/* How a responder is started: with the descriptors link.h lists and no others. The descriptors
 * belong to the caller and stay open for the next start. */
struct spawn_plan {
    const char *path; /* absolute; also its argv[0] */
    enum privileges_mode mode;
    int null_fd; /* /dev/null */
    int root_fd;
    int log_fd; /* of a pipe */
    int lock_fd, table_fd;
    int listen_fds[LISTEN_RESPONDER_MAX];
    unsigned int listen_count;
};

/* *out_link is the keeper's end of a new link, *out_process a pidfd. */
int spawn_responder(const struct spawn_plan *plan, int *out_link, int *out_process,
                    struct error *error);
