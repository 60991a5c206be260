// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "wicket/config.h"
#include "wicket/error.h"

/*
 * The keeper's own fences, put up once everything is open that it opens only at the start:
 * Landlock, where the kernel has it, leaves it no file to write or make, and none to remove but the
 * control socket and the lock; and a list of the system calls that it makes.
 *
 * A responder inherits both, and cannot take either down: what it needs until its own are up is in
 * the list too, such as its loader, which maps code. So this one allows to map files for execution,
 * never what was written to memory; with nothing to be written to a file, there is no code but what
 * was there. A process apart that starts responders would keep that out of the keeper, but would do
 * what the keeper says, have the same capabilities, and be one more to die, hang and be watched.
 *
 * After privileges_reduce(). 70.
 */
int keeper_sandbox_enter(const struct config *config, struct error *error);

/* The parts of it, for tests. */
int keeper_sandbox_landlock(const struct config *config, struct error *error);
int keeper_sandbox_filter(struct error *error);
