// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "wicket/error.h"

/*
 * The lock that makes a keeper the only one of its network namespace:
 * WICKET_RUNTIME_DIR/keeper-INODE.lock, INODE being that of /proc/self/ns/net, held with flock(2)
 * for the keeper's life, and by its responder for its own: see base/succession.h. Once the keeper
 * listens, the file says who it is:
 *
 *     pid 1234
 *     socket /run/wicket/control.sock
 *     config /etc/wicket/wicket.yaml
 */
struct lock {
    int fd; /* -1: not held */
    char path[256];
};

/* Makes sure that WICKET_RUNTIME_DIR exists and is nobody else's. 73, 77. */
int lock_prepare_directory(struct error *error);

/* 73 when another keeper holds it, which the text names; one that has died is waited for. */
int lock_take(struct lock *out, struct error *error);
/* Takes over a descriptor that holds the lock already. */
int lock_adopt(struct lock *out, int fd, struct error *error);
int lock_describe(struct lock *lock, const char *socket, const char *config, struct error *error);
/* Removes the file while the lock is still held, then lets go. May be called twice. */
void lock_release(struct lock *lock);
